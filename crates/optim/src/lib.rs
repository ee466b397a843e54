//! Optimization of weights that are kept as one flat vector on the host.
//!
//! A step on the host gives the same bits on every device and for any number of threads. A
//! checkpoint then holds the vectors themselves.
//!
//! ```
//! use cifake_optim::{AdamW, Group, Moments, Rounding, Schedule};
//!
//! let optimizer =
//!     AdamW { betas: [0.9, 0.999], epsilon: 1e-8, clip_norm: 1.0, rounding: Rounding::Quotient };
//! let schedule = Schedule::new(0.1, 0.0, 2.0, 10);
//! let (mut weights, mut moments) = (vec![1.0, -2.0], Moments::new(2));
//! for step in 0..10 {
//!     // The gradient of half the squared norm.
//!     let gradient = weights.clone();
//!     let group = Group { range: 0..2, learning_rate: schedule.rate(step), weight_decay: 0.0 };
//!     optimizer.update(&mut moments, &[group], &mut weights, &gradient);
//! }
//! assert!(weights[0] < 0.6 && weights[1] > -1.6);
//! ```

mod adamw;
mod checkpoint;
mod difference;
mod layout;
mod order;
mod schedule;

pub use adamw::{AdamW, Group, Moments, Rounding};
pub use checkpoint::{Checkpoint, CheckpointError, save_checkpoint};
pub use difference::{Difference, first_difference};
pub use layout::{Layout, Part};
pub use order::epoch_order;
pub use schedule::Schedule;
