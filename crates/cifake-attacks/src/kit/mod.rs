//! The building blocks of attacks.
//!
//! The attacks of this crate are made of them, and an attack in another crate can be, too. A white-box
//! attack needs four: [`Objective`] for the gradient, [`Norm`] for steps and projection,
//! [`Samples::draw`] for random starts, and [`restarts`] for the best of several tries.
//!
//! # An attack of your own
//!
//! This one takes a single step of random length along the gradient. Deriving `Serialize` gives it
//! [`Parameters`], by which finished work is recognized.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use cifake::{Classifier, Differentiable, Label};
//! use cifake_attacks::kit::{Objective, column, margins_of, restarts};
//! use cifake_attacks::{
//!     Attack, Epsilon, Error, Goal, Loss, Norm, Perturbed, Samples, TargetModel, is_correct,
//! };
//! use serde::Serialize;
//!
//! /// The best of several steps of random length along the sign of the gradient.
//! #[derive(Debug, Serialize)]
//! struct RandomStep {
//!     epsilon: Epsilon,
//!     n_tries: usize,
//! }
//!
//! impl Attack for RandomStep {
//!     fn name(&self) -> String {
//!         format!("random step {}", Norm::Linf.ball(self.epsilon))
//!     }
//!
//!     fn epsilon(&self) -> Option<Epsilon> {
//!         Some(self.epsilon)
//!     }
//!
//!     fn perturb(
//!         &self,
//!         target: &TargetModel<'_>,
//!         samples: &Samples,
//!         seed: u64,
//!     ) -> Result<Perturbed, Error> {
//!         let model = target.gradients(&self.name())?;
//!         let objective = Objective { goal: Goal::Untargeted, loss: Loss::CrossEntropy };
//!         let reach = Norm::Linf.reach(self.epsilon);
//!         restarts(samples, self.n_tries, |number, remaining, best| {
//!             let (origin, labels) = (&remaining.samples.images, &remaining.samples.labels);
//!             let found = objective.differentiate(model, origin, labels);
//!             // One length for each sample: the same whatever else is in the batch.
//!             let length = |&id: &u64| {
//!                 let mut rng = cifake_attacks::kit::SampleRng::new(seed, id, number);
//!                 reach as f32 * rng.uniform(1, 1.0)[0].abs()
//!             };
//!             let lengths = remaining.samples.ids.iter().map(length).collect();
//!             let step = Norm::Linf.steepest(found.gradient) * column(lengths, origin);
//!             let images = Norm::Linf.project(origin.clone() + step, origin, reach);
//!             let margins = margins_of(target.answers(), &images, Goal::Untargeted, labels);
//!             for &index in &remaining.indices {
//!                 best.n_gradients[index] += 1;
//!                 best.n_queries[index] += 1;
//!             }
//!             best.offer(&remaining.indices, &images, &margins);
//!             Ok(())
//!         })
//!     }
//! }
//!
//! /// A detector that answers FAKE for bright pictures.
//! struct Bright;
//!
//! impl Classifier for Bright {
//!     fn logits(&self, images: Tensor<4>) -> Tensor<2> {
//!         let [batch, ..] = images.dims();
//!         let mean = images.reshape([batch as i32, -1]).mean_dim(1) - 0.5;
//!         Tensor::cat(vec![-mean.clone(), mean], 1)
//!     }
//! }
//! impl Differentiable for Bright {}
//!
//! let images = Tensor::<4>::ones([2, 3, 4, 6], &Device::flex()) * 0.505;
//! let samples = Samples::new(images, vec![Label::Fake; 2], vec![7, 8]);
//! let attack = RandomStep { epsilon: Epsilon::from_255(8.0)?, n_tries: 20 };
//! let found = attack.perturb(&TargetModel::new(&Bright), &samples, 1)?;
//! assert_eq!(is_correct(&Bright, &found.images, &samples.labels), [false, false]);
//! let sizes = Norm::Linf.sizes(found.images - samples.images);
//! assert!(sizes.iter().all(|&size| size <= 8.0 / 255.0));
//! # Ok::<(), Error>(())
//! ```

mod attack;
mod averaged;
mod best;
mod norm;
mod objective;
mod random;
mod samples;
mod target;
mod tensor;

pub use attack::{Attack, Parameters, Perturbed};
pub use averaged::Averaged;
pub use best::{Best, Remaining, restarts};
pub use norm::Norm;
pub use objective::{Goal, Loss, LossGradient, Objective, is_correct, margins_of};
pub use random::SampleRng;
pub use samples::Samples;
pub use target::TargetModel;
pub use tensor::{choose_rows, column, rows, values};
