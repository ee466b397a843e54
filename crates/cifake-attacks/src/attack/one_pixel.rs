//! The one-pixel attack (Su et al. 2019, arXiv 1710.08864).

use burn::tensor::{Tensor, TensorData};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use rayon::iter::{IntoParallelRefMutIterator, ParallelIterator};
use serde::Serialize;

use crate::Error;
use crate::kit::{Attack, Goal, Perturbed, SampleRng, Samples, TargetModel, margins_of, values};

/// Candidates in one batch for the model.
const CHUNK: usize = 512;

/// Differential evolution over the position and color of `n_pixels` pixels (Su et al. 2019, arXiv
/// 1710.08864).
///
/// The variant is DE/rand/1 without crossover; a child replaces the parent of its own number. It
/// needs answers alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OnePixel {
    /// Number of pixels to change.
    pub n_pixels: usize,
    /// Candidates of a generation, at least 4.
    pub population: usize,
    /// Maximum number of generations.
    pub generations: usize,
    /// Weight of the difference of two parents (F in the paper).
    pub mutation: f32,
    /// The label that the attack aims for.
    pub goal: Goal,
}

impl OnePixel {
    /// The values of the paper: one pixel, 400 candidates, 100 generations, weight 0.5.
    #[must_use]
    pub fn new() -> Self {
        let goal = Goal::Untargeted;
        Self { n_pixels: 1, population: 400, generations: 100, mutation: 0.5, goal }
    }

    /// Sets the number of pixels.
    #[must_use]
    pub fn with_pixels(self, n_pixels: usize) -> Self {
        Self { n_pixels, ..self }
    }

    /// Sets the size of a generation and the maximum number of generations.
    #[must_use]
    pub fn with_budget(self, population: usize, generations: usize) -> Self {
        Self { population, generations, ..self }
    }

    /// The margin at which a sample stops: the true class below 5 %, or the target above 90 %.
    fn enough(&self) -> f32 {
        let share: f32 = match self.goal {
            Goal::Untargeted => 0.95,
            Goal::Targeted(_) => 0.9,
        };
        (share / (1.0 - share)).ln()
    }
}

impl Default for OnePixel {
    fn default() -> Self {
        Self::new()
    }
}

/// Position and color of one pixel: row and column as shares of the sides, RGB in `[0, 1]`.
type Gene = [f32; 5];

/// The search on one sample.
struct Evolution<'a> {
    index: usize,
    origin: &'a [f32],
    rng: SampleRng,
    parents: Vec<Vec<Gene>>,
    margins: Vec<f32>,
    children: Vec<Vec<Gene>>,
}

impl Evolution<'_> {
    fn best(&self) -> usize {
        let better = |a: &usize, b: &usize| self.margins[*a].total_cmp(&self.margins[*b]);
        (0..self.margins.len()).max_by(better).unwrap_or(0)
    }

    /// `a + mutation (b - c)` of three other parents, for each place.
    fn breed(&mut self, mutation: f32) {
        let n = self.parents.len();
        let rng = &mut self.rng;
        let parents = &self.parents;
        self.children = (0..n)
            .map(|place| {
                let [a, b, c] = others(rng, n, place).map(|i| &parents[i]);
                let gene = |(a, (b, c)): (&Gene, (&Gene, &Gene))| {
                    std::array::from_fn(|i| (a[i] + mutation * (b[i] - c[i])).clamp(0.0, 1.0))
                };
                a.iter().zip(b.iter().zip(c)).map(gene).collect()
            })
            .collect();
    }

    fn select(&mut self, margins: &[f32]) {
        for (place, child) in self.children.drain(..).enumerate() {
            if margins[place] > self.margins[place] {
                self.margins[place] = margins[place];
                self.parents[place] = child;
            }
        }
    }
}

/// Three different numbers below `n`, all different from `place`.
fn others(rng: &mut SampleRng, n: usize, place: usize) -> [usize; 3] {
    let mut chosen = [place; 3];
    for i in 0..3 {
        loop {
            let candidate = rng.random_range(0..n);
            if candidate != place && !chosen[..i].contains(&candidate) {
                chosen[i] = candidate;
                break;
            }
        }
    }
    chosen
}

/// Position uniform, colors normal about the middle with a standard deviation of half the range.
fn draw(rng: &mut SampleRng) -> Gene {
    let mut color = || {
        let drawn: f32 = StandardNormal.sample(rng);
        (128.0 + 127.0 * drawn).clamp(0.0, 255.0) / 255.0
    };
    let [red, green, blue] = [color(), color(), color()];
    [rng.random(), rng.random(), red, green, blue]
}

/// `origin`, `[3, height, width]`, with the pixels of a candidate, in whole levels of a byte.
fn paint(origin: &[f32], genes: &[Gene], [height, width]: [usize; 2], out: &mut [f32]) {
    out.copy_from_slice(origin);
    let place = |share: f32, side: usize| ((share * side as f32) as usize).min(side - 1);
    for gene in genes {
        let at = place(gene[0], height) * width + place(gene[1], width);
        for (channel, &level) in gene[2..].iter().enumerate() {
            out[channel * height * width + at] = (level * 255.0).round() / 255.0;
        }
    }
}

impl OnePixel {
    /// Margins of the `candidates` of each evolution, in their order.
    fn judge(
        &self,
        target: &TargetModel<'_>,
        samples: &Samples,
        evolutions: &[Evolution<'_>],
        candidates: for<'a> fn(&'a Evolution<'_>) -> &'a [Vec<Gene>],
    ) -> Vec<f32> {
        let [_, channels, height, width] = samples.images.dims();
        let len = channels * height * width;
        let all: Vec<(&Evolution<'_>, &Vec<Gene>)> = evolutions
            .iter()
            .flat_map(|evolution| candidates(evolution).iter().map(move |c| (evolution, c)))
            .collect();
        let device = samples.images.device();
        let mut margins = Vec::with_capacity(all.len());
        for chunk in all.chunks(CHUNK) {
            let mut pixels = vec![0.0; chunk.len() * len];
            for ((evolution, genes), out) in chunk.iter().zip(pixels.chunks_exact_mut(len)) {
                paint(evolution.origin, genes, [height, width], out);
            }
            let labels: Vec<_> = chunk.iter().map(|(e, _)| samples.labels[e.index]).collect();
            let shape = [chunk.len(), channels, height, width];
            let images = Tensor::from_data(TensorData::new(pixels, shape), &device);
            margins.extend(margins_of(target.answers(), &images, self.goal, &labels));
        }
        margins
    }
}

impl Attack for OnePixel {
    fn name(&self) -> String {
        let pixels = if self.n_pixels == 1 { "one pixel" } else { "few pixels" };
        format!("{pixels} {}x{}", self.population, self.generations)
    }

    fn perturb(
        &self,
        target: &TargetModel<'_>,
        samples: &Samples,
        seed: u64,
    ) -> Result<Perturbed, Error> {
        let [batch, channels, height, width] = samples.images.dims();
        let len = channels * height * width;
        // Differential evolution needs the parent of a child and three others.
        let population = self.population.max(4);
        let mut images = values(samples.images.clone());
        let origins = images.clone();
        let mut n_queries = vec![0; batch];
        let mut evolutions: Vec<Evolution<'_>> = origins
            .chunks_exact(len)
            .enumerate()
            .map(|(index, origin)| {
                let mut rng = SampleRng::new(seed, samples.ids[index], 0);
                let mut candidate = || (0..self.n_pixels).map(|_| draw(&mut rng)).collect();
                let parents = (0..population).map(|_| candidate()).collect();
                Evolution { index, origin, rng, parents, margins: vec![], children: vec![] }
            })
            .collect();
        let margins = self.judge(target, samples, &evolutions, |e| &e.parents);
        for (evolution, margins) in evolutions.iter_mut().zip(margins.chunks_exact(population)) {
            evolution.margins = margins.to_vec();
            n_queries[evolution.index] += population;
        }
        let mut finished = Vec::new();
        for generation in 0..=self.generations {
            let last = generation == self.generations;
            let (done, going): (Vec<_>, Vec<_>) =
                evolutions.into_iter().partition(|e| last || e.margins[e.best()] >= self.enough());
            finished.extend(done);
            evolutions = going;
            if evolutions.is_empty() {
                break;
            }
            evolutions.par_iter_mut().for_each(|evolution| evolution.breed(self.mutation));
            let margins = self.judge(target, samples, &evolutions, |e| &e.children);
            let mut margins = margins.chunks_exact(population);
            for evolution in &mut evolutions {
                evolution.select(margins.next().expect("one margin a child"));
                n_queries[evolution.index] += population;
            }
            let passed = (generation + 1) as f64 / self.generations as f64;
            target.tell((finished.len() as f64 + evolutions.len() as f64 * passed) / batch as f64);
        }
        for evolution in finished {
            let genes = &evolution.parents[evolution.best()];
            let out = &mut images[evolution.index * len..][..len];
            paint(evolution.origin, genes, [height, width], out);
        }
        let images = TensorData::new(images, [batch, channels, height, width]);
        let images = Tensor::from_data(images, &samples.images.device());
        Ok(Perturbed::new(images, n_queries, vec![0; batch]))
    }
}
