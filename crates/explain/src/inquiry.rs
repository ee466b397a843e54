//! From a picture and its verdict to the report, in one call.

use burn::tensor::Device;
use cifake::{FeatureClassifier, Label, Picture, tensor_from_rgb8};
use gradcam::Cam;

use crate::{Error, Explainer, Provenance, Report, Subject};

/// A detector, a way to see where it looks, and who says why.
pub struct Inquiry<'a> {
    /// The detector that gave the verdicts.
    pub model: &'a dyn FeatureClassifier,
    /// Where its parameters are.
    pub device: &'a Device,
    /// Draws the maps.
    pub cam: &'a Cam,
    /// Names the artifacts.
    pub explainer: &'a dyn Explainer,
}

impl Inquiry<'_> {
    /// The report on `picture`, as the model sees it, which was called `label` with a probability of
    /// being FAKE of `p_fake`; `class` is what it shows, one of CIFAR-10's ten, if known.
    ///
    /// # Errors
    ///
    /// Those of the map and of the explainer.
    pub fn report(
        &self,
        provenance: Provenance,
        picture: &Picture,
        (label, p_fake): (Label, f32),
        class: Option<&str>,
    ) -> Result<Report, Error> {
        let images = tensor_from_rgb8(std::slice::from_ref(picture), self.device)?;
        let map = self.cam.maps(self.model, &images, &[label])?.remove(0);
        let subject = Subject { picture, map: &map, label, p_fake, class };
        let explanation = self.explainer.explain(&subject)?;
        Ok(Report::new(provenance, &subject, explanation))
    }
}
