//! What the programs that make class activation maps share.

use burn::tensor::Tensor;
use cifake::{Classifier, FeatureClassifier, Label};
use cifake_attacks::calls_right;
use gradcam::{Cam, Error, HeatMap, Method};

/// How maps are made, beside the method.
#[derive(Debug, clap::Args)]
pub struct CamArgs {
    /// Layer at which the network is cut [default: the last of at least 8x8].
    #[arg(long)]
    layer: Option<String>,
    /// Average with the map of the mirrored picture.
    #[arg(long)]
    flips: bool,
}

impl CamArgs {
    /// What makes maps by `method`.
    #[must_use]
    pub fn cam(&self, method: Method) -> Cam {
        let cam = Cam::new(method);
        let cam = if let Some(layer) = &self.layer { cam.at(layer) } else { cam };
        if self.flips { cam.with_flips() } else { cam }
    }
}

/// The way to make class activation maps that is called `name`.
///
/// # Errors
///
/// If there is none.
pub fn method_named(name: &str) -> Result<Method, String> {
    let known = || Method::ALL.map(Method::as_str).join(", ");
    Method::from_name(name).ok_or_else(|| format!("there is no method `{name}`: {}", known()))
}

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

/// What `model` calls each of `images`, asked a batch at a time; a tie is FAKE.
#[must_use]
pub fn verdicts(model: &dyn Classifier, images: &Tensor<4>) -> Vec<Label> {
    let n = images.dims()[0];
    let ask = |start: usize| {
        let part = images.clone().narrow(0, start, BATCH.min(n - start));
        let fake = vec![Label::Fake; part.dims()[0]];
        calls_right(model, &part, &fake)
    };
    let is_fake = (0..n).step_by(BATCH).flat_map(ask);
    is_fake.map(|is_fake| if is_fake { Label::Fake } else { Label::Real }).collect()
}
