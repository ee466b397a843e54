//! SigLIP's vision tower: squares of one size to features of patches.
//!
//! transformers' `SiglipVisionModel` (`modeling_siglip.py`, 5.24) without the pooling head. MC-LLaVA reads
//! the last layer, PaliGemma the norm behind it.

use burn::tensor::Tensor;
use cifake_vit::{Activation, PreNorm, multi_head, patches};

use super::config::SiglipVisionConfig;
use crate::error::Error;
use crate::nn::{Linear, LoraTargets, Norm, NormKind};
use crate::source::{Matrix, WeightSource, tensor};

/// The vision tower.
#[derive(Debug, Clone)]
pub struct SiglipVision {
    config: SiglipVisionConfig,
    patch_embedding: Matrix,
    patch_bias: Tensor<1>,
    /// `[patches, hidden_size]`.
    position_embedding: Tensor<2>,
    layers: Vec<Layer>,
    /// Behind the last layer, where it is read.
    post_layernorm: Option<Norm>,
}

#[derive(Debug, Clone)]
struct Layer {
    layer_norm1: Norm,
    /// Query, key, value and output.
    attention: [Linear; 4],
    layer_norm2: Norm,
    fc1: Linear,
    fc2: Linear,
    activation: Activation,
    n_heads: usize,
}

impl SiglipVision {
    /// The tower at `path` of `weights`, which ends in `vision_model` as published, without a norm behind the
    /// last layer.
    ///
    /// # Errors
    /// Those of `weights`.
    pub fn new(
        config: SiglipVisionConfig,
        weights: &mut dyn WeightSource,
        path: &str,
    ) -> Result<Self, Error> {
        let (dim, side) = (config.hidden_size, config.patch_size);
        let embeddings = format!("{path}.embeddings");
        let name = format!("{embeddings}.patch_embedding");
        let kernel = tensor(weights, &format!("{name}.weight"), [dim, 3, side, side])?;
        let patch_embedding = Matrix::F32(kernel.reshape([dim, config.patch_len()]));
        let patch_bias = tensor(weights, &format!("{name}.bias"), [dim])?;
        let name = format!("{embeddings}.position_embedding.weight");
        let position_embedding = tensor(weights, &name, [config.n_patches(), dim])?;
        let layer = |i| Layer::new(&config, weights, &format!("{path}.encoder.layers.{i}"));
        let layers = (0..config.num_hidden_layers).map(layer).collect::<Result<_, _>>()?;
        let post_layernorm = None;
        Ok(Self { config, patch_embedding, patch_bias, position_embedding, layers, post_layernorm })
    }

    /// [`new`](Self::new) with the norm behind the last layer.
    ///
    /// # Errors
    /// Those of `weights`.
    pub fn with_post_norm(
        config: SiglipVisionConfig,
        weights: &mut dyn WeightSource,
        path: &str,
    ) -> Result<Self, Error> {
        let tower = Self::new(config, weights, path)?;
        let (dim, epsilon) = (tower.config.hidden_size, tower.config.layer_norm_eps);
        let path = format!("{path}.post_layernorm");
        let norm = Norm::new(weights, &path, dim, NormKind::Layer, epsilon)?;
        Ok(Self { post_layernorm: Some(norm), ..tower })
    }

    /// Whether `name`, relative to the tower, is a weight that a checkpoint has and a tower without a norm
    /// behind the last layer does not use.
    #[must_use]
    pub fn is_unused(name: &str) -> bool {
        name.starts_with("post_layernorm.") || Self::is_head(name)
    }

    /// Whether `name`, relative to the tower, is a weight of the pooling head, which no tower here uses.
    #[must_use]
    pub fn is_head(name: &str) -> bool {
        name.starts_with("head.")
    }

    /// The configuration of the tower.
    #[must_use]
    pub fn config(&self) -> &SiglipVisionConfig {
        &self.config
    }

    /// The last layer's features of `images`, `[batch, 3, image_size, image_size]`, normalized:
    /// `[batch, patches, hidden_size]`, behind the post-norm if the tower has it.
    ///
    /// # Panics
    /// If the images are of another size than the tower's.
    #[must_use]
    pub fn forward(&self, images: Tensor<4>) -> Tensor<3> {
        self.forward_each(images, &mut |_, _| ())
    }

    /// [`forward`](Self::forward) that shows `seen` each stage by its upstream name: `embeddings`,
    /// `encoder.layers.0` and so on, and `post_layernorm`.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn forward_each(
        &self,
        images: Tensor<4>,
        seen: &mut dyn FnMut(&str, &Tensor<3>),
    ) -> Tensor<3> {
        let side = self.config.image_size;
        assert_eq!(images.dims()[1..], [3, side, side], "images of the tower's size");
        let bias = self.patch_bias.clone().unsqueeze();
        let positions = self.position_embedding.clone().unsqueeze();
        let patches = patches(images, self.config.patch_size);
        let mut x = self.patch_embedding.product(patches) + bias + positions;
        seen("embeddings", &x);
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(x);
            seen(&format!("encoder.layers.{i}"), &x);
        }
        if let Some(norm) = &self.post_layernorm {
            x = norm.forward(x);
            seen("post_layernorm", &x);
        }
        x
    }
}

impl Layer {
    fn new(
        config: &SiglipVisionConfig,
        weights: &mut dyn WeightSource,
        path: &str,
    ) -> Result<Self, Error> {
        let (dim, d_mlp) = (config.hidden_size, config.intermediate_size);
        let epsilon = config.layer_norm_eps;
        let mut norm = |name: &str| {
            Norm::new(weights, &format!("{path}.{name}"), dim, NormKind::Layer, epsilon)
        };
        let (layer_norm1, layer_norm2) = (norm("layer_norm1")?, norm("layer_norm2")?);
        let mut linear =
            |name: &str, sizes| Linear::new(weights, &format!("{path}.{name}"), sizes, true);
        Ok(Self {
            layer_norm1,
            attention: [
                linear("self_attn.q_proj", [dim, dim])?,
                linear("self_attn.k_proj", [dim, dim])?,
                linear("self_attn.v_proj", [dim, dim])?,
                linear("self_attn.out_proj", [dim, dim])?,
            ],
            layer_norm2,
            fc1: linear("mlp.fc1", [dim, d_mlp])?,
            fc2: linear("mlp.fc2", [d_mlp, dim])?,
            activation: config.hidden_act,
            n_heads: config.num_attention_heads,
        })
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let layers = PreNorm {
            norms: [&self.layer_norm1, &self.layer_norm2],
            mlp: [&self.fc1, &self.fc2],
            activation: self.activation,
            scales: [None, None],
        };
        layers.forward(x, |x| self.attend(x))
    }

    fn attend(&self, x: Tensor<3>) -> Tensor<3> {
        let [query, key, value, output] = &self.attention;
        let parts = [query, key, value].map(|linear| linear.forward(x.clone()));
        output.forward(multi_head(parts, self.n_heads))
    }
}

impl LoraTargets for SiglipVision {
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        for layer in &mut self.layers {
            layer.attention.iter_mut().for_each(&mut *visit);
            visit(&mut layer.fc1);
            visit(&mut layer.fc2);
        }
    }
}
