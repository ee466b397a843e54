//! Adapters and their training: PEFT's own numbers, and what must hold whatever the numbers are.

mod contract;
mod export;
mod model;
mod peft;
mod pictures;
mod properties;
mod tower;
mod tuning;
