//! The stored forms, and their computation from single precision.

use half::f16;

use super::GROUP;

/// Largest code of 8 bits; -128 is left out, so that both signs reach equally far.
const MAX_INT8: f32 = 127.0;
/// Largest code of 4 bits.
const MAX_INT4: f32 = 15.0;

/// The elements.
#[derive(Debug)]
pub(super) enum Data {
    F16(Vec<u16>),
    Bf16(Vec<u16>),
    /// One scale per `group` elements of a row.
    Int8 {
        codes: Vec<i8>,
        scales: Vec<f32>,
        group: usize,
    },
    /// Per 32 elements of a row 16 bytes, whose lower halves are the first 16 elements and whose
    /// upper halves the others, and a scale and a minimum in half precision.
    Int4 {
        codes: Vec<u8>,
        scales: Vec<u16>,
        minima: Vec<u16>,
    },
}

/// One scale a row, the largest magnitude divided by 127.
pub(super) fn int8(values: &[f32], columns: usize) -> Data {
    let mut codes = Vec::with_capacity(values.len());
    let mut scales = Vec::with_capacity(values.len() / columns);
    for row in values.chunks_exact(columns) {
        let largest = row.iter().fold(0f32, |max, v| max.max(v.abs()));
        let scale = largest / MAX_INT8;
        let inverse = if scale > 0.0 { scale.recip() } else { 0.0 };
        codes.extend(row.iter().map(|v| (v * inverse).round().clamp(-MAX_INT8, MAX_INT8) as i8));
        scales.push(scale);
    }
    Data::Int8 { codes, scales, group: columns }
}

/// The smallest value of 32 and a fifteenth of their range.
pub(super) fn int4(values: &[f32]) -> Data {
    let n_groups = values.len() / GROUP;
    let mut codes = Vec::with_capacity(values.len() / 2);
    let [mut scales, mut minima] = [0; 2].map(|_| Vec::with_capacity(n_groups));
    let limit = f16::MAX.to_f32();
    for group in values.chunks_exact(GROUP) {
        let low = group.iter().fold(f32::INFINITY, |min, v| min.min(*v));
        let high = group.iter().fold(f32::NEG_INFINITY, |max, v| max.max(*v));
        // Scale and minimum are stored rounded, and the codes are those of the rounded ones.
        let minimum = f16::from_f32(low.clamp(-limit, limit));
        let scale = f16::from_f32(((high - minimum.to_f32()) / MAX_INT4).clamp(0.0, limit));
        let inverse = if scale.to_f32() > 0.0 { scale.to_f32().recip() } else { 0.0 };
        let code = |v: f32| ((v - minimum.to_f32()) * inverse).round().clamp(0.0, MAX_INT4) as u8;
        let (first, second) = group.split_at(GROUP / 2);
        codes.extend(first.iter().zip(second).map(|(low, high)| code(*low) | code(*high) << 4));
        scales.push(scale.to_bits());
        minima.push(minimum.to_bits());
    }
    Data::Int4 { codes, scales, minima }
}
