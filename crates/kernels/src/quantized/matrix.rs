//! The matrix and its formats.

use std::ops::Range;
use std::sync::Arc;

use half::{bf16, f16};

use super::pack::{self, Data};
use super::{GROUP, narrow};

/// The storage format of a [`QuantizedMatrix`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Half precision; what is larger than 65504 becomes it.
    F16,
    /// The upper half of single precision.
    Bf16,
    /// Integers of 8 bits and scales.
    Int8,
    /// Integers of 4 bits, scales and minima.
    Int4,
}

/// A matrix `[out, in]`, row by row. Copies share memory.
#[derive(Debug, Clone)]
pub struct QuantizedMatrix {
    shape: [usize; 2],
    data: Arc<Data>,
}

impl QuantizedMatrix {
    /// Stores `values`, `[out, in]`, in `format`; a row of [`Format::Int4`] whose length is no multiple
    /// of 32 is stored as [`Format::Int8`].
    ///
    /// # Panics
    /// If the number of values is not that of the shape, or there is none.
    #[must_use]
    pub fn new(values: &[f32], shape: [usize; 2], format: Format) -> Self {
        let [rows, columns] = shape;
        assert!(rows * columns == values.len() && !values.is_empty(), "one value an element");
        let data = match format {
            Format::F16 => {
                let limit = f16::MAX.to_f32();
                let half = |v: &f32| f16::from_f32(v.clamp(-limit, limit)).to_bits();
                Data::F16(values.iter().map(half).collect())
            }
            Format::Bf16 => {
                Data::Bf16(values.iter().map(|v| bf16::from_f32(*v).to_bits()).collect())
            }
            Format::Int4 if columns % GROUP == 0 => pack::int4(values),
            Format::Int4 | Format::Int8 => pack::int8(values, columns),
        };
        Self { shape, data: Arc::new(data) }
    }

    /// A matrix of half-precision numbers as a file holds them; `None` where their number is not that
    /// of the shape or one is not finite.
    #[must_use]
    pub fn from_f16(bits: Vec<u16>, shape: [usize; 2]) -> Option<Self> {
        let fits =
            bits.len() == count(shape)? && bits.iter().all(|b| f16::from_bits(*b).is_finite());
        fits.then(|| Self { shape, data: Arc::new(Data::F16(bits)) })
    }

    /// As [`from_f16`](Self::from_f16), for bf16.
    #[must_use]
    pub fn from_bf16(bits: Vec<u16>, shape: [usize; 2]) -> Option<Self> {
        let fits =
            bits.len() == count(shape)? && bits.iter().all(|b| bf16::from_bits(*b).is_finite());
        fits.then(|| Self { shape, data: Arc::new(Data::Bf16(bits)) })
    }

    /// A matrix of `codes` with one of `scales` per `group` elements of a row; `None` where the parts
    /// do not fit each other or a scale is not finite.
    #[must_use]
    pub fn from_int8(
        codes: Vec<i8>,
        scales: Vec<f32>,
        group: usize,
        shape: [usize; 2],
    ) -> Option<Self> {
        let [rows, columns] = shape;
        let fits = group > 0
            && columns.is_multiple_of(group)
            && codes.len() == count(shape)?
            && scales.len() == rows * (columns / group)
            && scales.iter().all(|scale| scale.is_finite());
        fits.then(|| Self { shape, data: Arc::new(Data::Int8 { codes, scales, group }) })
    }

    /// A matrix of 4-bit `codes`, 16 bytes per 32 elements of a row: the lower halves are the first 16
    /// elements, the upper ones the others; `scales` and `minima` are half-precision numbers, one each
    /// per 32. `None` where the parts do not fit each other or a number is not finite.
    #[must_use]
    pub fn from_int4(
        codes: Vec<u8>,
        scales: Vec<u16>,
        minima: Vec<u16>,
        shape: [usize; 2],
    ) -> Option<Self> {
        let n_groups = count(shape)? / GROUP;
        let finite = |bits: &[u16]| bits.iter().all(|b| f16::from_bits(*b).is_finite());
        let fits = shape[1].is_multiple_of(GROUP)
            && codes.len() == n_groups * GROUP / 2
            && scales.len() == n_groups
            && minima.len() == n_groups
            && finite(&scales)
            && finite(&minima);
        fits.then(|| Self { shape, data: Arc::new(Data::Int4 { codes, scales, minima }) })
    }

    /// `[out, in]`.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// Its storage format.
    #[must_use]
    pub fn format(&self) -> Format {
        match *self.data {
            Data::F16(_) => Format::F16,
            Data::Bf16(_) => Format::Bf16,
            Data::Int8 { .. } => Format::Int8,
            Data::Int4 { .. } => Format::Int4,
        }
    }

    /// Bytes that the elements take, scales included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &*self.data {
            Data::F16(bits) | Data::Bf16(bits) => 2 * bits.len(),
            Data::Int8 { codes, scales, .. } => codes.len() + 4 * scales.len(),
            Data::Int4 { codes, scales, minima } => codes.len() + 2 * (scales.len() + minima.len()),
        }
    }

    /// Writes the elements of some rows to `out`, row by row.
    ///
    /// # Panics
    /// If there are no such rows, or `out` has another length.
    pub fn unpack_rows(&self, rows: Range<usize>, out: &mut [f32]) {
        let columns = self.shape[1];
        assert!(rows.end <= self.shape[0], "the matrix has fewer rows");
        assert_eq!(out.len(), rows.len() * columns, "room for the rows");
        let (from, to) = (rows.start * columns, rows.end * columns);
        match &*self.data {
            Data::F16(bits) => narrow::widen_f16(&bits[from..to], out),
            Data::Bf16(bits) => narrow::widen_bf16(&bits[from..to], out),
            Data::Int8 { codes, scales, group } => {
                narrow::widen_int8(
                    &codes[from..to],
                    &scales[from / group..to / group],
                    *group,
                    out,
                );
            }
            Data::Int4 { codes, scales, minima } => {
                let groups = from / GROUP..to / GROUP;
                let (scales, minima) = (&scales[groups.clone()], &minima[groups]);
                narrow::widen_int4(&codes[from / 2..to / 2], scales, minima, out);
            }
        }
    }

    /// All elements, row by row.
    #[must_use]
    pub fn to_vec(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.shape[0] * self.shape[1]];
        self.unpack_rows(0..self.shape[0], &mut out);
        out
    }

    pub(super) fn data(&self) -> &Data {
        &self.data
    }
}

fn count([rows, columns]: [usize; 2]) -> Option<usize> {
    rows.checked_mul(columns).filter(|&n| n > 0)
}
