//! The names and shapes of a model's weights, without the weights.

use burn::tensor::{Device, Tensor};

use super::format::WeightFormat;
use super::matrix::Matrix;
use super::weight_source::WeightSource;
use crate::error::Error;

/// Records the names and shapes that a model asks for. The model gets views of one zero.
///
/// ```
/// use burn::tensor::Device;
/// use vlm_lora::{Linear, Shapes, WeightFormat};
///
/// let mut shapes = Shapes::new(&Device::flex());
/// Linear::new(&mut shapes, "lm_head", [8192, 152_064], false)?;
/// assert_eq!(shapes.names()[0], ("lm_head.weight".to_owned(), vec![152_064, 8192]));
/// assert_eq!(shapes.bytes(WeightFormat::F16), 2 * 152_064 * 8192);
/// # Ok::<(), vlm_lora::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Shapes {
    names: Vec<(String, Vec<usize>)>,
    matrices: u64,
    rows: u64,
    /// Elements and rows of matrices whose rows are no multiple of 32 long: never kept in four bits.
    uneven: [u64; 2],
    others: u64,
    absent: Vec<String>,
    device: Device,
}

impl Shapes {
    /// Nothing asked for so far.
    #[must_use]
    pub fn new(device: &Device) -> Self {
        let (names, absent) = (Vec::new(), Vec::new());
        Self {
            names,
            matrices: 0,
            rows: 0,
            uneven: [0; 2],
            others: 0,
            absent,
            device: device.clone(),
        }
    }

    /// Leaves out optional weights whose names end in `ending`.
    #[must_use]
    pub fn without(mut self, ending: &str) -> Self {
        self.absent.push(ending.to_owned());
        self
    }

    /// Names and shapes in the order in which they were asked for.
    #[must_use]
    pub fn names(&self) -> &[(String, Vec<usize>)] {
        &self.names
    }

    /// Number of weights.
    #[must_use]
    pub fn n_elements(&self) -> u64 {
        self.matrices + self.others
    }

    /// Bytes of all weights if matrices are kept in `format`.
    #[must_use]
    pub fn bytes(&self, format: WeightFormat) -> u64 {
        let matrices = match format {
            WeightFormat::F32 => self.matrices * 4,
            WeightFormat::F16 | WeightFormat::Bf16 => self.matrices * 2,
            WeightFormat::Int8 => self.matrices + self.rows * 4,
            // 16 bytes of codes and two half-precision numbers per 32.
            WeightFormat::Int4 => {
                let [elements, rows] = self.uneven;
                (self.matrices - elements) * 20 / 32 + elements + rows * 4
            }
        };
        matrices + self.others * 4
    }
}

impl WeightSource for Shapes {
    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Matrix, Error> {
        self.names.push((name.to_owned(), shape.to_vec()));
        self.matrices += shape.iter().map(|&n| n as u64).product::<u64>();
        self.rows += shape[0] as u64;
        if !shape[1].is_multiple_of(32) {
            self.uneven[0] += shape.iter().map(|&n| n as u64).product::<u64>();
            self.uneven[1] += shape[0] as u64;
        }
        Ok(Matrix::F32(Tensor::<2>::zeros([1, 1], &self.device).expand(shape)))
    }

    fn values(&mut self, name: &str, shape: &[usize]) -> Result<Tensor<1>, Error> {
        self.names.push((name.to_owned(), shape.to_vec()));
        let len: usize = shape.iter().product();
        self.others += len as u64;
        Ok(Tensor::<1>::zeros([1], &self.device).expand([len]))
    }

    fn contains(&self, name: &str) -> bool {
        !self.absent.iter().any(|ending| name.ends_with(ending))
    }

    fn device(&self) -> &Device {
        &self.device
    }
}
