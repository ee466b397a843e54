//! From the files of tiny autoencoders and of LPIPS to a weight file.

use cifake::weights::{Configured, Precision, WeightsInfo, save_configured};

use super::lpips::{Lpips, LpipsConfig};
use super::tiny::{TinyAutoencoderConfig, TinyDecoder, TinyEncoder};
use super::{Aeroblade, AerobladeConfig, AerobladeStatistic};
use crate::Error;
use crate::import::{Import, Part, Request, load_published};
use crate::statistic::Logistic;

const NAME: &str = "aeroblade";

/// `cifake import aeroblade`.
pub(crate) const IMPORT: Import = Import {
    name: NAME,
    summary: "distance of a picture to its reconstruction by an autoencoder, without training",
    parts: &[
        Part {
            name: "encoder",
            summary: "encoder of TAESD or TAEF2 (madebyollin); given again for another autoencoder",
            required: true,
        },
        Part { name: "decoder", summary: "its decoder, in the same order", required: true },
        Part {
            name: "lpips",
            summary: "LPIPS v0.1 of VGG-16, backbone and linear heads",
            required: true,
        },
    ],
    settings: &[
        ("autoencoder", "taesd or taef2, of all encoders [taef2]"),
        ("layer", "stage of LPIPS from 1 to 5, or 0 for the sum [2]"),
        ("side", "width and height of the pictures, a multiple of 8 from 16 on [32]"),
    ],
    run,
};

fn run(request: &Request<'_>) -> Result<WeightsInfo, Error> {
    let tiny = match request.setting("autoencoder", "taef2".to_owned())?.as_str() {
        "taef2" => TinyAutoencoderConfig::taef2(),
        "taesd" => TinyAutoencoderConfig::taesd(),
        other => {
            let (name, value) = ("autoencoder".to_owned(), other.to_owned());
            return Err(Error::Setting { name, value, reason: "use taesd or taef2".into() });
        }
    };
    let (encoders, decoders) = (request.files("encoder"), request.files("decoder"));
    let broken = |reason| Error::Configuration { detector: NAME, reason };
    let [lpips] = request.files("lpips") else {
        return Err(broken("the part lpips is one file; give it once".into()));
    };
    if encoders.len() != decoders.len() {
        let (encoders, decoders) = (encoders.len(), decoders.len());
        return Err(broken(format!(
            "{encoders} encoders stand against {decoders} decoders; give one of each"
        )));
    }
    let mut config = AerobladeConfig {
        autoencoders: vec![tiny; encoders.len()],
        lpips: LpipsConfig::vgg(),
        layer: request.setting("layer", 2)?,
        side: request.setting("side", 32)?,
        logistic: Logistic { center: 0.0, scale: 1.0 },
    };
    Aeroblade::validate(&config).map_err(broken)?;
    let pictures = request.pictures()?;
    let mut model = Aeroblade::build(&config, &request.device);
    load_published(lpips, &mut model.lpips, &Lpips::PUBLISHED)?;
    for (autoencoder, (encoder, decoder)) in
        model.autoencoders.iter_mut().zip(encoders.iter().zip(decoders))
    {
        load_published(encoder, &mut autoencoder.encoder, &TinyEncoder::PUBLISHED)?;
        load_published(decoder, &mut autoencoder.decoder, &TinyDecoder::PUBLISHED)?;
    }
    let statistic = AerobladeStatistic::new(&model, config.clone());
    config.logistic = Logistic::fit_statistic(&statistic, pictures, &request.device)?;
    let notes = [("direction".to_owned(), direction(config.logistic).to_owned())].into();
    Ok(save_configured(&model, &config, &notes, Precision::F32, &request.out)?)
}

/// Which pictures have the smaller distances, in words.
fn direction(logistic: Logistic) -> &'static str {
    match logistic.scale > 0.0 {
        true => "as published: FAKE pictures are reconstructed better",
        false => "inverted: REAL pictures are reconstructed better",
    }
}
