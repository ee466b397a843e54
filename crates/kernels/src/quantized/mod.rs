//! Weight matrices in two bytes, one byte or four bits an element, and products that read them so.
//!
//! | format | an element is | stored | error of an element |
//! |---|---|---|---|
//! | [`Format::F16`] | half precision | 16 bits | `2^-11` of it; `6e-8` at least |
//! | [`Format::Bf16`] | the upper half of single precision | 16 bits | `2^-8` of it |
//! | [`Format::Int8`] | `scale * code`, codes -127 to 127 | 8 bits, 32 a row | 1/254 of the row's largest |
//! | [`Format::Int4`] | `scale * code + minimum`, codes 0 to 15 | 5 bits | 1/29 of the range of 32 elements |
//!
//! A product of a few rows with such a matrix is bound by the memory that is read, and takes as much
//! less time as the matrix has fewer bytes; one of many rows unpacks a block of the matrix at a time.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use cifake_kernels::quantized::{Format, QuantizedMatrix, product};
//!
//! let weight = QuantizedMatrix::new(&[1.0, 0.0, 0.5, -1.0, 2.0, 0.25], [2, 3], Format::F16);
//! let x = Tensor::<2>::from_floats([[1.0, 2.0, 4.0]], &Device::flex());
//! assert_eq!(product(x, &weight).into_data().try_to_vec::<f32>().unwrap(), [3.0, 4.0]);
//! ```

mod matrix;
mod narrow;
mod pack;
mod product;
mod words;

pub use matrix::{Format, QuantizedMatrix};
pub(crate) use narrow::dot_f32;
pub use product::product;

/// Elements of a row that share a scale and a minimum.
pub const GROUP: usize = 32;
