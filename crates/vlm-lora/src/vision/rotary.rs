//! Two-dimensional rotary embedding of patches.

use burn::tensor::{Device, Tensor, TensorData};

use crate::image::Grid;

/// Base of the frequencies, upstream's `theta`.
const THETA: f64 = 10_000.0;

/// The angles of all patches of a prompt.
///
/// Of the `d_head / 2` frequencies the first half turns by the patch's row, the second by its
/// column; channel `i` is paired with `i + d_head / 2` (transformers `modeling_qwen2_vl.py`,
/// `rot_pos_emb` and `apply_rotary_pos_emb_vision`).
#[derive(Debug, Clone)]
pub(super) struct PatchRotation {
    /// `[patches, 1, d_head / 2]`.
    cos: Tensor<3>,
    sin: Tensor<3>,
}

impl PatchRotation {
    /// The angles of the patches of `grids` in the order of merged blocks of `merge` x `merge`.
    pub(super) fn new(grids: &[Grid], merge: usize, d_head: usize, device: &Device) -> Self {
        let n_frequencies = d_head / 4;
        let frequency = |i: usize| THETA.powf(-(i as f64) / n_frequencies as f64) as f32;
        let frequencies: Vec<f32> = (0..n_frequencies).map(frequency).collect();
        let angles: Vec<f32> = grids
            .iter()
            .flat_map(|grid| places(*grid, merge))
            .flatten()
            .flat_map(|place| frequencies.iter().map(move |frequency| place as f32 * frequency))
            .collect();
        let n_patches = angles.len() / (2 * n_frequencies).max(1);
        let table = |of: fn(f32) -> f32| {
            let values: Vec<f32> = angles.iter().copied().map(of).collect();
            Tensor::from_data(TensorData::new(values, [n_patches, 1, 2 * n_frequencies]), device)
        };
        Self { cos: table(f32::cos), sin: table(f32::sin) }
    }

    /// Turns `x`, `[patches, heads, d_head]`.
    pub(super) fn apply(&self, x: Tensor<3>) -> Tensor<3> {
        let half = x.dims()[2] / 2;
        let (first, second) = (x.clone().narrow(2, 0, half), x.narrow(2, half, half));
        let (cos, sin) = (self.cos.clone(), self.sin.clone());
        let turned = first.clone() * cos.clone() - second.clone() * sin.clone();
        Tensor::cat(vec![turned, second * cos + first * sin], 2)
    }
}

/// Row and column of each patch, block by block.
fn places(grid: Grid, merge: usize) -> impl Iterator<Item = [usize; 2]> {
    let blocks = (grid.height / merge) * (grid.width / merge);
    let columns = (grid.width / merge).max(1);
    (0..grid.time * blocks * merge * merge).map(move |at| {
        let (block, inside) = (at / (merge * merge) % blocks, at % (merge * merge));
        [block / columns * merge + inside / merge, block % columns * merge + inside % merge]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_run_block_by_block() {
        let grid = Grid { time: 1, height: 2, width: 4 };
        let expected = [[0, 0], [0, 1], [1, 0], [1, 1], [0, 2], [0, 3], [1, 2], [1, 3]];
        assert_eq!(places(grid, 2).collect::<Vec<_>>(), expected);
        let film = Grid { time: 2, ..grid };
        assert_eq!(places(film, 2).count(), 16);
        assert_eq!(places(film, 2).skip(8).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn rows_turn_the_first_half_and_columns_the_second() {
        let device = Device::flex();
        let grid = Grid { time: 1, height: 2, width: 2 };
        let rotation = PatchRotation::new(&[grid], 2, 4, &device);
        let x = Tensor::<3>::from_floats([[[1.0, 1.0, 0.0, 0.0]]], &device).expand([4, 1, 4]);
        let y: Vec<f32> = rotation.apply(x).into_data().try_to_vec().expect("f32");
        let (c, s) = (1f32.cos(), 1f32.sin());
        assert_eq!(y[..4], [1.0, 1.0, 0.0, 0.0]);
        assert_eq!(y[4..8], [1.0, c, 0.0, s]);
        assert_eq!(y[8..12], [c, 1.0, s, 0.0]);
    }
}
