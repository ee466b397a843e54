//! Class activation maps: the places of a picture on which a detector's verdict rests.
//!
//! They can be made for every network that can be cut at a layer
//! ([`FeatureClassifier`](cifake::FeatureClassifier)).
//!
//! ```
//! # use burn::tensor::{Device, Tensor};
//! # use cifake::{Classifier, Differentiable, FeatureClassifier, Layer};
//! use cifake::Label;
//! use gradcam::{Cam, Method, Region, regions};
//!
//! # struct Detector(Layer);
//! # impl Classifier for Detector {
//! #     fn logits(&self, images: Tensor<4>) -> Tensor<2> { self.head(self.features(images, &self.0), &self.0) }
//! # }
//! # impl Differentiable for Detector {}
//! # impl FeatureClassifier for Detector {
//! #     fn layers(&self) -> &[Layer] { std::slice::from_ref(&self.0) }
//! #     fn features(&self, images: Tensor<4>, _: &Layer) -> Tensor<4> { images }
//! #     fn head(&self, x: Tensor<4>, _: &Layer) -> Tensor<2> {
//! #         let batch = x.dims()[0];
//! #         let z = x.reshape([batch as i32, -1]).mean_dim(1);
//! #         Tensor::cat(vec![z.zeros_like(), z], 1)
//! #     }
//! # }
//! # let layer = Layer { name: "pixels".to_owned(), channels: 3, height: 8, width: 8 };
//! # let model = Detector(layer);
//! # let corner = Tensor::<4>::ones([1, 3, 4, 4], &Device::flex());
//! # let images = Tensor::zeros([1, 3, 8, 8], &Device::flex()).slice_assign([0..1, 0..3, 0..4, 0..4], corner);
//! let maps = Cam::new(Method::GradCam).maps(&model, &images, &[Label::Fake])?;
//! assert_eq!(regions(&maps[0])[0].region, Region::TopLeft);
//! # Ok::<(), gradcam::Error>(())
//! ```
//!
//! | method | weights of the activations |
//! |---|---|
//! | [`Method::GradCam`] | mean gradient of a channel (Selvaraju et al. 2017, arXiv 1610.02391) |
//! | [`Method::GradCamPlusPlus`] | mean of its positive part, weighted by place (Chattopadhay et al. 2018, arXiv 1710.11063) |
//! | [`Method::HiResCam`] | the gradient of each value (Draelos and Carin 2020, arXiv 2011.08891) |
//! | [`Method::LayerCam`] | the positive part of the gradient of each value (Jiang et al. 2021) |
//! | [`Method::XGradCam`] | mean gradient weighted by activation (Fu et al. 2020, arXiv 2008.02312) |
//! | [`Method::EigenCam`] | first principal component, no gradient (Muhammad and Yeasin 2020, arXiv 2008.00299) |
//!
//! A map shows the places that raise a [`Target`]: the score of a class, the margin between two
//! classes, or a channel of the layer.
//!
//! A map may be wrong. [`faithfulness`] measures it, beside a random map and one that always points
//! to the center. [`mean_rank_correlation`] compares maps with those of a network with random
//! weights: a method that depends on training gives different maps.

mod cam;
mod error;
mod faithfulness;
mod heat_map;
mod method;
mod overlay;
mod region;
mod target;

pub use cam::Cam;
pub use error::Error;
pub use faithfulness::{
    Faithfulness, FaithfulnessReport, FaithfulnessRow, deletion, faithfulness, insertion,
};
pub use heat_map::{HeatMap, mean_rank_correlation, rank_correlation};
pub use method::{Method, UnknownMethod};
pub use overlay::{Colormap, overlay, reduced};
pub use region::{Region, RegionShare, UnknownRegion, regions};
pub use target::Target;
