//! transformers' own processors and classes and this crate give the same pixels, stages, positions,
//! logits and answers. `../fixtures/generate.py vision` makes the golden files.

mod assistant;
mod fixture;
mod mc_llava;
mod paligemma;
mod processors;
mod published;
mod qwen2_vl;
