//! transformers' own classes and this crate give the same numbers from the same folders.
//! `../fixtures/generate.py` makes the golden files.

mod text;
