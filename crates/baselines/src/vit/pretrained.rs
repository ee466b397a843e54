//! Weights under published names.

use burn::nn::LinearConfig;
use burn::tensor::{Device, Tensor, TensorData};
use cifake::Error;
use cifake::weights::{Checkpoint, Configured, Source, configured_from};
use cifake_vit::{VitConfig, published_head};

use super::{VitDetector, draw_head};

impl VitDetector {
    /// A network of `config` with the weights in `source`: a file of this crate, or one of timm, Hugging Face,
    /// OpenAI or open_clip. Positions of another picture size are resampled. A head of another number of classes
    /// is replaced by one drawn from `seed`.
    ///
    /// # Errors
    ///
    /// Those of [`Checkpoint::open`] and [`VitConfig::load_checkpoint`]; [`Error::WeightConfig`] for a file of
    /// this crate with another configuration.
    pub fn load_for_fine_tuning<'a>(
        config: &VitConfig,
        source: impl Into<Source<'a>>,
        seed: u64,
        device: &Device,
    ) -> Result<Self, Error> {
        let checkpoint = Checkpoint::open(source.into())?;
        if checkpoint.info().metadata.contains_key(Self::KEY) {
            let (model, found) = configured_from::<Self>(&checkpoint, device)?;
            let shape = |config: &VitConfig| VitConfig { drop_path: 0.0, ..config.clone() };
            if shape(&found) == shape(config) {
                return Ok(model);
            }
            let reason = "it is another than that of the recipe".to_owned();
            return Err(Error::WeightConfig { path: checkpoint.path().to_owned(), reason });
        }
        let network = config.load_checkpoint(&checkpoint, device)?;
        let dim = config.embedding_dim();
        let head = match published_head(&checkpoint) {
            Some([weight, bias]) if weight.shape()[..] == [1, dim] && bias.shape()[..] == [1] => {
                let mut head = LinearConfig::new(dim, 1).init(device);
                let column = TensorData::new(floats(weight), [dim, 1]);
                head.weight = head.weight.map(|_| Tensor::from_data(column, device));
                head.bias = head.bias.map(|old| old.map(|_| Tensor::from_data(bias, device)));
                head
            }
            _ => draw_head(dim, seed, device),
        };
        Ok(Self { network, head })
    }
}

fn floats(data: TensorData) -> Vec<f32> {
    data.try_to_vec().expect("a checkpoint holds its floats as f32")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use cifake::weights::{Mapping, Precision, save_configured, to_bytes};
    use cifake_training::Network;

    use super::*;

    fn small() -> VitConfig {
        VitConfig { dim: 8, n_heads: 2, depth: 1, d_mlp: 8, ..VitConfig::small_32() }
    }

    /// A file under timm's names with a head of `classes`.
    fn published(config: &VitConfig, classes: usize) -> Vec<u8> {
        let network = config.draw(3, &Device::flex());
        let bytes = to_bytes(&network, &Mapping::PYTORCH, &BTreeMap::new(), Precision::F32);
        let source = |bytes| Source::Bytes { name: "timm", bytes };
        let bytes = bytes.expect("it is small");
        let checkpoint = Checkpoint::open(source(&bytes)).expect("it was just written");
        let keys = checkpoint.shapes().into_keys();
        let mut tensors: Vec<(String, TensorData)> =
            keys.filter_map(|key| Some((key.to_owned(), checkpoint.tensor(key)?))).collect();
        let weight = (0..classes * config.dim).map(|at| at as f32).collect::<Vec<_>>();
        tensors.push(("head.weight".into(), TensorData::new(weight, [classes, config.dim])));
        tensors.push(("head.bias".into(), TensorData::new(vec![0.5f32; classes], [classes])));
        cifake::weights::encode(&tensors, &BTreeMap::new())
    }

    #[test]
    fn a_head_of_one_class_is_kept_and_one_of_others_drawn_anew() {
        let (config, device) = (small(), Device::flex());
        let load = |bytes: &[u8], seed| {
            let source = Source::Bytes { name: "timm", bytes };
            let model = VitDetector::load_for_fine_tuning(&config, source, seed, &device);
            floats(model.expect("it fits").head.weight.val().into_data())
        };
        let one = published(&config, 1);
        assert_eq!(load(&one, 1), (0..8).map(|at| at as f32).collect::<Vec<_>>());
        let three = published(&config, 3);
        assert_ne!(load(&three, 1), load(&three, 2));
        assert!(load(&three, 1).iter().all(|weight| weight.abs() < 0.2));
    }

    #[test]
    fn own_files_are_those_of_the_same_shape() {
        let (config, device) = (small(), Device::flex());
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("vit.safetensors");
        let model = VitDetector::draw(&config, 1, &device);
        save_configured(&model, &config, &[].into(), Precision::F32, &path).expect("room");
        let load = |config| VitDetector::load_for_fine_tuning(config, path.as_path(), 1, &device);
        let other_rate = VitConfig { drop_path: 0.3, ..config.clone() };
        assert!(load(&other_rate).is_ok());
        let deeper = VitConfig { depth: 2, ..config };
        assert!(matches!(load(&deeper), Err(Error::WeightConfig { .. })));
    }
}
