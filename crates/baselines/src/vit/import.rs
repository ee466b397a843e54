//! From published weights of a vision transformer with one class to a weight file.

use std::str::FromStr;

use cifake::weights::{Checkpoint, Precision, Source, WeightsInfo, save_configured};
use cifake_vit::{VitConfig, published_head};

use super::VitDetector;
use crate::Error;
use crate::import::{Import, Part, Request};

const NAME: &str = "vit";

/// `cifake import vit`.
pub(crate) const IMPORT: Import = Import {
    name: NAME,
    summary: "a vision transformer that was fine-tuned elsewhere, with one logit of FAKE",
    parts: &[Part {
        name: "weights",
        summary: "weights under timm's or Hugging Face's names, with a head of one class",
        required: true,
    }],
    settings: &[
        ("preset", "vit_base_patch16_224 or another preset of `train` [vit_base_patch16_224]"),
        ("side", "width and height of the pictures [the preset's]"),
    ],
    run,
};

/// A preset by its name.
struct Preset(VitConfig);

impl FromStr for Preset {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = || format!("it must be one of {}", VitConfig::PRESETS.join(", "));
        VitConfig::preset(name).map(Self).ok_or_else(known)
    }
}

fn run(request: &Request<'_>) -> Result<WeightsInfo, Error> {
    let Preset(config) = request.setting("preset", Preset(VitConfig::base16()))?;
    let side = request.setting("side", config.side)?;
    let config = config.with_side(side);
    let broken = |reason| Error::Configuration { detector: NAME, reason };
    let [weights] = request.files("weights") else {
        return Err(broken("the part weights is one file; give it once".into()));
    };
    let source = Source::File(weights);
    let classes =
        published_head(&Checkpoint::open(source)?).map(|[_, bias]| bias.shape()[..].to_vec());
    if classes != Some(vec![1]) {
        let reason =
            "its head is not of one class; fine-tune it: `cifake train` with --weights".into();
        return Err(broken(reason));
    }
    let model = VitDetector::load_for_fine_tuning(&config, source, 1, &request.device)?;
    Ok(save_configured(&model, &config, &[].into(), Precision::F32, &request.out)?)
}
