//! The upscalers that are measured.

use std::path::Path;

use anyhow::Result;
use burn::tensor::Device;
use cifake::weights::Source;
use explain::upscale::{Fsrcnn, Interpolation, RealEsrgan, Upscaler};

/// Interpolations, and the networks in `networks`: FSRCNN in `fsrcnn/`, Real-ESRGAN in `realesrgan/`.
///
/// # Errors
///
/// If a weight file is missing, or holds another network.
pub fn upscalers(networks: Option<&Path>) -> Result<Vec<Box<dyn Upscaler>>> {
    let mut found: Vec<Box<dyn Upscaler>> = vec![
        Box::new(Interpolation::Lanczos(2)),
        Box::new(Interpolation::Lanczos(4)),
        Box::new(Interpolation::Bicubic(4)),
    ];
    if let Some(folder) = networks {
        let device = Device::flex();
        for name in ["FSRCNN_x2", "FSRCNN_x4"] {
            let file = folder.join(format!("fsrcnn/{name}.safetensors"));
            found.push(Box::new(Fsrcnn::load(Source::File(&file), &device)?));
        }
        let file = folder.join("realesrgan/realesr-animevideov3-x4.safetensors");
        found.push(Box::new(RealEsrgan::load(Source::File(&file), &device)?));
    }
    Ok(found)
}
