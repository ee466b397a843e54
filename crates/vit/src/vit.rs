//! The network.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};

use crate::block::Block;
use crate::kept::Kept;
use crate::pre_norm::{Norm, RowMap};
use crate::{LastNorm, Pooling, VitConfig, patches};

/// A vision transformer (Dosovitskiy et al. 2021, arXiv 2010.11929) without a classifier. Names of weights are
/// timm's.
#[derive(Module, Debug)]
pub struct Vit {
    /// Of the patches.
    pub patch_embed: PatchEmbed,
    /// `[1, 1, dim]`.
    pub cls_token: Option<Param<Tensor<3>>>,
    /// Of all tokens, row by row, `[1, tokens, dim]`.
    pub pos_embed: Param<Tensor<3>>,
    /// Before the first block.
    pub norm_pre: Option<LayerNorm>,
    /// The blocks.
    pub blocks: Vec<Block>,
    /// Of the tokens, after the last block.
    pub norm: Option<LayerNorm>,
    /// Of the pooled token.
    pub fc_norm: Option<LayerNorm>,
    /// To the embedding.
    pub projection: Option<Linear>,
    #[module(skip)]
    config: VitConfig,
}

/// A convolution whose stride is the side of its kernel.
#[derive(Module, Debug)]
pub struct PatchEmbed {
    /// `[dim, 3, patch, patch]`.
    pub proj: Conv2d,
}

impl VitConfig {
    /// A network of this configuration, which must be [valid](Self::validate), with any weights.
    #[must_use]
    pub fn build(&self, device: &Device) -> Vit {
        let Self { dim, patch, epsilon, .. } = *self;
        let norm = |is_there: bool| {
            is_there.then(|| LayerNormConfig::new(dim).with_epsilon(epsilon).init(device))
        };
        let proj = Conv2dConfig::new([3, dim], [patch; 2]).with_stride([patch; 2]);
        let projection = |out| LinearConfig::new(dim, out).with_bias(false).init(device);
        let zeros = |shape: [usize; 3]| Param::from_tensor(Tensor::<3>::zeros(shape, device));
        Vit {
            patch_embed: PatchEmbed { proj: proj.with_bias(self.patch_bias).init(device) },
            cls_token: self.class_token.then(|| zeros([1, 1, dim])),
            pos_embed: zeros([1, self.n_tokens(), dim]),
            norm_pre: norm(self.pre_norm),
            blocks: (0..self.depth).map(|_| Block::new(self, device)).collect(),
            norm: norm(self.last_norm == LastNorm::Tokens),
            fc_norm: norm(self.last_norm == LastNorm::Pooled),
            projection: self.projection.map(projection),
            config: self.clone(),
        }
    }
}

impl Vit {
    /// The configuration that it was built from.
    #[must_use]
    pub fn config(&self) -> &VitConfig {
        &self.config
    }

    /// The embedding of `images`, `[batch, embedding_dim]`.
    ///
    /// `images` are `[batch, 3, side, side]`, RGB, in `[0, 1]`; normalization happens inside.
    ///
    /// # Panics
    /// If the images are of another size than the configuration's.
    #[must_use]
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward_each(images, &mut |_, _| ())
    }

    /// [`forward`](Self::forward) that shows `seen` the tokens after each stage by its name: `embed`,
    /// `blocks.0` and so on, and `tokens` after the last norm, if it stands before the pooling.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn forward_each(
        &self,
        images: Tensor<4>,
        seen: &mut dyn FnMut(&str, &Tensor<3>),
    ) -> Tensor<2> {
        let mut x = self.embed(images);
        seen("embed", &x);
        for (at, block) in self.blocks.iter().enumerate() {
            x = block.forward(x, [None, None]);
            seen(&format!("blocks.{at}"), &x);
        }
        let x = self.normed(x);
        seen("tokens", &x);
        self.pooled(x)
    }

    /// All tokens after the last block, normalized where the last norm stands before the pooling:
    /// `[batch, tokens, dim]`, the class token first.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    #[must_use]
    pub fn tokens(&self, images: Tensor<4>) -> Tensor<3> {
        let forward = |x, block: &Block| block.forward(x, [None, None]);
        self.normed(self.blocks.iter().fold(self.embed(images), forward))
    }

    /// As [`forward`](Self::forward), in training: `kept` holds the [factors](Kept) of each block, or nothing.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    #[must_use]
    pub fn forward_train(&self, images: Tensor<4>, kept: Vec<Kept>) -> Tensor<2> {
        let kept = kept.into_iter().chain(std::iter::repeat([None, None]));
        let forward = |x, (block, kept): (&Block, Kept)| block.forward(x, kept);
        self.pool(self.blocks.iter().zip(kept).fold(self.embed(images), forward))
    }

    /// The tokens before the first block, `[batch, tokens, dim]`.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    #[must_use]
    pub fn embed(&self, images: Tensor<4>) -> Tensor<3> {
        let VitConfig { side, patch, dim, .. } = self.config;
        assert_eq!(images.dims()[1..], [3, side, side], "pictures of the network's size");
        let batch = images.dims()[0];
        let kernel = self.patch_embed.proj.weight.val().reshape([dim, 3 * patch * patch]);
        let bias = self.patch_embed.proj.bias.as_ref().map(|bias| bias.val());
        let squares = patches(self.normalize(images), patch);
        let mut x = cifake_kernels::linear_t(squares, kernel, bias);
        if let Some(token) = &self.cls_token {
            x = Tensor::cat(vec![token.val().expand([batch, 1, dim]), x], 1);
        }
        let x = x + self.pos_embed.val();
        match &self.norm_pre {
            Some(layer) => self.norm(layer).map_rows(x),
            None => x,
        }
    }

    /// The embedding of the tokens after the last block.
    #[must_use]
    pub fn pool(&self, x: Tensor<3>) -> Tensor<2> {
        self.pooled(self.normed(x))
    }

    fn normalize(&self, images: Tensor<4>) -> Tensor<4> {
        let [mean, std] = [self.config.mean, self.config.std].map(|values| {
            let data = TensorData::from(values);
            Tensor::<1>::from_data(data, &images.device()).reshape([1, 3, 1, 1])
        });
        (images - mean) / std
    }

    fn norm<'a>(&self, layer: &'a LayerNorm) -> Norm<'a> {
        Norm { layer, epsilon: self.config.epsilon }
    }

    fn normed(&self, x: Tensor<3>) -> Tensor<3> {
        match &self.norm {
            Some(layer) => self.norm(layer).map_rows(x),
            None => x,
        }
    }

    fn pooled(&self, x: Tensor<3>) -> Tensor<2> {
        let [batch, tokens, dim] = x.dims();
        let token = match self.config.pooling {
            Pooling::ClassToken => x.narrow(1, 0, 1),
            Pooling::Mean => {
                let first = usize::from(self.config.class_token);
                x.narrow(1, first, tokens - first).mean_dim(1)
            }
        };
        let mut embedding = token.reshape([batch, dim]);
        if let Some(layer) = &self.fc_norm {
            embedding = self.norm(layer).map_rows(embedding);
        }
        match &self.projection {
            Some(projection) => projection.map_rows(embedding),
            None => embedding,
        }
    }
}
