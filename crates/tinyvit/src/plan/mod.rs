//! A TinyViT turned into an immutable plan for the CPU: batch norms folded into convolutions,
//! weights packed once, and every step arranged so that what one layer leaves in the cache the next
//! one reads there.
//!
//! A batch of at least as many pictures as threads is split among them, and each thread runs the
//! whole network on its part; a smaller one is split within each step. A picture's result
//! depends on neither.

mod block;
mod fold;
mod inverted;
mod scratch;
mod spread;

use burn::tensor::{Tensor, TensorData};
use cifake::{Classifier, EmbeddingClassifier, class_scores};
use cifake_kernels::packed::{Conv3x3, Finish, LayerNorm, Linear};
use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::{ParallelSlice, ParallelSliceMut};

use crate::config::TinyVitConfig;
use crate::model::TinyVit;
use block::Block;
use inverted::Inverted;
use scratch::{Maps, Pool, Scratch};
use spread::Spread;

/// Pictures that one thread takes through the network together: enough that the weights are read
/// from memory once for many of them.
const UNIT: usize = 16;
/// Elements of the first map of a unit, at most: 4 MB.
const UNIT_ELEMENTS: usize = 1 << 20;

/// A TinyViT for inference on the CPU: [`TinyVit::compile`].
///
/// It can be shared between threads and works in rayon's current thread pool. Buffers are kept from
/// call to call.
///
/// An unoptimized build needs more than the 2 MiB of stack that a thread has by default: run it in a pool of
/// [`cifake::Threads`], as a [`Detector`](cifake::Detector) does.
#[derive(Debug)]
pub struct Plan {
    stem: [Conv3x3; 2],
    stages: Vec<Stage>,
    norm: LayerNorm,
    head: Linear,
    config: TinyVitConfig,
    maps: Pool<Maps>,
    scratch: Pool<Scratch>,
}

const _: () = {
    const fn assert_shareable<T: Send + Sync>() {}
    assert_shareable::<Plan>();
};

/// Convolutional blocks or a merging, then attention blocks, on a square map.
#[derive(Debug)]
struct Stage {
    convolutions: Vec<Inverted>,
    blocks: Vec<Block>,
    /// Side of the map that it reads and of the one that it leaves.
    sides: [usize; 2],
}

impl TinyVit {
    /// The plan of this model, which was built from `config`, with its weights as they are now.
    #[must_use]
    pub fn compile(&self, config: &TinyVitConfig) -> Plan {
        let map_sizes = config.map_sizes();
        let convolutions = self.stages.0.blocks.iter().map(fold::mbconv).collect();
        let first = Stage { convolutions, blocks: Vec::new(), sides: [map_sizes[0]; 2] };
        let later = [&self.stages.1, &self.stages.2, &self.stages.3];
        let later = later.into_iter().enumerate().map(|(i, stage)| {
            let sides = [map_sizes[i], map_sizes[i + 1]];
            let blocks = stage.blocks.iter().map(|block| fold::block(block, sides[1])).collect();
            Stage { convolutions: vec![fold::merging(&stage.downsample)], blocks, sides }
        });
        Plan {
            stem: fold::stem(&self.patch_embed),
            stages: std::iter::once(first).chain(later).collect(),
            norm: fold::layer_norm(&self.head.norm),
            head: fold::linear(&self.head.fc),
            config: config.clone(),
            maps: Pool::default(),
            scratch: Pool::default(),
        }
    }
}

impl Plan {
    /// Shape of the model.
    #[must_use]
    pub fn config(&self) -> &TinyVitConfig {
        &self.config
    }

    /// Outputs of the head, `[batch, n_classes]`, of `images`, `[batch, 3, height, width]`, RGB, in
    /// `[0, 1]`, of the configured size.
    ///
    /// # Panics
    ///
    /// If `images` holds no whole number of pictures.
    #[must_use]
    pub fn run(&self, images: &[f32]) -> Vec<f32> {
        self.run_with_features(images).0
    }

    /// As [`run`](Self::run), with the last features, `[batch, dim]`: the mean token after its norm, which the
    /// head reads.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    #[must_use]
    pub fn run_with_features(&self, images: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let image_len = self.config.image_size.pow(2) * 3;
        let batch = images.len() / image_len;
        assert_eq!(images.len(), batch * image_len, "whole pictures of the model's size");
        let [dim, n_classes] = [self.head.d_input(), self.head.d_output()];
        let (mut outputs, mut features) = (vec![0.0; batch * n_classes], vec![0.0; batch * dim]);
        let n_threads = rayon::current_num_threads();
        if n_threads > 1 && batch < n_threads {
            let images = images.chunks_exact(image_len);
            let answers = outputs.chunks_exact_mut(n_classes).zip(features.chunks_exact_mut(dim));
            for (image, (outputs, features)) in images.zip(answers) {
                self.run_unit(image, Spread::Pool, outputs, features);
            }
            return (outputs, features);
        }
        let unit = batch.div_ceil(n_threads).clamp(1, self.unit());
        images
            .par_chunks(unit * image_len)
            .zip(outputs.par_chunks_mut(unit * n_classes))
            .zip(features.par_chunks_mut(unit * dim))
            .for_each(|((images, outputs), features)| {
                self.run_unit(images, Spread::Alone, outputs, features);
            });
        (outputs, features)
    }

    /// Pictures of a unit, at most.
    fn unit(&self) -> usize {
        let first_map = self.config.map_sizes()[0].pow(2) * self.config.embed_dims[0];
        (UNIT_ELEMENTS / first_map).clamp(1, UNIT)
    }

    fn run_unit(&self, images: &[f32], spread: Spread, outputs: &mut [f32], features: &mut [f32]) {
        let batch = outputs.len() / self.head.d_output();
        let mut maps = self.maps.take();
        let Maps { current, next, wide, .. } = &mut *maps;
        self.normalize(images, wide);
        self.embed(batch, spread, wide, next, current);
        for stage in &self.stages {
            let [mut side, out_side] = stage.sides;
            for convolution in &stage.convolutions {
                let len = batch * out_side.pow(2) * convolution.d_output();
                next.resize(len, 0.0);
                convolution.run(current, side, spread, &self.scratch, next);
                std::mem::swap(current, next);
                side = out_side;
            }
            for block in &stage.blocks {
                block.attend(current, spread, &self.scratch, wide, next);
                block.transform(next, spread, &self.scratch, current);
            }
        }
        self.classify(current, batch, outputs, features);
    }

    /// Planes of pixels to what the stem reads, `[batch, height, width, 3]`.
    fn normalize(&self, images: &[f32], out: &mut Vec<f32>) {
        let normalization = &self.config.normalization;
        let plane = self.config.image_size.pow(2);
        out.resize(images.len(), 0.0);
        for (image, out) in images.chunks_exact(3 * plane).zip(out.chunks_exact_mut(3 * plane)) {
            for (c, values) in image.chunks_exact(plane).enumerate() {
                let (mean, scale) = (normalization.mean[c], normalization.std[c].recip());
                for (pixel, value) in out.chunks_exact_mut(3).zip(values) {
                    pixel[c] = (value - mean) * scale;
                }
            }
        }
    }

    /// The stem: `pixels` to the first map in `out`, through `middle`.
    fn embed(
        &self,
        batch: usize,
        spread: Spread,
        pixels: &[f32],
        middle: &mut Vec<f32>,
        out: &mut Vec<f32>,
    ) {
        let [first, second] = &self.stem;
        let side = self.config.image_size;
        let half = side.div_ceil(first.stride());
        let last = half.div_ceil(second.stride());
        middle.resize(batch * half * half * first.n_out(), 0.0);
        convolve(first, pixels, side, true, spread, &self.scratch, middle);
        out.resize(batch * last * last * second.n_out(), 0.0);
        convolve(second, middle, half, false, spread, &self.scratch, out);
    }

    /// The last map to the features that the head reads, and to its outputs.
    fn classify(&self, map: &[f32], batch: usize, outputs: &mut [f32], features: &mut [f32]) {
        let dim = self.head.d_input();
        let n_tokens = map.len() / (batch * dim);
        let mut pooled = vec![0.0f32; batch * dim];
        for (pooled, map) in pooled.chunks_exact_mut(dim).zip(map.chunks_exact(n_tokens * dim)) {
            for token in map.chunks_exact(dim) {
                pooled.iter_mut().zip(token).for_each(|(sum, v)| *sum += v);
            }
            pooled.iter_mut().for_each(|sum| *sum /= n_tokens as f32);
        }
        self.norm.apply(&pooled, features);
        self.head.apply(features, Finish::Store, outputs);
    }
}

/// Class scores on whatever device the pictures are; they are computed on the CPU.
///
/// # Panics
///
/// If the model's head has neither one output nor two.
impl Classifier for Plan {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        let device = images.device();
        let batch = images.dims()[0];
        let images = images.into_data().convert::<f32>();
        let outputs = self.run(images.as_slice().expect("they were converted to f32"));
        let shape = [batch, self.head.d_output()];
        class_scores(Tensor::from_data(TensorData::new(outputs, shape), &device))
    }
}

/// As [`Classifier`], with the last features of [`run_with_features`](Plan::run_with_features).
impl EmbeddingClassifier for Plan {
    fn logits_and_embedding(&self, images: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        let device = images.device();
        let batch = images.dims()[0];
        let images = images.into_data().convert::<f32>();
        let (outputs, features) =
            self.run_with_features(images.as_slice().expect("they were converted to f32"));
        let tensor = |values: Vec<f32>, width: usize| {
            Tensor::from_data(TensorData::new(values, [batch, width]), &device)
        };
        let outputs = tensor(outputs, self.head.d_output());
        (class_scores(outputs), tensor(features, self.head.d_input()))
    }
}

/// Rows of a dense convolution's output that are computed together: about this many pixels.
const CONV_PIXELS: usize = 96;

fn convolve(
    layer: &Conv3x3,
    images: &[f32],
    side: usize,
    gelu: bool,
    spread: Spread,
    scratch: &Pool<Scratch>,
    out: &mut [f32],
) {
    let out_side = side.div_ceil(layer.stride());
    let out_row = out_side * layer.n_out();
    let batch = out.len() / (out_side * out_row);
    let image_len = images.len() / batch;
    let rows = (CONV_PIXELS / out_side).clamp(1, out_side);
    // An image's last tile may be lower, so images are split first.
    for (image, out) in images.chunks_exact(image_len).zip(out.chunks_exact_mut(out_side * out_row))
    {
        spread.for_each(out, rows * out_row, scratch, |i, out, scratch| {
            layer.apply_rows(image, side, i * rows, gelu, &mut scratch.patches, out);
        });
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Int, Tensor};
    use cifake::Classifier;

    use crate::{Plan, TinyVit, TinyVitConfig};

    /// Relative to the largest output: single precision, sums in another order.
    const LIMIT: f32 = 1e-5;

    fn images(batch: usize, side: usize) -> Tensor<4> {
        let len = (batch * 3 * side * side) as i64;
        let ramp = Tensor::<1, Int>::arange(0..len, &Device::flex()).float();
        (ramp * 0.37).sin().reshape([batch, 3, side, side]) * 0.5 + 0.5
    }

    fn numbers(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().try_to_vec().expect("f32")
    }

    /// Outputs, then features.
    fn run(plan: &Plan, images: &Tensor<4>, n_threads: usize) -> [Vec<f32>; 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build();
        let images = images.to_data();
        let images = images.as_slice().expect("f32");
        let (outputs, features) =
            pool.expect("threads start").install(|| plan.run_with_features(images));
        assert_eq!(plan.run(images), outputs);
        [outputs, features]
    }

    #[track_caller]
    fn assert_same(model: &TinyVit, config: &TinyVitConfig, batch: usize) {
        let images = images(batch, config.image_size);
        let plan = model.compile(config);
        let (outputs, features) = model.forward_with_features(images.clone());
        let theirs = [outputs, features].map(numbers);
        assert_eq!(numbers(model.forward(images.clone())), theirs[0]);
        let ours = run(&plan, &images, 1);
        for ((ours, theirs), of) in ours.iter().zip(&theirs).zip(["output", "feature"]) {
            let scale = theirs.iter().fold(0f32, |max, v| max.max(v.abs()));
            assert_eq!(ours.len(), theirs.len());
            for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
                assert!((a - b).abs() <= LIMIT * scale, "{}, {of} {i}: {a}, not {b}", config.name);
            }
        }
        for n_threads in [2, 3, 5] {
            assert_eq!(run(&plan, &images, n_threads), ours, "on {n_threads} threads");
        }
    }

    #[test]
    fn outputs_are_those_of_the_module_on_any_number_of_threads() {
        let native = TinyVitConfig::native();
        let mut odd = native.clone().with_image_size(37).with_n_classes(3);
        odd.name = "odd".to_owned();
        odd.embed_dims = [20, 36, 42, 60];
        odd.n_heads = [1, 2, 3, 4];
        odd.window_sizes = [7, 5, 4, 3];
        odd.stem_dim = 7;
        for config in [
            native,
            odd,
            TinyVitConfig::native_large().with_n_classes(2),
            // Windows of 14 over a map of 4: padded, as timm does.
            TinyVitConfig::tiny_vit_5m().with_image_size(64),
        ] {
            let model = config.init(3, &Device::flex());
            assert_same(&model, &config, 3);
        }
    }

    #[test]
    fn published_size_gives_the_outputs_of_the_module() {
        let config = TinyVitConfig::tiny_vit_5m();
        assert_same(&config.init(4, &Device::flex()), &config, 1);
    }

    #[test]
    fn a_picture_gives_the_same_in_every_batch() {
        let config = TinyVitConfig::native();
        let plan = config.init(5, &Device::flex()).compile(&config);
        let images = images(35, 32);
        let together = numbers(plan.logits(images.clone()));
        let alone = images.chunk(35, 0).into_iter().flat_map(|image| numbers(plan.logits(image)));
        assert_eq!(together, alone.collect::<Vec<_>>());
    }
}
