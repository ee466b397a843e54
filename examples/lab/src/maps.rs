//! Tools that the programs for class activation maps share.

use burn::tensor::Tensor;
use cifake::{Classifier, FeatureClassifier, Label};
use cifake_attacks::is_correct;
use gradcam::{Cam, Error, HeatMap};

/// Pictures whose maps are made at once.
const BATCH: usize = 50;

/// The maps of `images` for the labels `targets`, a batch at a time; `progress` hears of each batch's
/// size.
///
/// # Errors
///
/// Those of [`Cam::maps`].
pub fn maps(
    model: &dyn FeatureClassifier,
    cam: &Cam,
    images: &Tensor<4>,
    targets: &[Label],
    mut progress: impl FnMut(usize),
) -> Result<Vec<HeatMap>, Error> {
    let mut maps = Vec::new();
    for (part, targets) in targets.chunks(BATCH).enumerate() {
        let images = images.clone().narrow(0, part * BATCH, targets.len());
        maps.extend(cam.maps(model, &images, targets)?);
        progress(targets.len());
    }
    Ok(maps)
}

/// The labels that `model` gives to `images`, asked a batch at a time; a tie is FAKE.
#[must_use]
pub fn verdicts(model: &dyn Classifier, images: &Tensor<4>) -> Vec<Label> {
    let n = images.dims()[0];
    let ask = |start: usize| {
        let part = images.clone().narrow(0, start, BATCH.min(n - start));
        let fake = vec![Label::Fake; part.dims()[0]];
        is_correct(model, &part, &fake)
    };
    let is_fake = (0..n).step_by(BATCH).flat_map(ask);
    is_fake.map(|is_fake| if is_fake { Label::Fake } else { Label::Real }).collect()
}
