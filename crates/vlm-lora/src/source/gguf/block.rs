//! ggml's blocks: `ggml-common.h` and `ggml-quants.c` of llama.cpp.

use std::fmt;

use cifake_kernels::quantized::QuantizedMatrix;
use half::{bf16, f16};

/// Elements of a block of the older types.
const BLOCK: usize = 32;
/// Elements of a block of the K types.
const SUPER_BLOCK: usize = 256;

/// The type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q6K,
    /// One that is not read, by its number.
    Other(u32),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(number) => write!(f, "type {number}"),
            known => write!(f, "{known:?}"),
        }
    }
}

impl Kind {
    pub(crate) fn from_number(number: u32) -> Self {
        match number {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            14 => Self::Q6K,
            30 => Self::Bf16,
            other => Self::Other(other),
        }
    }

    /// Elements and bytes of a block; nothing is known of other types.
    fn block(self) -> Option<(usize, usize)> {
        match self {
            Self::F32 => Some((1, 4)),
            Self::F16 | Self::Bf16 => Some((1, 2)),
            Self::Q4_0 => Some((BLOCK, 18)),
            Self::Q4_1 => Some((BLOCK, 20)),
            Self::Q5_0 => Some((BLOCK, 22)),
            Self::Q5_1 => Some((BLOCK, 24)),
            Self::Q8_0 => Some((BLOCK, 34)),
            Self::Q6K => Some((SUPER_BLOCK, 210)),
            Self::Other(_) => None,
        }
    }
}

/// Bytes of a tensor: 0 of an unknown type, `None` where its rows are no whole blocks or it is too large.
pub(crate) fn bytes(kind: Kind, shape: &[usize]) -> Option<u64> {
    let n = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n))?;
    let Some((elements, bytes)) = kind.block() else { return Some(0) };
    let row = shape.last().copied().unwrap_or(1);
    let whole = row.is_multiple_of(elements);
    whole.then(|| (n / elements).checked_mul(bytes))?.map(|bytes| bytes as u64)
}

fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// The elements of whole blocks; `None` of a type that is not read.
pub(crate) fn floats(kind: Kind, bytes: &[u8]) -> Option<Vec<f32>> {
    let (_, len) = kind.block()?;
    let blocks = bytes.chunks_exact(len);
    let mut out = Vec::new();
    match kind {
        Kind::F32 => out.extend(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b))),
        Kind::F16 => {
            out.extend(bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()))
        }
        Kind::Bf16 => {
            out.extend(bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()));
        }
        Kind::Q4_0 => blocks.for_each(|block| {
            let scale = half_at(block, 0);
            four_bits(&block[2..], |code| scale * (f32::from(code) - 8.0), &mut out);
        }),
        Kind::Q4_1 => blocks.for_each(|block| {
            let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
            four_bits(&block[4..], |code| scale * f32::from(code) + minimum, &mut out);
        }),
        Kind::Q5_0 => blocks.for_each(|block| {
            let scale = half_at(block, 0);
            five_bits(&block[2..], |code| scale * (f32::from(code) - 16.0), &mut out);
        }),
        Kind::Q5_1 => blocks.for_each(|block| {
            let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
            five_bits(&block[4..], |code| scale * f32::from(code) + minimum, &mut out);
        }),
        Kind::Q8_0 => blocks.for_each(|block| {
            let scale = half_at(block, 0);
            out.extend(block[2..].iter().map(|code| scale * f32::from(*code as i8)));
        }),
        Kind::Q6K => {
            blocks.for_each(|block| {
                let (codes, scales) = six_bits(block);
                let scaled = codes.chunks_exact(16).zip(scales);
                out.extend(scaled.flat_map(|(codes, scale)| {
                    codes.iter().map(move |code| scale * f32::from(*code))
                }));
            })
        }
        Kind::Other(_) => return None,
    }
    Some(out)
}

/// The lower halves of 16 bytes, then the upper ones.
fn four_bits(codes: &[u8], value: impl Fn(u8) -> f32, out: &mut Vec<f32>) {
    out.extend(codes.iter().map(|code| value(code & 15)));
    out.extend(codes.iter().map(|code| value(code >> 4)));
}

/// 32 bits, the fifth of each element, in front of [`four_bits`].
fn five_bits(block: &[u8], value: impl Fn(u8) -> f32, out: &mut Vec<f32>) {
    let fifth = |i: usize| (block[i / 8] >> (i % 8) & 1) << 4;
    let codes = &block[4..];
    out.extend(codes.iter().enumerate().map(|(i, code)| value(code & 15 | fifth(i))));
    out.extend(codes.iter().enumerate().map(|(i, code)| value(code >> 4 | fifth(i + 16))));
}

/// The 256 codes of a Q6_K block, -32 to 31, and a scale per 16.
fn six_bits(block: &[u8]) -> ([i8; SUPER_BLOCK], [f32; SUPER_BLOCK / 16]) {
    let (low, high, scales) = (&block[..128], &block[128..192], &block[192..208]);
    let scale = half_at(block, 208);
    let mut codes = [0i8; SUPER_BLOCK];
    for part in 0..2 {
        let (low, high) = (&low[part * 64..][..64], &high[part * 32..][..32]);
        for i in 0..32 {
            let pieces = [low[i] & 15, low[i + 32] & 15, low[i] >> 4, low[i + 32] >> 4];
            for (k, piece) in pieces.into_iter().enumerate() {
                let code = piece | (high[i] >> (2 * k) & 3) << 4;
                codes[part * 128 + k * 32 + i] = code as i8 - 32;
            }
        }
    }
    let scales = std::array::from_fn(|i| scale * f32::from(scales[i] as i8));
    (codes, scales)
}

/// The matrix with the file's own codes; `None` where no format keeps them, or a number is not finite.
pub(crate) fn packed(kind: Kind, bytes: &[u8], shape: [usize; 2]) -> Option<QuantizedMatrix> {
    let (_, len) = kind.block()?;
    let blocks = bytes.chunks_exact(len);
    let bits = || bytes.as_chunks().0.iter().map(|b| u16::from_le_bytes(*b)).collect();
    match kind {
        Kind::F16 => QuantizedMatrix::from_f16(bits(), shape),
        Kind::Bf16 => QuantizedMatrix::from_bf16(bits(), shape),
        Kind::Q4_0 | Kind::Q4_1 => {
            let n = bytes.len() / len;
            let mut codes = Vec::with_capacity(n * BLOCK / 2);
            let [mut scales, mut minima] = [0; 2].map(|_| Vec::with_capacity(n));
            for block in blocks {
                let scale = f16::from_le_bytes([block[0], block[1]]);
                scales.push(scale.to_bits());
                // A multiple by a power of two, exact.
                let centred = || f16::from_f32(-8.0 * scale.to_f32());
                let minimum = match kind {
                    Kind::Q4_0 => centred(),
                    _ => f16::from_le_bytes([block[2], block[3]]),
                };
                minima.push(minimum.to_bits());
                codes.extend_from_slice(&block[len - BLOCK / 2..]);
            }
            QuantizedMatrix::from_int4(codes, scales, minima, shape)
        }
        Kind::Q8_0 => {
            let codes = blocks.clone().flat_map(|block| block[2..].iter().map(|code| *code as i8));
            let scales = blocks.clone().map(|block| half_at(block, 0));
            QuantizedMatrix::from_int8(codes.collect(), scales.collect(), BLOCK, shape)
        }
        Kind::Q6K => {
            let (mut codes, mut scales) = (Vec::new(), Vec::new());
            for block in blocks {
                let (block_codes, block_scales) = six_bits(block);
                codes.extend(block_codes);
                scales.extend(block_scales);
            }
            QuantizedMatrix::from_int8(codes, scales, 16, shape)
        }
        Kind::F32 | Kind::Q5_0 | Kind::Q5_1 | Kind::Other(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of bytes that a formula gives, their half-precision numbers small.
    fn blocks(kind: Kind, n: usize) -> Vec<u8> {
        let (_, len) = kind.block().expect("a known type");
        let mut bytes: Vec<u8> = (0..n * len).map(|i| (i * 89 % 251) as u8).collect();
        for (i, block) in bytes.chunks_exact_mut(len).enumerate() {
            let numbers: &[usize] = match kind {
                Kind::Q4_1 | Kind::Q5_1 => &[0, 2],
                Kind::Q6K => &[208],
                _ => &[0],
            };
            for at in numbers {
                let number = f16::from_f32(0.01 * (i + at + 1) as f32);
                block[*at..at + 2].copy_from_slice(&number.to_le_bytes());
            }
        }
        bytes
    }

    #[test]
    fn packed_matrices_hold_the_numbers_of_the_file() {
        for kind in [Kind::Q4_0, Kind::Q4_1, Kind::Q8_0, Kind::Q6K] {
            let (elements, _) = kind.block().expect("a known type");
            let bytes = blocks(kind, 6);
            let matrix = packed(kind, &bytes, [3, 2 * elements]).expect("the numbers are finite");
            let floats = floats(kind, &bytes).expect("a known type");
            for (i, (a, b)) in matrix.to_vec().iter().zip(&floats).enumerate() {
                assert!((a - b).abs() <= 1e-6 * b.abs().max(1e-3), "{kind} {i}: {a}, not {b}");
            }
        }
    }

    #[test]
    fn sizes_are_those_of_whole_blocks() {
        assert_eq!(bytes(Kind::Q4_1, &[3, 64]), Some(120));
        assert_eq!(bytes(Kind::Q4_1, &[64, 3]), None);
        assert_eq!(bytes(Kind::F32, &[usize::MAX, 2]), None);
        assert_eq!(bytes(Kind::F32, &[]), Some(4));
    }
}
