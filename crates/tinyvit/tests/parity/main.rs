//! Checkpoints of timm and microsoft/Cream: the same numbers at every stage, and nothing but what fits
//! is loaded. `../fixtures/generate.py` makes the golden files.

mod full;
mod golden;
mod small;
mod strictness;
