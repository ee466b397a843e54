//! The making of class activation maps.

use gradcam::{Cam, Method};

/// The settings of maps, beside the method.
#[derive(Debug, Clone, clap::Args)]
pub struct CamArgs {
    /// Layer at which the network is cut [default: the last of at least 8x8].
    #[arg(long)]
    layer: Option<String>,
    /// Average with the map of the mirrored picture.
    #[arg(long)]
    flips: bool,
}

impl CamArgs {
    /// The maker of maps by `method`.
    #[must_use]
    pub fn cam(&self, method: Method) -> Cam {
        let cam = Cam::new(method);
        let cam = if let Some(layer) = &self.layer { cam.at(layer) } else { cam };
        if self.flips { cam.with_flips() } else { cam }
    }
}
