//! Qwen2-VL's vision tower: patches of pictures of any size to tokens of the decoder.
//!
//! transformers' `Qwen2VisionTransformerPretrainedModel` (`modeling_qwen2_vl.py`, 4.57). The
//! convolution of the patch embedding has the stride of its kernel and is a linear map of flattened
//! patches here.

use burn::tensor::{Tensor, TensorData};
use cifake_vit::{Activation, PreNorm, attend};

use super::config::Qwen2VlVisionConfig;
use super::rotary::PatchRotation;
use crate::error::Error;
use crate::image::{Grid, Patches};
use crate::nn::{Linear, LoraTargets, Norm, NormKind};
use crate::source::{Matrix, WeightSource, tensor};

const NORM_EPSILON: f64 = 1e-6;

/// The vision tower and the merger.
#[derive(Debug, Clone)]
pub struct Qwen2VlVision {
    config: Qwen2VlVisionConfig,
    patch_embed: Matrix,
    blocks: Vec<Block>,
    merger_norm: Norm,
    merger: [Linear; 2],
}

#[derive(Debug, Clone)]
struct Block {
    norm1: Norm,
    qkv: Linear,
    proj: Linear,
    norm2: Norm,
    fc1: Linear,
    fc2: Linear,
    activation: Activation,
    n_heads: usize,
}

impl Qwen2VlVision {
    /// The tower at `path` of `weights`, published as `visual`.
    ///
    /// # Errors
    /// Those of `weights`.
    pub fn new(
        config: Qwen2VlVisionConfig,
        weights: &mut dyn WeightSource,
        path: &str,
    ) -> Result<Self, Error> {
        let (dim, side) = (config.embed_dim, config.patch_size);
        let kernel = [dim, 3, config.temporal_patch_size, side, side];
        let kernel = tensor(weights, &format!("{path}.patch_embed.proj.weight"), kernel)?;
        let patch_embed = Matrix::F32(kernel.reshape([dim, config.form().patch_len()]));
        let block = |i| Block::new(&config, weights, &format!("{path}.blocks.{i}"));
        let blocks = (0..config.depth).map(block).collect::<Result<_, _>>()?;
        let path = format!("{path}.merger");
        let layer = NormKind::Layer;
        let merger_norm = Norm::new(weights, &format!("{path}.ln_q"), dim, layer, NORM_EPSILON)?;
        let merged = dim * config.spatial_merge_size.pow(2);
        let sizes = [[merged, merged], [merged, config.hidden_size]];
        let merger = [
            Linear::new(weights, &format!("{path}.mlp.0"), sizes[0], true)?,
            Linear::new(weights, &format!("{path}.mlp.2"), sizes[1], true)?,
        ];
        Ok(Self { config, patch_embed, blocks, merger_norm, merger })
    }

    /// The configuration of the tower.
    #[must_use]
    pub fn config(&self) -> &Qwen2VlVisionConfig {
        &self.config
    }

    /// Tokens of all pictures of `patches`, one after another, `[tokens, hidden_size]`.
    ///
    /// # Panics
    /// If the patches are of another form than the tower's, or not as many as their grids say.
    #[must_use]
    pub fn forward(&self, patches: &Patches) -> Tensor<2> {
        self.forward_each(patches, &mut |_, _| ())
    }

    /// [`forward`](Self::forward) that shows `seen` each stage by its upstream name:
    /// `patch_embed`, `blocks.0` and so on, `merger`.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn forward_each(
        &self,
        patches: &Patches,
        seen: &mut dyn FnMut(&str, &Tensor<2>),
    ) -> Tensor<2> {
        let Patches { values, form, grids } = patches;
        let patch_len = form.patch_len();
        let n_patches: usize = grids.iter().map(|grid| grid.n_patches()).sum();
        assert_eq!(*form, self.config.form(), "patches of the tower's form");
        assert_eq!(values.len(), n_patches * patch_len, "as many patches as the grids say");
        let device = self.patch_embed.to_tensor().device();
        let data = TensorData::new(values.clone(), [n_patches, patch_len]);
        let mut x = self.patch_embed.product(Tensor::<2>::from_data(data, &device));
        seen("patch_embed", &x);
        let d_head = self.config.embed_dim / self.config.num_heads;
        let rotation = PatchRotation::new(grids, self.config.spatial_merge_size, d_head, &device);
        for (i, block) in self.blocks.iter().enumerate() {
            x = block.forward(x, &rotation, grids);
            seen(&format!("blocks.{i}"), &x);
        }
        let merged = self.merge(x);
        seen("merger", &merged);
        merged
    }

    /// `[patches, embed_dim]` to `[tokens, hidden_size]`: the patches of a block stand side by side.
    fn merge(&self, x: Tensor<2>) -> Tensor<2> {
        let [n_patches, dim] = x.dims();
        let of_block = self.config.spatial_merge_size.pow(2);
        let x = self.merger_norm.forward(x).reshape([n_patches / of_block, dim * of_block]);
        self.merger[1].forward(Activation::Gelu.forward(self.merger[0].forward(x)))
    }
}

impl Block {
    fn new(
        config: &Qwen2VlVisionConfig,
        weights: &mut dyn WeightSource,
        path: &str,
    ) -> Result<Self, Error> {
        let (dim, d_mlp) = (config.embed_dim, config.d_mlp);
        let mut norm = |name: &str| {
            Norm::new(weights, &format!("{path}.{name}"), dim, NormKind::Layer, NORM_EPSILON)
        };
        let (norm1, norm2) = (norm("norm1")?, norm("norm2")?);
        let mut linear =
            |name: &str, sizes| Linear::new(weights, &format!("{path}.{name}"), sizes, true);
        Ok(Self {
            norm1,
            qkv: linear("attn.qkv", [dim, 3 * dim])?,
            proj: linear("attn.proj", [dim, dim])?,
            norm2,
            fc1: linear("mlp.fc1", [dim, d_mlp])?,
            fc2: linear("mlp.fc2", [d_mlp, dim])?,
            activation: config.hidden_act,
            n_heads: config.num_heads,
        })
    }

    fn forward(&self, x: Tensor<2>, rotation: &PatchRotation, grids: &[Grid]) -> Tensor<2> {
        let layers = PreNorm {
            norms: [&self.norm1, &self.norm2],
            mlp: [&self.fc1, &self.fc2],
            activation: self.activation,
            scales: [None, None],
        };
        layers.forward(x, |x| self.attention(x, rotation, grids))
    }

    /// Patches attend to the patches of their own picture, and of a film to those of their own
    /// pair of frames.
    fn attention(&self, x: Tensor<2>, rotation: &PatchRotation, grids: &[Grid]) -> Tensor<2> {
        let [n_patches, dim] = x.dims();
        let d_head = dim / self.n_heads;
        let qkv = self.qkv.forward(x).reshape([n_patches, 3 * self.n_heads, d_head]);
        let part = |i: usize| qkv.clone().narrow(1, i * self.n_heads, self.n_heads);
        let [q, k, v] = [rotation.apply(part(0)), rotation.apply(part(1)), part(2)];
        let mut first = 0;
        let mut outputs = Vec::new();
        for grid in grids {
            let n = grid.height * grid.width;
            for _ in 0..grid.time {
                let heads = |x: &Tensor<3>| -> Tensor<4> {
                    x.clone().narrow(0, first, n).swap_dims(0, 1).unsqueeze()
                };
                let y = attend(heads(&q), heads(&k), heads(&v));
                outputs.push(y.swap_dims(1, 2).reshape([n, dim]));
                first += n;
            }
        }
        self.proj.forward(Tensor::cat(outputs, 0))
    }
}

impl LoraTargets for Qwen2VlVision {
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        for block in &mut self.blocks {
            for linear in [&mut block.qkv, &mut block.proj, &mut block.fc1, &mut block.fc2] {
                visit(linear);
            }
        }
        self.merger.iter_mut().for_each(visit);
    }
}
