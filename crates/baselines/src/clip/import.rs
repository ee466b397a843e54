//! From a published tower, and a head or labelled pictures, to a weight file.

use std::str::FromStr;

use burn::tensor::Tensor;
use cifake::weights::{
    Configured, Precision, Source, WeightsInfo, load_configured, save_configured,
};
use cifake::{Batches, Label, batch_within};
use cifake_vit::{Activation, VitConfig};

use super::{ClipConfig, ClipDetector, Fit, HeadTraining};
use crate::import::{Import, Part, Request};
use crate::statistic::Pictures;
use crate::{Error, VitDetector};

const NAME: &str = "clip";

/// `cifake import clip`.
pub(crate) const IMPORT: Import = Import {
    name: NAME,
    summary: "UnivFD or an MLP on the embedding of CLIP's vision tower",
    parts: &[
        Part {
            name: "tower",
            summary: "weights of CLIP as OpenAI, open_clip, Hugging Face or RobustVLM (FARE) publish them; or a weight \
                      file of a vision transformer of this project",
            required: true,
        },
        Part {
            name: "head",
            summary: "the head's linear layers, such as UnivFD's fc_weights.pth [fitted on --data]",
            required: false,
        },
    ],
    settings: &[
        ("form", "univfd or original: an MLP of 128 and 32 channels on ViT-B/32 [univfd]"),
        (
            "tower",
            "clip_vit_base_patch32, clip_vit_large_patch14, or vit for a weight file of this project [that of the form]",
        ),
        ("activation", "quick_gelu, or gelu for weights of LAION [quick_gelu]"),
        ("fit", "resize, or center_crop with a black border [resize]"),
        ("side", "width and height of the pictures [32]"),
        ("epochs", "passes over the pictures that the head is fitted on [5]"),
        ("seed", "root of the head's first weights and of its pictures' order [1]"),
    ],
    run,
};

/// A form of the detector by its name.
struct Form(ClipConfig);

impl FromStr for Form {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "univfd" => Ok(Self(ClipConfig::univfd())),
            "original" => Ok(Self(ClipConfig::original())),
            _ => Err("it must be univfd or original".to_owned()),
        }
    }
}

/// A tower of CLIP by its name; `None` for one whose weight file has its configuration.
struct Tower(Option<VitConfig>);

impl FromStr for Tower {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if name == "vit" {
            return Ok(Self(None));
        }
        let preset = VitConfig::preset(name).filter(|_| name.starts_with("clip_"));
        let wrong = || "it must be clip_vit_base_patch32, clip_vit_large_patch14 or vit".to_owned();
        preset.map(|preset| Self(Some(preset))).ok_or_else(wrong)
    }
}

fn run(request: &Request<'_>) -> Result<WeightsInfo, Error> {
    let broken = |reason| Error::Configuration { detector: NAME, reason };
    let [tower] = request.files("tower") else {
        return Err(broken("the part tower is one file; give it once".into()));
    };
    let device = &request.device;
    let Form(mut config) = request.setting("form", Form(ClipConfig::univfd()))?;
    let own = match request.setting("tower", Tower(Some(config.tower.clone())))?.0 {
        Some(published) => {
            config.tower = published;
            config.tower.activation = request.setting("activation", Activation::QuickGelu)?;
            None
        }
        None => {
            let (detector, own, _) = load_configured::<VitDetector>(Source::File(tower), device)?;
            config.tower = own;
            Some(detector.network)
        }
    };
    config.fit = request.setting("fit", Fit::Resize)?;
    config.side = request.setting("side", config.side)?;
    ClipDetector::check(&config).map_err(broken)?;
    let training = HeadTraining {
        epochs: request.setting("epochs", HeadTraining::default().epochs)?,
        seed: request.setting("seed", 1)?,
        ..HeadTraining::default()
    };
    let head = match request.files("head") {
        [] => None,
        [head] => Some(head),
        _ => return Err(broken("the part head is one file; give it once".into())),
    };
    let head = head.map(|path| Source::File(path));
    let pictures = head.is_none().then(|| request.pictures()).transpose()?;
    let mut model = match own {
        Some(tower) => config.around(tower, head, training.seed, device)?,
        None => config.load(Source::File(tower), head, training.seed, device)?,
    };
    if let Some(pictures) = pictures {
        let (embeddings, labels) = embedded(&model, &config, pictures, request)?;
        training.fit(&mut model, embeddings, &labels);
    }
    Ok(save_configured(&model, &config, &[].into(), Precision::F32, &request.out)?)
}

/// The embeddings of all pictures, and their labels.
fn embedded(
    model: &ClipDetector,
    config: &ClipConfig,
    pictures: &Pictures<'_>,
    request: &Request<'_>,
) -> Result<(Tensor<2>, Vec<Label>), Error> {
    let side = u32::try_from(config.side).expect("a valid side is at most 4096");
    let indices = pictures.indices.clone();
    let (mut embeddings, mut labels) = (Vec::new(), Vec::new());
    let batch = batch_within(ClipDetector::activation_bytes(config));
    let batches = Batches::new(pictures.dataset, indices, batch, (side, side), &pictures.decoder);
    for mut batch in batches {
        if let Some((_, error)) = batch.failed.pop() {
            return Err(error.into());
        }
        let samples = pictures.dataset.samples();
        labels.extend(batch.indices.iter().map(|&index| samples[index].label));
        embeddings.extend(batch.images(&request.device).map(|images| model.embed(images)));
    }
    Ok((Tensor::cat(embeddings, 0), labels))
}
