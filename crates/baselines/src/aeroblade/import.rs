//! From the files of autoencoders and of LPIPS to a weight file.

use std::path::Path;

use cifake::weights::{Checkpoint, Configured, Precision, Source, WeightsInfo, save_configured};

use super::kl::KlAutoencoder;
use super::kl_config::KlAutoencoderConfig;
use super::lpips::LpipsConfig;
use super::tiny::{TinyAutoencoderConfig, TinyDecoder, TinyEncoder};
use super::{Aeroblade, AerobladeConfig, AerobladeStatistic};
use crate::Error;
use crate::import::{Import, Part, Request, load_published};
use crate::statistic::Logistic;

const NAME: &str = "aeroblade";
/// Upstream's seed.
const SEED: &str = "1";

/// `cifake import aeroblade`.
pub(crate) const IMPORT: Import = Import {
    name: NAME,
    summary: "distance of a picture to its reconstruction by an autoencoder, without training",
    parts: &[
        Part {
            name: "autoencoder",
            summary: "AutoencoderKL of diffusers, such as vae/diffusion_pytorch_model.safetensors; may be repeated",
            required: false,
        },
        Part {
            name: "encoder",
            summary: "encoder of TAESD or TAEF2 (madebyollin); given again for another autoencoder",
            required: false,
        },
        Part { name: "decoder", summary: "its decoder, in the same order", required: false },
        Part {
            name: "lpips",
            summary: "LPIPS v0.1, backbone and linear heads: VGG-16, or AlexNet for form=original",
            required: true,
        },
    ],
    settings: &[
        ("form", "published; or original, which sums LPIPS of AlexNet over all stages [published]"),
        ("tiny", "taesd or taef2, of all encoders [taef2]"),
        ("sample", "seed of the noise of an AutoencoderKL, or mean for none [1]"),
        ("layer", "stage of LPIPS from 1 to 5, or 0 for the sum [2]"),
        ("side", "width and height of the pictures; 32 is the least for most autoencoders [32]"),
    ],
    run,
};

fn run(request: &Request<'_>) -> Result<WeightsInfo, Error> {
    let broken = |reason| Error::Configuration { detector: NAME, reason };
    let [lpips] = request.files("lpips") else {
        return Err(broken("the part lpips is one file; give it once".into()));
    };
    let mut config = configuration(request)?;
    Aeroblade::check(&config).map_err(broken)?;
    let pictures = request.pictures()?;
    let mut model = Aeroblade::build(&config, &request.device);
    load_published(lpips, &mut model.lpips, config.lpips.published())?;
    for (kl, file) in model.kl.iter_mut().zip(request.files("autoencoder")) {
        load_published(file, kl, &KlAutoencoder::PUBLISHED)?;
    }
    let halves = request.files("encoder").iter().zip(request.files("decoder"));
    for (tiny, (encoder, decoder)) in model.tiny.iter_mut().zip(halves) {
        load_published(encoder, &mut tiny.encoder, &TinyEncoder::PUBLISHED)?;
        load_published(decoder, &mut tiny.decoder, &TinyDecoder::PUBLISHED)?;
    }
    let statistic = AerobladeStatistic::new(&model, config.clone());
    config.logistic = Logistic::fit_statistic(&statistic, pictures, &request.device)?;
    let notes = [("direction".to_owned(), direction(config.logistic).to_owned())].into();
    Ok(save_configured(&model, &config, &notes, Precision::F32, &request.out)?)
}

/// The configuration that parts and settings ask for, without a threshold.
fn configuration(request: &Request<'_>) -> Result<AerobladeConfig, Error> {
    let setting = |name: &str, value: String, reason: &str| Error::Setting {
        name: name.to_owned(),
        value,
        reason: reason.to_owned(),
    };
    let (lpips, layer) = match request.setting("form", "published".to_owned())? {
        form if form == "published" => (LpipsConfig::vgg(), 2),
        form if form == "original" => (LpipsConfig::alex(), 0),
        form => return Err(setting("form", form, "use published or original")),
    };
    let tiny = match request.setting("tiny", "taef2".to_owned())? {
        tiny if tiny == "taef2" => TinyAutoencoderConfig::taef2(),
        tiny if tiny == "taesd" => TinyAutoencoderConfig::taesd(),
        tiny => return Err(setting("tiny", tiny, "use taesd or taef2")),
    };
    let sample = match request.setting("sample", SEED.to_owned())? {
        sample if sample == "mean" => None,
        seed => match seed.parse() {
            Ok(seed) => Some(seed),
            Err(_) => return Err(setting("sample", seed, "use a whole number or mean")),
        },
    };
    let (encoders, decoders) = (request.files("encoder").len(), request.files("decoder").len());
    if encoders != decoders {
        return Err(Error::Configuration {
            detector: NAME,
            reason: format!(
                "{encoders} encoders stand against {decoders} decoders; give one of each"
            ),
        });
    }
    Ok(AerobladeConfig {
        kl: request
            .files("autoencoder")
            .iter()
            .map(|file| kl_config(file))
            .collect::<Result<_, _>>()?,
        sample,
        tiny: vec![tiny; encoders],
        lpips,
        layer: request.setting("layer", layer)?,
        side: request.setting("side", 32)?,
        logistic: Logistic { center: 0.0, scale: 1.0 },
    })
}

/// The shape of the autoencoder in `file`, by the names and shapes of its weights.
fn kl_config(file: &Path) -> Result<KlAutoencoderConfig, Error> {
    let checkpoint = Checkpoint::open(Source::File(file))?;
    KlAutoencoderConfig::of_published(&checkpoint.shapes()).ok_or_else(|| Error::Configuration {
        detector: NAME,
        reason: format!("{} is no AutoencoderKL: it has no encoder.conv_out", file.display()),
    })
}

/// The direction of the test in words: the label whose pictures have the smaller distances.
fn direction(logistic: Logistic) -> &'static str {
    match logistic.scale > 0.0 {
        true => "as published: FAKE pictures are reconstructed better",
        false => "inverted: REAL pictures are reconstructed better",
    }
}
