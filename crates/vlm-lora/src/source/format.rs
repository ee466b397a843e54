//! The number formats in which weight matrices are kept.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// The form of weight matrices, embeddings included, in memory. Norms and biases stay f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WeightFormat {
    /// Four bytes a weight, exact.
    #[default]
    F32,
    /// Two bytes a weight, 11 bits of precision.
    F16,
    /// Two bytes a weight, 8 bits of precision: exact for what was published as bf16.
    Bf16,
    /// One byte a weight and a scale a row.
    Int8,
    /// Four bits a weight, a scale and a minimum per 32 of a row.
    Int4,
}

impl WeightFormat {
    /// All formats, widest first.
    pub const ALL: [Self; 5] = [Self::F32, Self::F16, Self::Bf16, Self::Int8, Self::Int4];
}

impl fmt::Display for WeightFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
        })
    }
}

impl FromStr for WeightFormat {
    type Err = Error;

    /// The format called `f32`, `f16`, `bf16`, `int8` or `int4`.
    fn from_str(name: &str) -> Result<Self, Error> {
        let known = Self::ALL.into_iter().find(|format| format.to_string() == name);
        known.ok_or_else(|| Error::Setting {
            setting: "weight format",
            found: name.to_owned(),
            expected: "f32, f16, bf16, int8 or int4".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_read_by_its_name() {
        for format in WeightFormat::ALL {
            assert_eq!(format.to_string().parse::<WeightFormat>().expect("it is known"), format);
        }
        let refused = "int3".parse::<WeightFormat>().expect_err("it is unknown");
        assert!(refused.to_string().contains("int8 or int4"), "{refused}");
    }
}
