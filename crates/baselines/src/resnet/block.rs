//! A residual block.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cifake_kernels::{ConvNorm, relu};

use super::config::BlockKind;

/// Two or three convolutions and a shortcut.
#[derive(Module, Debug)]
pub struct ResidualBlock {
    /// The first: 3x3 in a basic block, where it may halve the map, or 1x1.
    pub conv1: ConvNorm,
    /// The second, 3x3. It may halve the map of a bottleneck.
    pub conv2: ConvNorm,
    /// The 1x1 that ends a bottleneck.
    pub conv3: Option<ConvNorm>,
    /// 1x1, where the shortcut changes its shape.
    pub downsample: Option<ConvNorm>,
}

impl ResidualBlock {
    /// A block from `n_in` channels to `width` times the kind's expansion.
    pub(crate) fn new(
        kind: BlockKind,
        [n_in, width]: [usize; 2],
        stride: usize,
        device: &Device,
    ) -> Self {
        let n_out = width * kind.expansion();
        let (conv1, conv2, conv3) = match kind {
            BlockKind::Basic => (
                ConvNorm::full(n_in, width, stride, device),
                ConvNorm::full(width, width, 1, device),
                None,
            ),
            BlockKind::Bottleneck => (
                ConvNorm::pointwise(n_in, width, device),
                ConvNorm::full(width, width, stride, device),
                Some(ConvNorm::pointwise(width, n_out, device)),
            ),
        };
        let reshapes = stride != 1 || n_in != n_out;
        Self {
            conv1,
            conv2,
            conv3,
            downsample: reshapes.then(|| ConvNorm::new([n_in, n_out], 1, stride, 1, device)),
        }
    }

    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut branch = self.conv2.forward(relu(self.conv1.forward(x.clone())));
        if let Some(conv3) = &self.conv3 {
            branch = conv3.forward(relu(branch));
        }
        let shortcut = match &self.downsample {
            Some(downsample) => downsample.forward(x),
            None => x,
        };
        relu(branch + shortcut)
    }
}
