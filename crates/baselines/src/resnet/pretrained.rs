//! Weights under published names.

use burn::tensor::Device;
use cifake::Error;
use cifake::weights::{Checkpoint, Configured, Mapping, Source};
use cifake_training::Network;

use super::config::ResNetConfig;
use super::{ResNet, build};
use crate::recipe::of_config;

/// The names of torchvision and timm, which are the same for these networks.
pub(crate) const TORCHVISION: Mapping<'static> = Mapping {
    renames: &[
        (r"^conv1\.", "stem.conv."),
        (r"^bn1\.", "stem.bn."),
        (r"^layer1\.", "stages.0."),
        (r"^layer2\.", "stages.1."),
        (r"^layer3\.", "stages.2."),
        (r"^layer4\.", "stages.3."),
        (r"^(stages\.\d+\.\d+)\.conv([123])\.weight$", "${1}.conv${2}.conv.weight"),
        (r"^(stages\.\d+\.\d+)\.bn([123])\.", "${1}.conv${2}.bn."),
        (r"\.downsample\.0\.", ".downsample.conv."),
        (r"\.downsample\.1\.", ".downsample.bn."),
    ],
    ..Mapping::PYTORCH
};

/// The head's weight in published files, `[classes, channels]`.
const HEAD: &str = "fc.weight";

impl ResNetConfig {
    /// A network of this configuration with the weights in `source`: a file of this crate, or one of
    /// torchvision or timm. A head of another number of classes is replaced by one drawn from `seed`.
    ///
    /// # Errors
    ///
    /// Those of [`Checkpoint::open`] and [`Checkpoint::load_into`]; [`Error::WeightConfig`] for a file of this
    /// crate with another configuration.
    pub fn load_for_fine_tuning<'a>(
        &self,
        source: impl Into<Source<'a>>,
        seed: u64,
        device: &Device,
    ) -> Result<ResNet, Error> {
        let checkpoint = Checkpoint::open(source.into())?;
        if checkpoint.info().metadata.contains_key(ResNet::KEY) {
            return of_config(&checkpoint, self, device);
        }
        let n_classes = match checkpoint.shapes().get(HEAD).map(Vec::as_slice) {
            Some(&[n_classes, channels]) if channels == self.channels()[3] => n_classes,
            _ => 1,
        };
        let mut model = build(self, n_classes, device);
        checkpoint.load_into(&mut model, &TORCHVISION)?;
        if n_classes != 1 {
            model.fc = ResNet::draw(self, seed, device).fc;
        }
        Ok(model)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use cifake::weights::{Precision, to_bytes};

    use super::*;

    /// Names and shapes of torchvision's resnet50.
    const RESNET50: &str = include_str!("../../tests/fixtures/resnet50.keys.txt");

    #[test]
    fn names_and_sizes_are_those_of_torchvisions_resnet50() {
        let narrow = ResNetConfig { widths: [1; 4], ..ResNetConfig::resnet50() };
        let model = ResNet::build(&narrow, &Device::flex());
        let bytes = to_bytes(&model, &Mapping::PYTORCH, &BTreeMap::new(), Precision::F32);
        let bytes = bytes.expect("it is small");
        let source = Source::Bytes { name: "narrow", bytes: &bytes };
        let checkpoint = Checkpoint::open(source).expect("it was just written");
        let ours: BTreeSet<String> = checkpoint.shapes().into_keys().map(str::to_owned).collect();
        let rows = || RESNET50.lines().filter_map(|line| line.split_once(' '));
        let theirs: BTreeSet<String> = rows().map(|(key, _)| TORCHVISION.rename(key)).collect();
        assert_eq!(ours, theirs);
        let n_values =
            |shape: &str| shape.split('x').map(|n| n.parse::<u64>().unwrap_or(0)).product::<u64>();
        let all: u64 = rows().map(|(_, shape)| n_values(shape)).sum();
        let classes = 999 * (2048 + 1);
        assert_eq!(ResNet::n_values(&ResNetConfig::resnet50()), all - classes);
    }

    #[test]
    fn a_head_of_other_classes_is_drawn_anew() {
        let config = ResNetConfig { widths: [2; 4], depths: [1; 4], ..ResNetConfig::resnet18_32() };
        let device = Device::flex();
        let of_three = build(&config, 3, &device);
        let bytes = to_bytes(&of_three, &Mapping::PYTORCH, &BTreeMap::new(), Precision::F32);
        let bytes = bytes.expect("it is small");
        let source = || Source::Bytes { name: "three", bytes: &bytes };
        let load = |seed| config.load_for_fine_tuning(source(), seed, &device).expect("it fits");
        let weight = |model: &ResNet| model.fc.weight.val().into_data();
        assert_eq!(load(1).fc.weight.dims(), [2, 1]);
        assert_ne!(weight(&load(1)), weight(&load(2)));
    }
}
