//! Upscalers: interpolation, FSRCNN and Real-ESRGAN.
//!
//! Language models see more of an enlarged picture, but enlarging adds traces of its own. These
//! upscalers serve to measure that effect.
//!
//! ```
//! use cifake::Picture;
//! use explain::upscale::{Interpolation, Upscaler};
//!
//! let picture = Picture::new(vec![90; 32 * 32 * 3], 32, 32)?;
//! let large = Interpolation::Lanczos(4).upscale(&picture)?;
//! assert_eq!((large.width(), large.height()), (128, 128));
//! # Ok::<(), explain::Error>(())
//! ```

mod compact;
mod fsrcnn;
mod interpolation;
mod network;
mod upscaler;

pub use compact::RealEsrgan;
pub use fsrcnn::Fsrcnn;
pub use interpolation::Interpolation;
pub use upscaler::Upscaler;

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use burn::tensor::{Device, Tensor};
    use cifake::Picture;
    use cifake::weights::Source;
    use testkit::{Fixture, assert_close};

    use super::*;

    /// Largest difference from the reference in numpy, of values of 0 to 1.
    const LIMIT: f32 = 1e-5;

    fn file(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
    }

    fn picture(fixture: &Fixture) -> Picture {
        let pixels = fixture.get("picture").expect("the fixture holds it").iter::<f32>();
        Picture::new(pixels.map(|value| value as u8).collect(), 7, 5).expect("7x5")
    }

    #[test]
    fn fsrcnn_gives_the_luma_of_the_reference_and_keeps_the_color() {
        let fixture = Fixture::load(file("upscaled.safetensors"));
        let device = Device::flex();
        let network = Fsrcnn::load(Source::File(&file("fsrcnn.safetensors")), &device);
        let network = network.expect("it is one");
        assert_eq!(network.name(), "FSRCNN x2");
        let picture = picture(&fixture);
        let images = cifake::tensor_from_rgb8(std::slice::from_ref(&picture), &device);
        let weights = Tensor::<1>::from_floats([0.299, 0.587, 0.114], &device);
        let luma = (images.expect("one") * weights.reshape([1, 3, 1, 1])).sum_dim(1);
        let expected: Tensor<4> = fixture.tensor("fsrcnn.luma", &device);
        assert_close(&network.luma(luma), &expected, LIMIT, "luma");
        let large = network.upscale(&picture).expect("it is small");
        assert_eq!((large.width(), large.height()), (14, 10));
    }

    #[test]
    fn real_esrgan_gives_the_picture_of_the_reference() {
        let fixture = Fixture::load(file("upscaled.safetensors"));
        let network = RealEsrgan::load(Source::File(&file("compact.safetensors")), &Device::flex());
        let network = network.expect("it is one");
        let large = network.upscale(&picture(&fixture)).expect("it is small");
        assert_eq!((network.name().as_str(), large.width()), ("Real-ESRGAN x2", 14));
        let expected = fixture.get("compact").expect("the fixture holds it").iter::<f32>();
        for (ours, theirs) in large.pixels().iter().zip(expected) {
            assert!((f32::from(*ours) - theirs).abs() <= 0.51, "{ours}, not {theirs}");
        }
    }

    #[test]
    fn a_file_of_another_network_is_refused_by_the_weight() {
        let device = Device::flex();
        let load = |fixture: &Fixture| {
            let bytes = fixture.to_safetensors();
            Fsrcnn::load(Source::Bytes { name: "weights", bytes: &bytes }, &device)
        };
        let whole = Fixture::load(file("fsrcnn.safetensors"));
        assert!(load(&whole).is_ok());
        let refused = |fixture: &Fixture| load(fixture).expect_err("it is refused").to_string();
        let mut fewer = whole.clone();
        fewer.remove("prelu2.weight");
        assert!(refused(&fewer).contains("prelu2.weight"), "{}", refused(&fewer));
        let mut more = whole.clone();
        more.insert("conv9.bias", burn::tensor::TensorData::from([1.0f32]));
        assert!(refused(&more).contains("conv9.bias"), "{}", refused(&more));
        let mut other = whole.clone();
        other.insert("conv3.bias", burn::tensor::TensorData::from([1.0f32]));
        assert!(refused(&other).contains("conv3.bias"), "{}", refused(&other));
        let mut broken = whole.clone();
        broken.insert("out.bias", burn::tensor::TensorData::from([f32::NAN]));
        assert!(load(&broken).is_err());
        let compact = Fixture::load(file("compact.safetensors"));
        assert!(refused(&compact).contains("conv1.weight"));
    }

    #[test]
    fn the_published_networks_load_where_they_are() {
        let Some(shared) = std::env::var_os("CIFAKE_SHARED") else { return };
        let (folder, device) = (PathBuf::from(shared).join("weights"), Device::flex());
        let picture = Picture::new([200, 100, 50].repeat(8 * 8), 8, 8).expect("8x8");
        let [x2, x4] = ["FSRCNN_x2", "FSRCNN_x4"].map(|name| {
            let file = folder.join(format!("fsrcnn/{name}.safetensors"));
            Fsrcnn::load(Source::File(&file), &device).expect("it is published")
        });
        let file = folder.join("realesrgan/realesr-animevideov3-x4.safetensors");
        let esrgan = RealEsrgan::load(Source::File(&file), &device).expect("it is published");
        for upscaler in [&x2 as &dyn Upscaler, &x4, &esrgan] {
            let large = upscaler.upscale(&picture).expect("it is small");
            assert_eq!(large.width(), 8 * upscaler.factor());
            // In the middle of an even color that color remains.
            let at = ((large.height() / 2 * large.width() + large.width() / 2) * 3) as usize;
            for (ours, given) in large.pixels()[at..at + 3].iter().zip([200u8, 100, 50]) {
                assert!(ours.abs_diff(given) <= 8, "{}: {ours}, not {given}", upscaler.name());
            }
        }
    }
}
