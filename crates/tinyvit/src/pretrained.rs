//! Weights from elsewhere: timm's checkpoints, microsoft/Cream's, and those of other windows or heads.

use burn::tensor::{Device, TensorData};
use cifake::Error;
use cifake::weights::{Checkpoint, Configured, Mapping, Source};

use crate::block::TinyVitBlock;
use crate::config::TinyVitConfig;
use crate::model::TinyVit;

/// Entries that no forward pass reads: PyTorch's counter of batches, and the table of offsets that older checkpoints
/// hold although the window size determines it.
const NOT_WEIGHTS: &[&str] = &[r"(^|\.)num_batches_tracked$", r"(^|\.)attention_bias_idxs$"];

/// The names of the weights in a family of checkpoints.
struct Naming {
    mapping: Mapping<'static>,
    /// The name of the stages.
    stages: &'static str,
    /// The last layer's weight, `[n_classes, dim]`.
    head: &'static str,
}

/// timm's names, which are this crate's own.
const TIMM: Naming = Naming {
    mapping: Mapping { ignored: NOT_WEIGHTS, ..Mapping::PYTORCH },
    stages: "stages",
    head: "head.fc.weight",
};

/// Names of microsoft/Cream, `TinyViT/models/tiny_vit.py`, where patches are merged at the end of a
/// layer instead of the start of the next.
const CREAM: Naming = Naming {
    mapping: Mapping {
        renames: &[
            (r"^patch_embed\.seq\.0\.", "patch_embed.conv1."),
            (r"^patch_embed\.seq\.2\.", "patch_embed.conv2."),
            (r"^layers\.0\.downsample\.", "stages.1.downsample."),
            (r"^layers\.1\.downsample\.", "stages.2.downsample."),
            (r"^layers\.2\.downsample\.", "stages.3.downsample."),
            (r"^layers\.", "stages."),
            (r"\.c\.weight$", ".conv.weight"),
            (r"^head\.", "head.fc."),
            (r"^norm_head\.", "head.norm."),
        ],
        ignored: NOT_WEIGHTS,
        ..Mapping::PYTORCH
    },
    stages: "layers",
    head: "head.weight",
};

impl Naming {
    /// The naming of `checkpoint`: a stem of Cream's is the sign of Cream.
    fn of(checkpoint: &Checkpoint) -> &'static Self {
        let is_cream = checkpoint.shapes().keys().any(|key| key.starts_with("patch_embed.seq."));
        if is_cream { &CREAM } else { &TIMM }
    }
}

impl TinyVitConfig {
    /// Builds the model with the weights of `source`, which must be of exactly this configuration.
    ///
    /// A safetensors file, or with the feature `pytorch` a `.pt` or `.pth` file, under either naming:
    ///
    /// | timm and this crate | microsoft/Cream |
    /// |---|---|
    /// | `patch_embed.conv1.conv.weight` | `patch_embed.seq.0.c.weight` |
    /// | `patch_embed.conv2.bn.bias` | `patch_embed.seq.2.bn.bias` |
    /// | `stages.0.blocks.1.conv1.conv.weight` | `layers.0.blocks.1.conv1.c.weight` |
    /// | `stages.2.downsample.conv1.bn.weight` | `layers.1.downsample.conv1.bn.weight` |
    /// | `stages.1.blocks.0.attn.qkv.weight` | `layers.1.blocks.0.attn.qkv.weight` |
    /// | `head.norm.weight` | `norm_head.weight` |
    /// | `head.fc.weight` | `head.weight` |
    ///
    /// # Errors
    ///
    /// Those of [`cifake::weights::load`]: the file is unreadable, lacks a weight, has one too many or
    /// of another shape, or holds a value that is not finite.
    pub fn load<'a>(
        &self,
        source: impl Into<Source<'a>>,
        device: &Device,
    ) -> Result<TinyVit, Error> {
        self.load_checkpoint(&opened(source.into())?, device)
    }

    /// As [`load`](Self::load), for what is to be trained further: a head of another number of
    /// outputs is replaced by a fresh one drawn from `seed`, and attention biases of another window
    /// size are resized as timm does (bicubic, antialiased).
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load), for every other weight.
    pub fn load_for_fine_tuning<'a>(
        &self,
        source: impl Into<Source<'a>>,
        seed: u64,
        device: &Device,
    ) -> Result<TinyVit, Error> {
        let checkpoint = opened(source.into())?;
        let saved = self.as_saved_in(&checkpoint);
        let mut model = saved.load_checkpoint(&checkpoint, device)?;
        if saved == *self {
            return Ok(model);
        }
        let mut fresh = self.init(seed, device);
        for (block, fresh) in blocks(&mut model).zip(blocks(&mut fresh)) {
            change_window(block, fresh);
        }
        if saved.n_classes != self.n_classes {
            model.head.fc = fresh.head.fc;
        }
        Ok(model)
    }

    fn load_checkpoint(&self, checkpoint: &Checkpoint, device: &Device) -> Result<TinyVit, Error> {
        let mut model = TinyVit::new(self, device);
        checkpoint.load_into(&mut model, &Naming::of(checkpoint).mapping)?;
        Ok(model)
    }

    /// This configuration with the windows and the number of classes that `checkpoint` was made
    /// with. Any other mismatch is left for the strict load to find.
    fn as_saved_in(&self, checkpoint: &Checkpoint) -> Self {
        let naming = Naming::of(checkpoint);
        let shapes = checkpoint.shapes();
        let mut saved = self.clone();
        for stage in 1..4 {
            let key = format!("{}.{stage}.blocks.0.attn.attention_biases", naming.stages);
            if let Some(&[n_heads, n_offsets]) = shapes.get(key.as_str()).map(Vec::as_slice)
                && n_heads == self.n_heads[stage]
                && n_offsets > 0
                && n_offsets.isqrt().pow(2) == n_offsets
            {
                saved.window_sizes[stage] = n_offsets.isqrt();
            }
        }
        if let Some(&[n_classes, dim]) = shapes.get(naming.head).map(Vec::as_slice)
            && dim == self.embed_dims[3]
            && n_classes > 0
        {
            saved.n_classes = n_classes;
        }
        saved
    }
}

/// The weights in `source`, without what a detector knows of its training pictures.
fn opened(source: Source<'_>) -> Result<Checkpoint, Error> {
    let mut checkpoint = Checkpoint::open(source)?;
    if let Some(prefix) = TinyVit::BESIDE {
        checkpoint.take(prefix)?;
    }
    Ok(checkpoint)
}

/// The attention blocks of all stages, in order.
fn blocks(model: &mut TinyVit) -> impl Iterator<Item = &mut TinyVitBlock> {
    let (_, first, second, third) = &mut model.stages;
    [first, second, third].into_iter().flat_map(|stage| stage.blocks.iter_mut())
}

/// Gives `block` the window of `fresh`, its biases resized to it.
fn change_window(block: &mut TinyVitBlock, fresh: &TinyVitBlock) {
    let attn = std::mem::replace(&mut block.attn, fresh.attn.clone());
    let [n_heads, old] = attn.attention_biases.dims();
    let [_, new] = block.attn.attention_biases.dims();
    block.attn.norm = attn.norm;
    block.attn.qkv = attn.qkv;
    block.attn.proj = attn.proj;
    block.attn.attention_biases = if old == new {
        attn.attention_biases
    } else {
        attn.attention_biases.map(|tensor| {
            let (device, tracked) = (tensor.device(), tensor.is_require_grad());
            let biases = tensor.into_data().try_to_vec::<f32>().expect("loaded weights are f32");
            let resized: Vec<f32> = biases
                .chunks_exact(old)
                .flat_map(|table| resized(table, old.isqrt(), new.isqrt()))
                .collect();
            let data = TensorData::new(resized, [n_heads, new]);
            let tensor = burn::tensor::Tensor::from_data(data, &device);
            if tracked { tensor.require_grad() } else { tensor }
        })
    };
}

/// A square table of side `from`, row by row, resampled to the side `to`.
///
/// As PyTorch's `interpolate(mode="bicubic", antialias=True)`, by which timm's
/// `resize_rel_pos_bias_table_levit` brings biases to another window: rows and columns one after
/// the other, with a cubic (a = -1/2) that widens where the table shrinks.
fn resized(table: &[f32], from: usize, to: usize) -> Vec<f32> {
    let weights = resampling_weights(from, to);
    let mut rows = vec![0.0f64; to * from];
    for (out, weights) in rows.chunks_exact_mut(from).zip(&weights) {
        for (row, weight) in table.chunks_exact(from).zip(weights) {
            out.iter_mut().zip(row).for_each(|(sum, &x)| *sum += weight * f64::from(x));
        }
    }
    let cell = |row: &[f64], weights: &[f64]| {
        row.iter().zip(weights).map(|(x, weight)| x * weight).sum::<f64>() as f32
    };
    rows.chunks_exact(from)
        .flat_map(|row| weights.iter().map(move |weights| cell(row, weights)))
        .collect()
}

/// The share of each of `from` samples in each of `to`; every row sums to 1.
fn resampling_weights(from: usize, to: usize) -> Vec<Vec<f64>> {
    let scale = from as f64 / to as f64;
    let width = scale.max(1.0);
    let row = |out: usize| {
        let centre = scale * (out as f64 + 0.5);
        let cubic = |sample: usize| cubic((sample as f64 + 0.5 - centre) / width);
        let weights: Vec<f64> = (0..from).map(cubic).collect();
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / sum).collect()
    };
    (0..to).map(row).collect()
}

/// Keys' cubic convolution kernel with a = -1/2.
fn cubic(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cream_names_become_timm_names() {
        let pairs = [
            ("patch_embed.seq.0.c.weight", "patch_embed.conv1.conv.weight"),
            ("patch_embed.seq.2.bn.running_var", "patch_embed.conv2.bn.running_var"),
            ("layers.0.blocks.1.conv3.c.weight", "stages.0.blocks.1.conv3.conv.weight"),
            ("layers.0.downsample.conv2.bn.bias", "stages.1.downsample.conv2.bn.bias"),
            ("layers.2.downsample.conv1.c.weight", "stages.3.downsample.conv1.conv.weight"),
            ("layers.3.blocks.0.local_conv.c.weight", "stages.3.blocks.0.local_conv.conv.weight"),
            ("layers.1.blocks.0.mlp.norm.weight", "stages.1.blocks.0.mlp.norm.weight"),
            ("norm_head.bias", "head.norm.bias"),
            ("head.bias", "head.fc.bias"),
        ];
        for (cream, timm) in pairs {
            assert_eq!(CREAM.mapping.rename(cream), timm);
            assert_eq!(TIMM.mapping.rename(timm), timm);
        }
    }

    #[test]
    fn resampling_keeps_a_constant_and_its_own_size() {
        let table = [0.5f32, -1.0, 2.0, 0.25];
        assert_eq!(resized(&table, 2, 2), table);
        for to in [1, 3, 5] {
            assert!(resized(&[1.5; 9], 3, to).iter().all(|x| (x - 1.5).abs() < 1e-6));
        }
    }

    #[test]
    fn resampling_keeps_rows_and_columns_apart() {
        let table = [1.0f32, 2.0, 3.0, 4.0];
        let wide = resized(&table, 2, 4);
        let turned = resized(&[1.0, 3.0, 2.0, 4.0], 2, 4);
        for (row, column) in (0..4).flat_map(|row| (0..4).map(move |column| (row, column))) {
            assert!((wide[4 * row + column] - turned[4 * column + row]).abs() < 1e-6);
        }
        assert!(wide[3] > wide[0] && wide[12] > wide[3]);
    }
}
