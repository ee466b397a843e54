//! A picture as a detector sees it.

use std::path::Path;

use anyhow::Result;
use burn::tensor::Device;
use cifake::{Detector, Label, Picture, tensor_from_rgb8};
use explain::Subject;
use gradcam::{Cam, HeatMap, Method};

/// A picture and where the detector looked.
pub struct Seen {
    /// The picture.
    pub picture: Picture,
    /// The map of the detector for FAKE.
    pub map: HeatMap,
    p_fake: f32,
}

impl Seen {
    /// The picture in `file`, whose probability is `p_fake`.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn read(file: &Path, p_fake: f32, detector: &Detector, device: &Device) -> Result<Self> {
        let (width, height) = detector.input_size();
        let picture = detector.decoder().read_fitted(file, width, height)?.picture;
        let images = tensor_from_rgb8(std::slice::from_ref(&picture), device)?;
        let cam = Cam::new(Method::default());
        let map = cam.maps(detector.classifier(), &images, &[Label::Fake])?.remove(0);
        Ok(Self { picture, map, p_fake })
    }

    /// Grey, under no map.
    ///
    /// # Errors
    ///
    /// If a side is 0.
    pub fn blank((width, height): (u32, u32)) -> Result<Self> {
        let picture = Picture::new(vec![128; (width * height * 3) as usize], width, height)?;
        Ok(Self { picture, map: HeatMap::scaled(vec![0.0], 1, 1), p_fake: 1.0 })
    }

    /// As what is to be explained.
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        let (picture, map, p_fake) = (&self.picture, &self.map, self.p_fake);
        Subject { picture, map, label: Label::Fake, p_fake, class: None }
    }
}
