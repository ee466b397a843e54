//! Published towers and heads.

use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use cifake::Error;
use cifake::weights::{Checkpoint, Source};
use cifake_vit::Vit;

use super::{ClipConfig, ClipDetector};

/// The projection's name in published files, and the axis of its outputs.
const PROJECTIONS: [(&str, usize); 3] =
    [("visual.proj", 1), ("proj", 1), ("visual_projection.weight", 0)];

impl ClipConfig {
    /// A detector with the tower in the file `tower`, under the names of OpenAI, open_clip or Hugging Face, and the
    /// head in the file `head`, such as UnivFD's `fc_weights.pth`. Without a file the head is drawn from `seed` and
    /// is to be [fitted](super::HeadTraining).
    ///
    /// # Errors
    ///
    /// [`Error::WeightConfig`] for a tower with a projection of another length than the configuration's, or with
    /// none, and for a head of other layers; those of [`Checkpoint::open`] and
    /// [`load_checkpoint`](cifake_vit::VitConfig::load_checkpoint).
    pub fn load(
        &self,
        tower: Source<'_>,
        head: Option<Source<'_>>,
        seed: u64,
        device: &Device,
    ) -> Result<ClipDetector, Error> {
        let checkpoint = Checkpoint::open(tower)?;
        self.check_projection(&checkpoint)?;
        self.around(self.tower.load_checkpoint(&checkpoint, device)?, head, seed, device)
    }

    /// A detector around `tower`, with the head of [`load`](Self::load).
    ///
    /// # Errors
    ///
    /// [`Error::WeightConfig`] for a head of other layers; those of [`Checkpoint::open`].
    pub fn around(
        &self,
        tower: Vit,
        head: Option<Source<'_>>,
        seed: u64,
        device: &Device,
    ) -> Result<ClipDetector, Error> {
        let mut model = ClipDetector::around(tower, self, seed, device);
        if let Some(head) = head {
            load_head(&mut model.head, &Checkpoint::open(head)?)?;
        }
        Ok(model)
    }

    fn check_projection(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let Some(expected) = self.tower.projection else { return Ok(()) };
        let shapes = checkpoint.shapes();
        let found = PROJECTIONS.iter().find_map(|&(key, axis)| shapes.get(key)?.get(axis).copied());
        match found {
            Some(found) if found == expected => Ok(()),
            Some(found) => Err(broken(
                checkpoint,
                format!(
                    "its projection gives {found} values, the tower of the configuration {expected}; \
                     choose the tower that the file holds"
                ),
            )),
            None => Err(broken(
                checkpoint,
                "it holds no projection, and hidden tokens are no substitute; take the file of the whole \
                 CLIP model"
                    .to_owned(),
            )),
        }
    }
}

fn broken(checkpoint: &Checkpoint, reason: String) -> Error {
    Error::WeightConfig { path: checkpoint.path().to_owned(), reason }
}

/// Puts the linear layers of a file into `head`: `weight` and `bias` of one layer, or those of several under names
/// that end in the layer's number, in its order.
fn load_head(head: &mut [Linear], checkpoint: &Checkpoint) -> Result<(), Error> {
    let shapes = checkpoint.shapes();
    let mut layers: Vec<(u64, &str)> = shapes
        .keys()
        .filter_map(|key| key.strip_suffix("weight"))
        .map(|layer| (number_of(layer), layer))
        .collect();
    layers.sort_unstable();
    let expected: Vec<_> = head.iter().map(|layer| layer.weight.dims()).collect();
    let found: Vec<_> = layers
        .iter()
        .map(|(_, layer)| match shapes[format!("{layer}weight").as_str()][..] {
            [out, inputs] => [inputs, out],
            _ => [0, 0],
        })
        .collect();
    if found != expected || shapes.len() != 2 * layers.len() {
        let texts = |layers: &[[usize; 2]]| {
            let text = |[inputs, out]: &[usize; 2]| format!("{inputs} to {out}");
            layers.iter().map(text).collect::<Vec<_>>().join(", ")
        };
        return Err(broken(
            checkpoint,
            format!(
                "its head has the layers {}, the configuration {}; a head belongs to one tower: take that of \
                 this tower's projected embedding, or leave it out and fit one",
                texts(&found),
                texts(&expected)
            ),
        ));
    }
    for (layer, (_, name)) in head.iter_mut().zip(&layers) {
        let tensor = |part: &str| {
            let key = format!("{name}{part}");
            let missing = || Error::MissingWeights {
                path: checkpoint.path().to_owned(),
                keys: vec![key.clone()],
            };
            checkpoint.tensor(&key).ok_or_else(missing)
        };
        let (weight, bias) = (tensor("weight")?, tensor("bias")?);
        let [inputs, outputs] = layer.weight.dims();
        if bias.shape()[..] != [outputs] {
            let (path, found) = (checkpoint.path().to_owned(), bias.shape().to_vec());
            let key = format!("{name}bias");
            return Err(Error::WeightShape { path, key, expected: vec![outputs], found });
        }
        let device = layer.weight.val().device();
        let matrix =
            Tensor::<2>::from_data(TensorData::new(floats(weight), [outputs, inputs]), &device);
        layer.weight = layer.weight.clone().map(|_| matrix.transpose());
        let bias = Tensor::<1>::from_data(bias, &device);
        layer.bias = layer.bias.take().map(|old| old.map(|_| bias));
    }
    Ok(())
}

/// The last number in a name, 0 where it has none.
fn number_of(layer: &str) -> u64 {
    layer.rsplit('.').find_map(|part| part.parse().ok()).unwrap_or(0)
}

fn floats(data: TensorData) -> Vec<f32> {
    data.try_to_vec().expect("a checkpoint holds its floats as f32")
}
