//! Timing of detectors that are more than one network.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use baselines::dire::{Dire, DireClassifier, DireConfig, UNet, UNetConfig};
use baselines::{
    Aeroblade, AerobladeConfig, AerobladeStatistic, EfficientNet, EfficientNetConfig, Logistic,
    LpipsConfig, ResNetConfig, Rigid, RigidConfig, RigidEncoderConfig, RigidForm, RigidStatistic,
    StatisticNetwork, TinyAutoencoderConfig, TinyDecoder, TinyEncoder, load_published,
};
use burn::tensor::{Device, Tensor, TensorData};
use cifake::Classifier;
use cifake::weights::Configured;

use super::inference::pixels;
use super::{N_WARM, Setting, Times};

/// Height and width of the pictures, in pixels.
const SIDE: usize = 32;
/// Seed of weights that no file gives.
const SEED: u64 = 1;
/// The logit of FAKE is the value itself.
const IDENTITY: Logistic = Logistic { center: 0.0, scale: 1.0 };

/// Makes a detector with the published weights in a folder, or with random ones.
type Make = fn(Option<&Path>) -> Result<Box<dyn Classifier>>;

/// The detectors by name.
const DETECTORS: [(&str, Make); 3] = [("aeroblade", aeroblade), ("rigid", rigid), ("dire", dire)];

/// Whether there is a detector of that name.
#[must_use]
pub fn is_detector(name: &str) -> bool {
    DETECTORS.iter().any(|(known, _)| *known == name)
}

/// Times the logits of the detector `name` for pictures of 32x32. The weights are those of a folder with a file
/// a part, under published names.
///
/// # Errors
///
/// No such detector; weights that do not fit; threads that the system refuses; a logit that is not finite.
pub fn measure_detector(name: &str, setting: &Setting) -> Result<Times> {
    let Some((_, make)) = DETECTORS.iter().find(|(known, _)| *known == name) else {
        bail!("no detector is called {name}");
    };
    let pool = cifake::Threads::new(setting.n_threads)?;
    let device = Device::flex();
    device.seed(SEED);
    let detector = make(setting.weights.as_deref())?;
    let shape = [setting.batch, 3, SIDE, SIDE];
    let images = TensorData::new(pixels(setting.batch, SIDE), shape);
    let images = Tensor::<4>::from_data(images, &device);
    let mut logits = TensorData::from([0.0_f32; 0]);
    let mut seconds = Vec::with_capacity(setting.n_runs);
    for run in 0..N_WARM + setting.n_runs {
        let begun = Instant::now();
        logits = pool.install(|| detector.logits(black_box(images.clone())).into_data());
        if run >= N_WARM {
            seconds.push(begun.elapsed().as_secs_f64());
        }
    }
    // The logits of the first picture are [REAL, FAKE], and REAL's is 0.
    let fake = logits.iter::<f32>().nth(1).context("the detector gave no logit")?;
    ensure!(fake.is_finite(), "the logit is {fake}");
    Ok(Times::of(seconds, vec![fake]))
}

/// The tiny autoencoder of FLUX.2 and the second stage of LPIPS with VGG-16.
fn aeroblade(weights: Option<&Path>) -> Result<Box<dyn Classifier>> {
    let config = AerobladeConfig {
        kl: Vec::new(),
        sample: None,
        tiny: vec![TinyAutoencoderConfig::taef2()],
        lpips: LpipsConfig::vgg(),
        layer: 2,
        side: SIDE as u32,
        logistic: IDENTITY,
    };
    let mut model = Aeroblade::build(&config, &Device::flex());
    if let Some(folder) = weights {
        let tiny = &mut model.tiny[0];
        load_published(&part(folder, "encoder"), &mut tiny.encoder, &TinyEncoder::PUBLISHED)?;
        load_published(&part(folder, "decoder"), &mut tiny.decoder, &TinyDecoder::PUBLISHED)?;
        load_published(&part(folder, "lpips"), &mut model.lpips, config.lpips.published())?;
    }
    let statistic = AerobladeStatistic::new(&model, config);
    Ok(Box::new(StatisticNetwork::new(statistic, IDENTITY)))
}

/// EfficientNet-Lite0 at 64x64, with the published noise.
fn rigid(weights: Option<&Path>) -> Result<Box<dyn Classifier>> {
    let config = RigidConfig {
        encoder: RigidEncoderConfig::EfficientNet(EfficientNetConfig::lite0()),
        form: RigidForm::Published,
        encoder_side: 64,
        side: SIDE as u32,
        lambda: 0.05,
        draws: 1,
        seed: SEED,
        logistic: IDENTITY,
    };
    let mut model = Rigid::build(&config, &Device::flex());
    if let (Some(folder), Some(network)) = (weights, &mut model.encoder.efficient_net) {
        load_published(&part(folder, "encoder"), network, &EfficientNet::PUBLISHED)?;
    }
    let statistic = RigidStatistic::new(&model, config);
    Ok(Box::new(StatisticNetwork::new(statistic, IDENTITY)))
}

/// The diffusion model of `ddpm.toml` in 20 steps each way, and the ResNet-18 of half width.
fn dire(weights: Option<&Path>) -> Result<Box<dyn Classifier>> {
    let device = Device::flex();
    let config = DireConfig::of(UNetConfig::ddpm_32(), ResNetConfig::resnet18_32());
    let mut model = Dire::build(&config, &device);
    if let Some(folder) = weights {
        load_published(&part(folder, "unet"), &mut model.unet, &UNet::GUIDED_DIFFUSION)?;
        let classifier = part(folder, "classifier");
        let read = config.classifier.load_for_fine_tuning(classifier.as_path(), SEED, &device);
        model.classifier = read?;
    }
    let classifier = DireClassifier::new(&model, config).map_err(anyhow::Error::msg)?;
    Ok(Box::new(classifier))
}

/// The file of the part `name`.
fn part(folder: &Path, name: &str) -> std::path::PathBuf {
    folder.join(name).with_extension("safetensors")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tinyvit::TinyVitConfig;

    use super::*;

    fn setting(weights: Option<PathBuf>) -> Setting {
        let config = TinyVitConfig::native();
        Setting { config, weights, batch: 2, n_threads: 1, n_runs: 1 }
    }

    #[test]
    fn every_detector_answers() {
        for name in ["aeroblade", "rigid"] {
            let logit = measure_detector(name, &setting(None)).expect("random weights").outputs;
            assert_ne!(logit, [0.0], "{name}");
        }
        assert!(is_detector("dire") && !is_detector("native"));
    }

    #[test]
    fn weights_that_are_not_there_are_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, file) in [("aeroblade", "encoder"), ("rigid", "encoder"), ("dire", "unet")] {
            let setting = setting(Some(folder.path().to_owned()));
            let error = measure_detector(name, &setting).expect_err("the folder is empty");
            assert!(format!("{error:#}").contains(file), "{error:#}");
        }
    }
}
