//! Pixels as transformers' processors make them, to the bit.

use std::fmt::Write;

use serde_json::Value;
use sha2::{Digest, Sha256};
use vlm_lora::image::{Enlargement, MultiCropProcessor, PreprocessorConfig, Qwen2VlProcessor};

use crate::fixture::{case, golden, numbers, picture};

fn digest(values: &[f32]) -> String {
    let mut hash = Sha256::new();
    values.iter().for_each(|value| hash.update(value.to_le_bytes()));
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes text");
        text
    })
}

/// Height, width and record of each size.
fn sizes() -> Vec<([u32; 2], Value)> {
    let Value::Object(sizes) = case("pixels") else { panic!("an object") };
    let parsed = |(size, record): (String, Value)| {
        let (height, width) = size.split_once('x').expect("height x width");
        ([height, width].map(|side| side.parse().expect("a number")), record)
    };
    sizes.into_iter().map(parsed).collect()
}

#[test]
fn patches_are_transformers_to_the_bit() {
    let processor = Qwen2VlProcessor::default();
    for [height, width] in [[32, 32], [70, 43], [56, 100], [301, 17]] {
        let name = format!("pixels_{height}x{width}");
        let ours =
            processor.process(&[picture(height, width)], Enlargement::Off).expect("a picture");
        let theirs = golden(&name).get("patches").expect("it is there").clone();
        assert_eq!(theirs.shape().to_vec()[1], ours.form.patch_len());
        let theirs: Vec<f32> = theirs.try_to_vec().expect("f32");
        let first = ours.values.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs);
        assert_eq!(first, None, "{name} differs there first");
        assert_eq!(ours.values.len(), theirs.len());
    }
}

#[test]
fn patches_of_many_sizes_have_transformers_digest() {
    let published = Qwen2VlProcessor::default();
    let larger = published.clone().with_pixels(64 * 784, 100 * 784).expect("in bounds");
    let sizes = sizes();
    assert_eq!(sizes.len(), 12);
    for (sides, record) in sizes {
        for (processor, digest_of) in [(&published, "patches"), (&larger, "64_to_100_tokens")] {
            let picture = picture(sides[0], sides[1]);
            let ours = processor.process(&[picture], Enlargement::Off).expect("a picture");
            assert_eq!(digest(&ours.values), record[digest_of], "{sides:?} {digest_of}");
        }
        let grid = published.grid(sides).expect("no strip");
        assert_eq!(
            [1, grid.height as u32, grid.width as u32].to_vec(),
            numbers(&record["grid"]),
            "{sides:?}"
        );
    }
}

#[test]
fn squares_are_siglips_to_the_bit() {
    let config = PreprocessorConfig::from_bytes(br#"{"size": {"height": 48, "width": 48}}"#);
    let small = MultiCropProcessor::from_config(&config.expect("JSON")).expect("in bounds");
    let golden = golden("siglip");
    for [height, width] in [[32, 32], [70, 43], [56, 100], [301, 17]] {
        let ours = small.process(&picture(height, width), Enlargement::Off).expect("a picture");
        let theirs = golden.get(&format!("{height}x{width}")).expect("it is there");
        let theirs: Vec<f32> = theirs.try_to_vec().expect("f32");
        let first = ours.values.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs);
        assert_eq!(first, None, "{height}x{width} differs there first");
    }
    for (sides, record) in sizes() {
        let picture = picture(sides[0], sides[1]);
        let ours = MultiCropProcessor::default().process(&picture, Enlargement::Off);
        assert_eq!(digest(&ours.expect("a picture").values), record["siglip"], "{sides:?}");
    }
}

#[test]
fn crops_and_their_middles_are_upstreams() {
    let Value::Array(records) = case("crops") else { panic!("a list") };
    assert_eq!(records.len(), 6);
    for record in records {
        let size = |name: &str| numbers(&record[name])[0];
        let (height, width) = (size("height"), size("width"));
        let processor = MultiCropProcessor::default().with_max_crops(size("max_crops") as usize);
        let processor = processor.expect("in bounds");
        let crops = processor.crops([height, width]).expect("no strip");
        let ours: Vec<u32> =
            crops.iter().flat_map(|crop| [crop.left, crop.top, crop.right, crop.bottom]).collect();
        assert_eq!(ours, numbers(&record["crops"]), "{height}x{width}");
        let middles = record["middles"].as_array().expect("a list").iter();
        for (crop, middle) in crops.iter().zip(middles) {
            let theirs = [0, 1].map(|axis| middle[axis].as_f64().expect("a number") as f32);
            assert_eq!(crop.middle, theirs, "{height}x{width}");
        }
        let shown =
            processor.process(&picture(height, width), Enlargement::Off).expect("a picture");
        assert_eq!(digest(&shown.values), record["pixels"], "{height}x{width}");
    }
}
