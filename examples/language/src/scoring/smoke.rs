//! A small reference, for `--smoke`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use burn::tensor::Device;
use cifake::Detector;
use explain::{EvidenceExplainer, Explainer, ExplanationSet, Origin};
use gradcam::Method;

use super::Seen;

/// Writes what measurements say of the committed mini set into a folder of `folder`.
///
/// # Errors
///
/// If a picture cannot be read, or the set not be written.
pub fn small_reference(folder: &Path, detector: &Detector, device: &Device) -> Result<PathBuf> {
    let origin = Origin {
        explainer: "evidence".to_owned(),
        detector: detector.model_name().to_owned(),
        method: Method::default().as_str().to_owned(),
        prompt: "What?".to_owned(),
    };
    let reference = folder.join("reference");
    let mut set = ExplanationSet::open(&reference, origin)?;
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini/test/FAKE");
    for file in cifake::image_files(&samples)? {
        let seen = Seen::read(&file, 1.0, detector, device)?;
        let found = EvidenceExplainer::embedded().explain(&seen.subject())?;
        set.add(&file.display().to_string(), &seen.subject(), &found)?;
    }
    Ok(reference)
}
