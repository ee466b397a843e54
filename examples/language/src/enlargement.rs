//! What is done to small pictures, by name.

use vlm_lora::image::{Enlargement, Interpolation};

/// Colour of a canvas: neither dark nor light.
const GROUND: [u8; 3] = [128; 3];

/// The enlargement called `name`: for the arguments of a program.
pub(crate) fn enlargement_named(name: &str) -> Result<Enlargement, String> {
    let wrong = || "off, upscale:PIXELS or canvas:PIXELS, such as upscale:224".to_owned();
    if name == "off" {
        return Ok(Enlargement::Off);
    }
    let (kind, pixels) = name.split_once(':').ok_or_else(wrong)?;
    let pixels = pixels.parse().map_err(|_| wrong())?;
    match kind {
        "upscale" => Ok(Enlargement::Upscaled {
            shorter_side: pixels,
            interpolation: Interpolation::Bicubic,
        }),
        "canvas" => Ok(Enlargement::Canvas { side: pixels, ground: GROUND }),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enlargements_have_names_and_sizes() {
        assert_eq!(enlargement_named("off"), Ok(Enlargement::Off));
        assert_eq!(
            enlargement_named("canvas:600"),
            Ok(Enlargement::Canvas { side: 600, ground: GROUND })
        );
        for wrong in ["", "upscale", "upscale:", "upscale:-1", "zoom:2"] {
            assert!(enlargement_named(wrong).is_err(), "{wrong}");
        }
    }
}
