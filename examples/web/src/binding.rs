//! The functions that a script calls.

use wasm_bindgen::prelude::*;

use crate::Inspector;

/// An [`Inspector`] in the hands of a script.
#[wasm_bindgen]
pub struct Web(Inspector);

#[wasm_bindgen]
impl Web {
    /// Loads the embedded weights.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Result<Web, JsError> {
        Ok(Self(Inspector::new()?))
    }

    /// As [`Inspector::detect`].
    pub fn detect(&self, file: &[u8]) -> String {
        self.0.detect(file)
    }

    /// As [`Inspector::explain`].
    pub fn explain(&self, file: &[u8]) -> String {
        self.0.explain(file)
    }

    /// As [`Inspector::provenance`].
    pub fn provenance(&self, file: &[u8]) -> String {
        self.0.provenance(file)
    }

    /// As [`Inspector::model`].
    pub fn model(&self) -> String {
        self.0.model()
    }
}
