//! A detector that answers in JSON.

use cifake::{DecodeLimits, Detector, Error, Verdict};
use explain::{Analysis, ShownReport};
use provenance::Declared;
use serde::Serialize;
use serde_json::json;

use crate::fault::Fault;

/// Files of one drop; the page takes one after the other.
const MAX_FILES: usize = 2000;
/// The name in a report's text: the page knows the file's own.
const NAMELESS: &str = "picture";

/// The shipped detector, which looks at one file at a time.
///
/// Each answer is an object of JSON: that of the route of the same name of `cifake serve` for one picture, or
/// `{"error": {"status", "kind", "detail"}}`.
#[derive(Debug)]
pub struct Inspector {
    detector: Detector,
    limits: DecodeLimits,
}

/// An answer, and the declarations of the file: `null` for a format without any.
#[derive(Serialize)]
struct Declaring<T> {
    #[serde(flatten)]
    answer: T,
    provenance: Option<Declared>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome<T> {
    Answer(T),
    Fault { error: Fault },
}

impl Inspector {
    /// Loads the embedded weights.
    ///
    /// # Errors
    /// As [`tinyvit::embedded`].
    pub fn new() -> Result<Self, Error> {
        let limits = DecodeLimits::default();
        Ok(Self { detector: tinyvit::embedded()?.with_limits(limits), limits })
    }

    /// Probability, answer and scope of the picture in `file`, and what the file declares.
    #[must_use]
    pub fn detect(&self, file: &[u8]) -> String {
        answer(|| Ok(declaring(self.verdict(file)?, file)))
    }

    /// The same with map, artifacts and limits.
    #[must_use]
    pub fn explain(&self, file: &[u8]) -> String {
        answer(|| Ok(declaring(self.report(file)?, file)))
    }

    /// The declarations of `file` alone, which needs no picture that can be read.
    #[must_use]
    pub fn provenance(&self, file: &[u8]) -> String {
        answer(|| Ok(Declared::from(provenance::read(file)?)))
    }

    /// Name, input size, threshold and limits of the model.
    #[must_use]
    pub fn model(&self) -> String {
        let (width, height) = self.detector.input_size();
        let model = json!({
            "name": self.detector.model_name(),
            "sha256": self.detector.weights().sha256,
            "input": { "width": width, "height": height },
            "threshold": self.detector.threshold(),
            "version": env!("CARGO_PKG_VERSION"),
            "limits": {
                "max_body_bytes": self.limits.max_file_bytes,
                "max_pixels": self.limits.max_pixels,
                "max_files": MAX_FILES,
            },
        });
        model.to_string()
    }

    fn verdict(&self, file: &[u8]) -> Result<Verdict, Fault> {
        Ok(self.detector.detect_bytes(file)?)
    }

    fn report(&self, file: &[u8]) -> Result<ShownReport, Fault> {
        let picture = self.detector.decoder().decode(file)?;
        Ok(Analysis::of(&self.detector).report(NAMELESS, &picture)?.into())
    }
}

fn declaring<T>(answer: T, file: &[u8]) -> Declaring<T> {
    Declaring { answer, provenance: provenance::read(file).ok().map(Declared::from) }
}

fn answer<T: Serialize>(work: impl FnOnce() -> Result<T, Fault>) -> String {
    let outcome = match work() {
        Ok(answer) => Outcome::Answer(answer),
        Err(error) => Outcome::Fault { error },
    };
    serde_json::to_string(&outcome).expect("texts and numbers are always JSON")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    fn inspector() -> Inspector {
        Inspector::new().expect("the shipped weights are whole")
    }

    fn sample() -> Vec<u8> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/sample");
        std::fs::read(folder.join("fake-airplane-1.jpg")).expect("the repository holds it")
    }

    fn parsed(text: &str) -> Value {
        serde_json::from_str(text).expect("an answer is JSON")
    }

    fn probability(answer: &Value) -> Option<f32> {
        answer["p_fake"].as_f64().map(|p_fake| p_fake as f32)
    }

    #[test]
    fn an_answer_is_the_detectors_with_the_declarations_of_the_file() {
        let verdict = inspector().detector.detect_bytes(&sample()).expect("a sample is a picture");
        let answer = parsed(&inspector().detect(&sample()));
        assert_eq!(probability(&answer), Some(verdict.p_fake));
        assert_eq!(answer["answer"], json!("FAKE"));
        assert_eq!(answer["provenance"]["format"], json!("jpeg"));
        let why = parsed(&inspector().explain(&sample()));
        assert_eq!(probability(&why), Some(verdict.p_fake));
        assert_eq!(why["map"]["method"], json!("HiResCAM"));
        assert!(why["map"]["data"].as_str().is_some_and(|data| data.starts_with("data:image/png")));
    }

    #[test]
    fn a_file_that_is_no_picture_is_a_fault_of_its_own() {
        let inspector = inspector();
        for file in [b"no picture".as_slice(), b"", &sample()[..200]] {
            for answer in [inspector.detect(file), inspector.explain(file)] {
                let answer = parsed(&answer);
                assert_eq!(answer["error"]["status"], json!(400), "{answer}");
                assert_eq!(answer["error"]["kind"], json!("invalid_input"), "{answer}");
            }
        }
        let undeclared = parsed(&inspector.provenance(b"no picture"));
        assert_eq!(undeclared["error"]["kind"], json!("unsupported"));
    }

    #[test]
    fn the_model_tells_its_name_and_limits() {
        let model = parsed(&inspector().model());
        assert!(model["name"].as_str().is_some_and(|name| name.starts_with("tinyvit-native@")));
        assert_eq!(model["input"], json!({ "width": 32, "height": 32 }));
        assert_eq!(model["limits"]["max_pixels"], json!(40_000_000));
    }
}
