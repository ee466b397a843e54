//! Rotary position embedding: whole heads, parts of them, and several axes.
//!
//! Channel `i` of the first half of the turned channels is paired with channel `i` of the second half
//! (transformers' `rotate_half`). Of M-RoPE, frequency `i` turns by time, height or width according to
//! the section that it lies in (transformers 4.57, `modeling_qwen2_vl.py`,
//! `apply_multimodal_rotary_pos_emb`).

use std::f64::consts::TAU;

use burn::tensor::{Device, Tensor, TensorData};

use super::config::{RotaryConfig, RotaryScaling};
use super::position::Positions;

/// The angles of a batch of tokens: what every layer turns its queries and keys by.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// Cosines, then sines, `[batch, tokens, d_rotary / 2]` each.
    tables: [Vec<f32>; 2],
    /// The same as tensors, `[batch, 1, tokens, d_rotary / 2]`.
    tensors: [Tensor<4>; 2],
    d_half: usize,
}

impl RotaryConfig {
    /// The `d_rotary / 2` frequencies.
    #[must_use]
    pub fn frequencies(&self) -> Vec<f32> {
        let d_half = self.d_rotary / 2;
        let frequency = |i: usize| {
            let frequency = self.theta.powf(-(i as f64) / d_half as f64);
            self.scaling.apply(frequency) as f32
        };
        (0..d_half).map(frequency).collect()
    }

    /// The angles at `positions`.
    #[must_use]
    pub fn rotation(&self, positions: &Positions, device: &Device) -> Rotation {
        let [_, batch, n_tokens] = positions.shape();
        let frequencies = self.frequencies();
        let d_half = frequencies.len();
        let axes: Vec<usize> = match self.sections {
            None => vec![0; d_half],
            Some(sections) => {
                (0..3).flat_map(|axis| std::iter::repeat_n(axis, sections[axis])).collect()
            }
        };
        let mut tables = [0; 2].map(|_| Vec::with_capacity(batch * n_tokens * d_half));
        for sequence in 0..batch {
            for token in 0..n_tokens {
                for (frequency, axis) in frequencies.iter().zip(&axes) {
                    let angle = positions.get(*axis, sequence, token) as f32 * frequency;
                    tables[0].push(angle.cos());
                    tables[1].push(angle.sin());
                }
            }
        }
        let shape = [batch, 1, n_tokens, d_half];
        let tensors =
            tables.clone().map(|table| Tensor::from_data(TensorData::new(table, shape), device));
        Rotation { tables, tensors, d_half }
    }
}

impl RotaryScaling {
    /// The frequency that stands for `frequency`; Llama 3's rule is transformers' `modeling_rope_utils.py`,
    /// `_compute_llama3_parameters`.
    fn apply(&self, frequency: f64) -> f64 {
        match *self {
            Self::None => frequency,
            Self::Linear { factor } => frequency / factor,
            Self::Llama3 { factor, low_frequency_factor, high_frequency_factor, old_context } => {
                let turns = old_context as f64 * frequency / TAU;
                if turns < low_frequency_factor {
                    frequency / factor
                } else if turns > high_frequency_factor {
                    frequency
                } else {
                    let part = (turns - low_frequency_factor)
                        / (high_frequency_factor - low_frequency_factor);
                    (1.0 - part) * frequency / factor + part * frequency
                }
            }
        }
    }
}

impl Rotation {
    /// Turns `x`, `[batch, heads, tokens, d_head]`.
    #[must_use]
    pub fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let d_head = x.dims()[3];
        let [cos, sin] = self.tensors.clone();
        let first = x.clone().narrow(3, 0, self.d_half);
        let second = x.clone().narrow(3, self.d_half, self.d_half);
        let mut parts = vec![
            first.clone() * cos.clone() - second.clone() * sin.clone(),
            second * cos + first * sin,
        ];
        if d_head > 2 * self.d_half {
            parts.push(x.narrow(3, 2 * self.d_half, d_head - 2 * self.d_half));
        }
        Tensor::cat(parts, 3)
    }

    /// Cosines and sines, `[batch, tokens, d_rotary / 2]` each.
    #[must_use]
    pub fn tables(&self) -> [&[f32]; 2] {
        self.tables.each_ref().map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(d_rotary: usize, sections: Option<[usize; 3]>) -> RotaryConfig {
        RotaryConfig { theta: 100.0, d_rotary, sections, scaling: RotaryScaling::None }
    }

    fn turned(config: &RotaryConfig, positions: &Positions, x: [f32; 6]) -> Vec<f32> {
        let device = Device::flex();
        let x = Tensor::<4>::from_data(TensorData::new(x.to_vec(), [1, 1, 1, 6]), &device);
        let y = config.rotation(positions, &device).apply(x);
        y.into_data().try_to_vec().expect("f32")
    }

    #[test]
    fn channels_behind_the_turned_ones_stay() {
        let y = turned(&config(2, None), &Positions::text(&[1], 1), [1.0, 0.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(y[2..], [3.0, 4.0, 5.0, 6.0]);
        assert_eq!(y[..2], [1f32.cos(), 1f32.sin()]);
    }

    #[test]
    fn each_section_turns_by_its_own_axis() {
        let positions = Positions::new(vec![0, 0, 7], [3, 1, 1]);
        let x = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0];
        let y = turned(&config(6, Some([1, 1, 1])), &positions, x);
        assert_eq!([y[0], y[1], y[3], y[4]], [1.0, 1.0, 0.0, 0.0]);
        let angle = 7.0 * 100f32.powf(-2.0 / 3.0);
        assert!((y[2] - angle.cos()).abs() < 1e-6 && (y[5] - angle.sin()).abs() < 1e-6);
    }
}
