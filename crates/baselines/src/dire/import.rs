//! From the files of a diffusion model and of a classifier to a weight file.

use std::path::Path;

use burn::tensor::Device;
use cifake::weights::{
    Checkpoint, Configured, Precision, Source, WeightsInfo, configured_from, save_configured,
};

use super::detector::{Dire, DireConfig};
use super::{UNet, UNetConfig};
use crate::Error;
use crate::import::{Import, Part, Request, load_published};
use crate::resnet::{ResNet, ResNetConfig, TORCHVISION};

const NAME: &str = "dire";

/// `cifake import dire`.
pub(crate) const IMPORT: Import = Import {
    name: NAME,
    summary: "a classifier of what a diffusion model does not give back of a picture",
    parts: &[
        Part {
            name: "unet",
            summary: "256x256_diffusion_uncond.pt of guided-diffusion, or a file of train_ddpm",
            required: true,
        },
        Part {
            name: "classifier",
            summary: "DIRE's ResNet-50 of residues, or a ResNet of `cifake train`",
            required: true,
        },
    ],
    settings: &[
        ("learned_steps", "steps that the diffusion model learned [1000]"),
        ("steps", "steps of the inversion, and of the reconstruction [20]"),
    ],
    run,
};

fn run(request: &Request<'_>) -> Result<WeightsInfo, Error> {
    let broken = |reason| Error::Configuration { detector: NAME, reason };
    let ([unet], [classifier]) = (request.files("unet"), request.files("classifier")) else {
        return Err(broken("unet and classifier are one file each; give each once".into()));
    };
    let device = &request.device;
    let (classifier, classifier_config) =
        read(classifier, ResNetConfig::resnet50(), device, |file, config| {
            let mut model = ResNet::build(config, device);
            load_published(file, &mut model, &TORCHVISION)?;
            Ok(model)
        })?;
    let (unet, unet_config) = read(unet, UNetConfig::adm_256(), device, |file, config| {
        let mut model = UNet::build(config, device);
        load_published(file, &mut model, &UNet::GUIDED_DIFFUSION)?;
        Ok(model)
    })?;
    let config = DireConfig {
        learned_steps: request.setting("learned_steps", 1000)?,
        steps: request.setting("steps", 20)?,
        ..DireConfig::of(unet_config, classifier_config)
    };
    Dire::check(&config).map_err(broken)?;
    let model = Dire { unet, classifier };
    Ok(save_configured(&model, &config, &[].into(), Precision::F32, &request.out)?)
}

/// The module in the file at `path`: one of this project, or a published one of the configuration `published`.
fn read<M: Configured>(
    path: &Path,
    published: M::Config,
    device: &Device,
    load: impl FnOnce(&Path, &M::Config) -> Result<M, Error>,
) -> Result<(M, M::Config), Error> {
    let checkpoint = Checkpoint::open(Source::File(path))?;
    let info = checkpoint.info();
    if info.metadata.contains_key(M::KEY) {
        return Ok(configured_from::<M>(&checkpoint, device)?);
    }
    // Before the network is built, which takes memory.
    let (found, expected) = (info.n_elements as u64, M::n_values(&published));
    if found < expected {
        let (path, key) = (path.display(), M::KEY);
        let reason = format!(
            "{path} has no {key} and holds {found} values, where the published file has {expected}"
        );
        return Err(Error::Configuration { detector: NAME, reason });
    }
    drop(checkpoint);
    Ok((load(path, &published)?, published))
}
