//! Data sets of residues, on which DIRE's classifier is trained.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use cifake::file::{read_limited, write_atomic};
use cifake::weights::sha256_hex;
use cifake::{
    Dataset, Decoder, Error, Label, load_pixels, rgb8_from_tensor, tensor_from_flat_rgb8,
};
use cifake_optim::first_difference;
use cifake_training::TrainError;
use serde::{Deserialize, Serialize};

use super::{Diffusion, Reconstructor, UNet, UNetConfig};

/// The file that says what a set was made of.
const RECORD: &str = "residues.json";
/// Largest record that is read.
const MAX_BYTES: u64 = 1 << 16;

/// The settings that a set of residues is made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResidueSettings {
    /// SHA-256 of the UNet's weight file.
    pub unet: String,
    /// Steps that the UNet learned.
    pub learned_steps: usize,
    /// Steps that the inversion takes, and the reconstruction.
    pub steps: usize,
}

/// The origin of a set. A set of another origin is not added to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    settings: ResidueSettings,
    /// SHA-256 over the names of the pictures.
    names: String,
    n_pictures: usize,
}

/// The residues of labelled pictures as a data set of class folders.
pub struct ResidueSet<'a> {
    settings: ResidueSettings,
    reconstructor: Reconstructor,
    side: usize,
    dataset: &'a dyn Dataset,
    indices: Vec<usize>,
}

impl<'a> ResidueSet<'a> {
    /// The residues of the pictures `indices` of `dataset`, by `unet`, which must have been built from `config`.
    ///
    /// # Errors
    ///
    /// [`TrainError::Config`] where there is no such diffusion.
    pub fn new(
        (unet, config): (&UNet, &UNetConfig),
        settings: ResidueSettings,
        dataset: &'a dyn Dataset,
        indices: Vec<usize>,
    ) -> Result<Self, TrainError> {
        let diffusion = Diffusion::linear(settings.learned_steps, settings.steps);
        let diffusion = diffusion.map_err(|error| TrainError::Config(error.to_string()))?;
        let reconstructor = Reconstructor::new(unet, diffusion);
        Ok(Self { settings, reconstructor, side: config.image_size, dataset, indices })
    }

    /// Writes `folder/REAL/N.png` and `folder/FAKE/N.png`, both labels in one format: where they differ, a
    /// classifier learns the format. N is the picture's place in the data set.
    ///
    /// Pictures that are there already are left as they are, so that a broken-off set is finished.
    /// `progress` gets the pictures done and all of them, after each batch of `batch_size`.
    ///
    /// # Errors
    ///
    /// [`TrainError::OtherRun`] for a folder with a set of other settings or pictures; a picture that cannot be
    /// read; a file that cannot be written.
    ///
    /// # Panics
    ///
    /// If `batch_size` is 0.
    pub fn write(
        &self,
        folder: &Path,
        batch_size: usize,
        (decoder, device): (&Decoder, &Device),
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(), TrainError> {
        for label in Label::ALL {
            let path = folder.join(label.to_string());
            let failed = |source| Error::Write { path: path.clone(), source };
            std::fs::create_dir_all(&path).map_err(failed)?;
        }
        self.must_belong_to(&folder.join(RECORD))?;
        let missing: Vec<usize> =
            self.indices.iter().copied().filter(|&idx| !self.file(folder, idx).exists()).collect();
        let total = self.indices.len();
        let mut done = total - missing.len();
        progress(done, total);
        for part in missing.chunks(batch_size) {
            let side = u32::try_from(self.side).expect("a valid network is small");
            let pixels = load_pixels(self.dataset, part, (side, side), decoder)?;
            let images = tensor_from_flat_rgb8(&pixels, self.side, self.side, device);
            let pictures = rgb8_from_tensor(self.reconstructor.residue(images));
            for (&idx, picture) in part.iter().zip(pictures) {
                write_atomic(&self.file(folder, idx), &picture.to_png())?;
            }
            done += part.len();
            progress(done, total);
        }
        Ok(())
    }

    fn file(&self, folder: &Path, idx: usize) -> PathBuf {
        let label = self.dataset.samples()[idx].label;
        folder.join(label.to_string()).join(format!("residue-{idx:06}.png"))
    }

    /// Writes the record where there is none; another is an error.
    fn must_belong_to(&self, path: &Path) -> Result<(), TrainError> {
        let names: Vec<&str> =
            self.indices.iter().map(|&idx| self.dataset.samples()[idx].id.as_str()).collect();
        let record = Record {
            settings: self.settings.clone(),
            names: sha256_hex(names.join("\n").as_bytes()),
            n_pictures: names.len(),
        };
        if !path.exists() {
            let json = serde_json::to_vec(&record).expect("plain data has a JSON form");
            return Ok(write_atomic(path, &json)?);
        }
        let found = read_limited(path, MAX_BYTES)?;
        let found: serde_json::Value = serde_json::from_slice(&found).unwrap_or_default();
        match first_difference(&found, &record) {
            None => Ok(()),
            Some(difference) => {
                let (path, differs) = (path.to_owned(), format!("set of residues ({difference})"));
                Err(TrainError::OtherRun { path, differs })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use cifake::weights::Configured as _;
    use cifake::{Split, open_dataset};

    use super::*;

    #[test]
    fn a_set_is_finished_with_the_same_bytes_and_read_as_a_data_set() {
        let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini");
        let dataset = open_dataset(&mini, Some(Split::Train)).expect("the mini set is there");
        let config = UNetConfig {
            image_size: 8,
            model_channels: 4,
            channel_mult: vec![1, 1],
            num_head_channels: Some(4),
            num_groups: 2,
            ..UNetConfig::ddpm_32()
        };
        let unet = UNet::build(&config, &Device::flex());
        let samples = dataset.samples();
        let of = |label| {
            let is = move |idx: &usize| samples[*idx].label == label;
            (0..samples.len()).filter(is).take(2)
        };
        let indices: Vec<usize> = of(Label::Real).chain(of(Label::Fake)).collect();
        let settings = ResidueSettings { unet: "a".into(), learned_steps: 20, steps: 2 };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |settings: &ResidueSettings, batch: usize| {
            let set =
                ResidueSet::new((&unet, &config), settings.clone(), &*dataset, indices.clone())
                    .expect("a stride of 10");
            let mut seen = Vec::new();
            let with = (&Decoder::default(), &Device::flex());
            set.write(folder.path(), batch, with, &mut |done, total| seen.push([done, total]))?;
            Ok::<_, TrainError>(seen)
        };
        assert_eq!(write(&settings, 3).expect("room"), [[0, 4], [3, 4], [4, 4]]);
        let file = folder.path().join(format!("FAKE/residue-{:06}.png", indices[2]));
        let bytes = std::fs::read(&file).expect("it was written");
        std::fs::remove_file(&file).expect("it was written");
        assert_eq!(write(&settings, 1).expect("room"), [[3, 4], [4, 4]]);
        assert_eq!(std::fs::read(&file).expect("it was written again"), bytes);
        let found = open_dataset(folder.path(), None).expect("class folders");
        let labels: Vec<Label> = found.samples().iter().map(|sample| sample.label).collect();
        assert_eq!(labels.iter().filter(|label| **label == Label::Real).count(), 2);
        assert_eq!(labels.len(), 4);
        let picture = Decoder::default().decode(&bytes).expect("a PNG");
        assert!(picture.pixels().iter().any(|level| *level > 0), "the network gives back nothing");
        let error = write(&ResidueSettings { steps: 4, ..settings }, 1).expect_err("other steps");
        assert!(error.to_string().contains("settings.steps"), "{error}");
    }
}
