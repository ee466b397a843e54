//! From the layers of a module to packed ones: batch norms go into the convolutions before them,
//! the scale of attention into the queries.

use burn::module::Param;
use burn::nn;
use burn::tensor::Tensor;
use cifake_kernels::ConvNorm;
use cifake_kernels::packed::{
    Conv3x3, DepthwiseConv3x3, INNER_BLOCK, LayerNorm, Linear, WindowAttention,
};

use super::block::{Block, Windows};
use super::inverted::Inverted;
use crate::LAYER_NORM_EPSILON;
use crate::block::TinyVitBlock;
use crate::conv::{MbConv, PatchEmbed, PatchMerging};

/// The numbers of a tensor, row by row.
fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data().convert::<f32>();
    data.try_to_vec().expect("it was converted to f32")
}

fn bias(layer: &nn::Linear) -> Vec<f32> {
    let bias = layer.bias.as_ref().expect("every linear layer of a TinyViT has a bias");
    numbers(bias.val())
}

/// `[out, in]`, where burn stores `[in, out]`.
fn weight(layer: &nn::Linear) -> Vec<f32> {
    numbers(layer.weight.val().transpose())
}

pub(super) fn linear(layer: &nn::Linear) -> Linear {
    Linear::new(&weight(layer), &bias(layer))
}

pub(super) fn layer_norm(layer: &nn::LayerNorm) -> LayerNorm {
    let beta = layer.beta.as_ref().map(Param::val);
    let beta = beta.expect("every layer norm of a TinyViT has a bias");
    LayerNorm::new(&numbers(layer.gamma.val()), &numbers(beta), LAYER_NORM_EPSILON as f32)
}

/// Weight and bias of a convolution with the batch norm behind it folded in.
fn folded(layer: &ConvNorm) -> (Vec<f32>, Vec<f32>) {
    let bn = &layer.bn;
    let [gamma, beta] = [&bn.gamma, &bn.beta].map(|param| numbers(param.val()));
    let [mean, variance] = [&bn.running_mean, &bn.running_var].map(|state| numbers(state.value()));
    let mut weight = numbers(layer.conv.weight.val());
    let filter_len = weight.len() / gamma.len();
    let mut bias = Vec::with_capacity(gamma.len());
    for (c, filter) in weight.chunks_exact_mut(filter_len).enumerate() {
        let scale = f64::from(gamma[c]) / (f64::from(variance[c]) + bn.epsilon).sqrt();
        for v in filter {
            *v = (f64::from(*v) * scale) as f32;
        }
        bias.push((f64::from(beta[c]) - f64::from(mean[c]) * scale) as f32);
    }
    (weight, bias)
}

fn pointwise(layer: &ConvNorm) -> Linear {
    let (weight, bias) = folded(layer);
    Linear::new(&weight, &bias)
}

fn depthwise(layer: &ConvNorm) -> DepthwiseConv3x3 {
    let (weight, bias) = folded(layer);
    DepthwiseConv3x3::new(&weight, &bias, layer.conv.stride[0])
}

pub(super) fn stem(stem: &PatchEmbed) -> [Conv3x3; 2] {
    [&stem.conv1, &stem.conv2].map(|layer| {
        let (weight, bias) = folded(layer);
        let n_in = weight.len() / bias.len() / 9;
        Conv3x3::new(&weight, &bias, n_in, layer.conv.stride[0])
    })
}

pub(super) fn mbconv(block: &MbConv) -> Inverted {
    Inverted {
        widen: pointwise(&block.conv1),
        depthwise: depthwise(&block.conv2),
        narrow: pointwise(&block.conv3),
        has_shortcut: true,
    }
}

pub(super) fn merging(merging: &PatchMerging) -> Inverted {
    Inverted {
        widen: pointwise(&merging.conv1),
        depthwise: depthwise(&merging.conv2),
        narrow: pointwise(&merging.conv3),
        has_shortcut: false,
    }
}

/// The block on a map of `side`.
pub(super) fn block(block: &TinyVitBlock, side: usize) -> Block {
    let attention = &block.attn;
    let biases = attention.bias();
    let [n_heads, n_tokens, _] = biases.dims();
    let head_dim = attention.qkv.weight.dims()[1] / (3 * n_heads);
    Block {
        norm: layer_norm(&attention.norm),
        qkv: scaled_qkv(&attention.qkv, head_dim),
        attention: WindowAttention::new(&numbers(biases), n_heads, head_dim),
        proj: linear(&attention.proj),
        windows: Windows::new(side, n_tokens.isqrt()),
        local: depthwise(&block.local_conv),
        mlp_norm: layer_norm(&block.mlp.norm),
        mlp: mlp_parts(&block.mlp.fc1, &block.mlp.fc2),
    }
}

/// Queries, keys and values of every head, the queries divided by the root of their length.
fn scaled_qkv(layer: &nn::Linear, head_dim: usize) -> Linear {
    let (mut weight, mut bias) = (weight(layer), bias(layer));
    let d_input = weight.len() / bias.len();
    let scale = (head_dim as f32).sqrt().recip();
    let is_query = |output: usize| (output / head_dim).is_multiple_of(3);
    for (output, row) in weight.chunks_exact_mut(d_input).enumerate() {
        if is_query(output) {
            row.iter_mut().for_each(|v| *v *= scale);
        }
    }
    for (output, v) in bias.iter_mut().enumerate() {
        if is_query(output) {
            *v *= scale;
        }
    }
    Linear::new(&weight, &bias)
}

/// An MLP by parts of its wide side, each a block of the kernel's inner dimension, so that the sums
/// are not split once more; the last bias is added once.
fn mlp_parts(fc1: &nn::Linear, fc2: &nn::Linear) -> Vec<[Linear; 2]> {
    let (into, into_bias) = (weight(fc1), bias(fc1));
    let (out_of, out_bias) = (weight(fc2), bias(fc2));
    let wide = into_bias.len();
    let dim = out_bias.len();
    (0..wide)
        .step_by(INNER_BLOCK)
        .map(|start| {
            let end = (start + INNER_BLOCK).min(wide);
            let widen = Linear::new(&into[start * dim..end * dim], &into_bias[start..end]);
            let columns: Vec<f32> =
                out_of.chunks_exact(wide).flat_map(|row| &row[start..end]).copied().collect();
            let bias = if start == 0 { out_bias.clone() } else { vec![0.0; dim] };
            [widen, Linear::new(&columns, &bias)]
        })
        .collect()
}
