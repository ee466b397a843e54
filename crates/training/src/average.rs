//! The mean of several runs' weights, and the norms' statistics that belong to it.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use cifake::weights::{Precision, Source, WeightsInfo, load_configured, save_configured};
use rand::Rng;

use crate::augment::sample_rng;
use crate::examples::Examples;
use crate::order::epoch_order;
use crate::parameters::Layout;
use crate::record::TrainedOn;
use crate::{Network, TrainError};

/// Purpose of the seeds of dropout and stochastic depth while norms are measured.
const RECALIBRATION: u64 = 4;
/// Pictures a batch of the measurement.
const BATCH: usize = 250;
/// Batches of the measurement: what the statistics were before weighs 0.9^200 of them.
const N_BATCHES: usize = 200;

/// The mean of weights of one configuration (Wortsman et al. 2022, arXiv 2203.05482).
#[derive(Debug, Clone)]
pub struct Averaged<N: Network> {
    /// The network with the mean of every value, the running statistics of norms included.
    pub model: N,
    /// Configuration of the network.
    pub config: N::Config,
    /// The key `averaged`: SHA-256 of each file as a JSON list, in their order. The key
    /// [`TrainedOn::KEY`]: the record that all files share, if they do.
    pub notes: BTreeMap<String, String>,
}

impl<N: Network> Averaged<N> {
    /// The mean of the weights in `paths`, each with the same share; sums are taken in f64, in the
    /// order of the paths.
    ///
    /// # Errors
    ///
    /// No path; a file that cannot be read, or has another configuration than the first.
    pub fn of<P: AsRef<Path>>(paths: &[P], device: &Device) -> Result<Self, TrainError> {
        let nothing = || TrainError::Config("there are no weights to average".into());
        let first = paths.first().ok_or_else(nothing)?.as_ref();
        let (model, config, _) = load_configured::<N>(Source::File(first), device)?;
        let layout = Layout::of(&model);
        let mut sums = vec![0.0f64; layout.n_values()];
        let mut hashes = Vec::new();
        let mut records = Vec::new();
        for path in paths.iter().map(AsRef::as_ref) {
            let (other, other_config, info) = load_configured::<N>(Source::File(path), device)?;
            if other_config != config {
                let (path, first) = (path.display(), first.display());
                let reason = format!("{path} is of another configuration than {first}");
                return Err(TrainError::Config(reason));
            }
            let values = layout.read(&other);
            sums.iter_mut().zip(values).for_each(|(sum, x)| *sum += f64::from(x));
            hashes.push(info.sha256);
            records.push(TrainedOn::from_metadata(&info.metadata)?);
        }
        let n = paths.len() as f64;
        let means: Vec<f32> = sums.into_iter().map(|sum| (sum / n) as f32).collect();
        let hashes = serde_json::to_string(&hashes).expect("texts have a JSON form");
        let mut notes: BTreeMap<_, _> = [("averaged".to_owned(), hashes)].into();
        if let Some(record) = shared(&records) {
            notes.insert(TrainedOn::KEY.to_owned(), record.to_json());
        }
        Ok(Self { model: layout.write(model, &means), config, notes })
    }

    /// Measures the running statistics of norms anew on pictures of `train` without augmentation, drawn
    /// by `seed`. The mean of the statistics of several networks is not the statistics of their mean.
    ///
    /// The statistics are the moving mean that training keeps, over 200 batches of 250 pictures.
    #[must_use]
    pub fn with_norms_of(mut self, train: &Examples, seed: u64, device: &Device) -> Self {
        self.model = with_norms_of(self.model, &self.config, train, seed, device);
        self.notes.insert("norms_measured_on".to_owned(), train.len().to_string());
        self
    }

    /// Writes the weights in f32.
    ///
    /// # Errors
    ///
    /// A file that cannot be written.
    pub fn save(&self, path: &Path) -> Result<WeightsInfo, TrainError> {
        Ok(save_configured(&self.model, &self.config, &self.notes, Precision::F32, path)?)
    }
}

/// The record that all weights have in common.
fn shared(records: &[Option<TrainedOn>]) -> Option<&TrainedOn> {
    let first = records.first()?.as_ref();
    first.filter(|_| records.iter().all(|record| record.as_ref() == first))
}

fn with_norms_of<N: Network>(
    model: N,
    config: &N::Config,
    train: &Examples,
    seed: u64,
    device: &Device,
) -> N {
    let layout = Layout::of(&model);
    let batch = BATCH.min(train.len());
    let per_pass = train.len() / batch;
    // burn lets go of a graph only in a backward pass, and none follows: nothing may be tracked.
    let mut model = model.train().no_grad();
    let mut order = Vec::new();
    for step in 0..N_BATCHES {
        let (pass, place) = (step / per_pass, step % per_pass);
        if place == 0 {
            order = epoch_order(train.len(), seed, pass);
        }
        let samples = &order[place * batch..][..batch];
        let draw = |&sample: &usize| sample_rng(seed, pass, sample, RECALIBRATION).next_u64();
        let seeds: Vec<u64> = samples.iter().map(draw).collect();
        let images = Tensor::from_inner(train.images(samples, device));
        drop(model.scores_in_training(config, images, &seeds));
        // `valid` takes over the running statistics that the forward pass left pending.
        let values = layout.read(&model.valid());
        model = layout.write(model, &values).no_grad();
    }
    model.valid()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::parameters::Kind;
    use crate::testing::{Small, SmallConfig, stripes};

    /// Means of f32 in f64, rounded once.
    const TOLERANCE: f32 = 1e-6;

    fn saved(folder: &Path, width: usize, seed: u64) -> PathBuf {
        let config = SmallConfig::new(width);
        let path = folder.join(format!("{width}-{seed}.safetensors"));
        let model = Small::draw(&config, seed, &Device::flex());
        let layout = Layout::of(&model);
        // Fresh norms have one set of statistics whatever the seed.
        let moved: Vec<f32> = layout.read(&model).iter().map(|x| x + seed as f32).collect();
        let model = layout.write(model, &moved);
        save_configured(&model, &config, &[].into(), Precision::F32, &path).expect("room");
        path
    }

    fn values(model: &Small) -> Vec<f32> {
        Layout::of(model).read(model)
    }

    #[test]
    fn every_value_is_the_mean_and_the_file_says_of_what() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let device = Device::flex();
        let paths = [1, 2, 5].map(|seed| saved(folder.path(), 4, seed));
        let averaged = Averaged::<Small>::of(&paths, &device).expect("one configuration");
        let each = paths.map(|path| {
            let source = Source::File(&path);
            load_configured::<Small>(source, &device).expect("it was saved")
        });
        let models = each.each_ref().map(|(model, _, _)| values(model));
        for (i, mean) in values(&averaged.model).into_iter().enumerate() {
            let expected = models.iter().map(|values| values[i]).sum::<f32>() / 3.0;
            assert!((mean - expected).abs() < TOLERANCE, "value {i}: {mean}, not {expected}");
        }
        let out = folder.path().join("mean.safetensors");
        averaged.save(&out).expect("room");
        let (again, _, info) =
            load_configured::<Small>(Source::File(&out), &device).expect("it was saved");
        assert_eq!(values(&again), values(&averaged.model));
        assert!(each.iter().all(|(_, _, part)| info.metadata["averaged"].contains(&part.sha256)));
    }

    #[test]
    fn weights_of_another_configuration_are_refused_by_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let paths = [saved(folder.path(), 4, 1), saved(folder.path(), 5, 2)];
        let error = Averaged::<Small>::of(&paths, &Device::flex()).expect_err("widths differ");
        assert!(error.to_string().contains("5-2.safetensors is of another"), "{error}");
        let none: [&Path; 0] = [];
        assert!(Averaged::<Small>::of(&none, &Device::flex()).is_err());
    }

    /// Whatever the statistics were, they end as those of the pictures; no weight moves.
    #[test]
    fn norms_are_measured_and_weights_stay() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let device = Device::flex();
        let path = saved(folder.path(), 4, 1);
        let train = stripes(300);
        let measured = |offset: f32| {
            let mut averaged = Averaged::<Small>::of(&[&path], &device).expect("it was saved");
            let layout = Layout::of(&averaged.model);
            let mut values = layout.read(&averaged.model);
            for part in layout.parts().iter().filter(|part| part.kind == Kind::Buffer) {
                values[part.range.clone()].iter_mut().for_each(|x| *x += offset);
            }
            averaged.model = layout.write(averaged.model, &values);
            let after = averaged.with_norms_of(&train, 1, &device);
            let kept = layout.parts().iter().filter(|part| part.kind != Kind::Buffer);
            let all = layout.read(&after.model);
            for part in kept {
                assert_eq!(all[part.range.clone()], values[part.range.clone()], "{}", part.name);
            }
            assert_ne!(all, values);
            all
        };
        for (a, b) in measured(0.0).into_iter().zip(measured(3.0)) {
            assert!((a - b).abs() < 1e-4, "{a} {b}");
        }
    }
}
