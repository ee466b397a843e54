//! Processors of published and of broken configuration files.

use proptest::prelude::*;

use super::config::{COMBINED, FILE, PreprocessorConfig};
use super::crops::MultiCropProcessor;
use super::patches::Qwen2VlProcessor;
use crate::error::Error;

/// Qwen2-VL-7B-Instruct's file, as published.
const QWEN2_VL: &str = r#"{
    "min_pixels": 3136, "max_pixels": 12845056, "patch_size": 14, "temporal_patch_size": 2,
    "merge_size": 2, "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2VLProcessor"
}"#;

/// siglip-so400m-patch14-384's file, as published.
const SIGLIP: &str = r#"{
    "do_normalize": true, "do_rescale": true, "do_resize": true,
    "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "SiglipImageProcessor",
    "image_std": [0.5, 0.5, 0.5], "processor_class": "SiglipProcessor", "resample": 3,
    "rescale_factor": 0.00392156862745098, "size": {"height": 384, "width": 384}
}"#;

fn qwen2_vl(json: &str) -> Result<Qwen2VlProcessor, Error> {
    Qwen2VlProcessor::from_config(&PreprocessorConfig::from_bytes(json.as_bytes())?)
}

#[test]
fn published_files_give_the_default_processors() {
    assert_eq!(qwen2_vl(QWEN2_VL).expect("published"), Qwen2VlProcessor::default());
    let siglip = PreprocessorConfig::from_bytes(SIGLIP.as_bytes()).expect("published");
    let processor = MultiCropProcessor::from_config(&siglip).expect("published");
    assert_eq!(processor, MultiCropProcessor::default());
}

#[test]
fn newer_files_call_the_bounds_edges() {
    let newer = qwen2_vl(r#"{"size": {"shortest_edge": 784, "longest_edge": 1568}}"#);
    let ours = Qwen2VlProcessor::default().with_pixels(784, 1568).expect("in bounds");
    assert_eq!(newer.expect("in bounds"), ours);
    // Beside `size` the older names take an edge's place; whole numbers may have a point.
    for json in [
        r#"{"size": {"shortest_edge": 784, "longest_edge": 3136}, "max_pixels": 1568.0}"#,
        r#"{"size": {"longest_edge": 1568}, "min_pixels": 784.0}"#,
        r#"{"size": {"min_pixels": 784, "max_pixels": 1568}}"#,
        r#"{"min_pixels": 784, "max_pixels": 1568}"#,
    ] {
        assert_eq!(qwen2_vl(json).expect("both bounds"), ours, "{json}");
    }
}

#[test]
fn a_square_has_two_sides() {
    for json in [r#"{"size": {"height": 42}}"#, r#"{"size": {"shortest_edge": 42}}"#] {
        let config = PreprocessorConfig::from_bytes(json.as_bytes()).expect("a size");
        let refused = MultiCropProcessor::from_config(&config);
        assert!(matches!(refused, Err(Error::ProcessorConfig { .. })), "{json}");
    }
}

#[test]
fn what_is_out_of_bounds_or_switched_off_is_an_error() {
    for json in [
        "[]",
        r#"{"patch_size": -1}"#,
        r#"{"patch_size": 0}"#,
        r#"{"merge_size": 4000000000}"#,
        r#"{"min_pixels": 0}"#,
        r#"{"min_pixels": 99999999999999}"#,
        r#"{"min_pixels": 12845056, "max_pixels": 12845056}"#,
        r#"{"patch_size": 1, "merge_size": 1, "max_pixels": 16777216}"#,
        r#"{"image_std": [0.5, 0, 0.5]}"#,
        r#"{"image_mean": [1e300, 0, 0]}"#,
        r#"{"do_resize": false}"#,
        r#"{"do_normalize": false}"#,
        r#"{"resample": 1}"#,
        r#"{"do_center_crop": true}"#,
        r#"{"image_processor_type": "CLIPImageProcessor"}"#,
        r#"{"min_pixels": 3136.5}"#,
        r#"{"size": {"height": 56, "width": 56}}"#,
        r#"{"size": {"shortest_edge": 3136}}"#,
        r#"{"size": {"longest_edge": 12845056}, "max_pixels": 12845056}"#,
        r#"{"size": {}}"#,
    ] {
        assert!(matches!(qwen2_vl(json), Err(Error::ProcessorConfig { .. })), "{json}");
    }
}

#[test]
fn the_file_of_transformers_5_comes_before_the_other() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |file: &str, json: &str| {
        std::fs::write(folder.path().join(file), json).expect("the folder is writable");
    };
    let read = || Qwen2VlProcessor::read(folder.path()).expect("published");
    write(FILE, r#"{"patch_size": 7}"#);
    assert_eq!(read().form().patch_size, 7);
    assert_eq!(read().n_tokens([32, 32]).expect("square"), 16);
    write(COMBINED, r#"{"processor_class": "a"}"#);
    assert_eq!(read().form().patch_size, 7);
    write(COMBINED, &format!(r#"{{"processor_class": "a", "image_processor": {QWEN2_VL}}}"#));
    assert_eq!(read(), Qwen2VlProcessor::default());
    std::fs::remove_file(folder.path().join(FILE)).expect("it is there");
    assert_eq!(read(), Qwen2VlProcessor::default());
}

#[test]
fn an_error_names_the_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let json = r#"{"resample": 7}"#;
    std::fs::write(folder.path().join(FILE), json).expect("the folder is writable");
    let error = Qwen2VlProcessor::read(folder.path()).expect_err("7 is no filter");
    assert!(error.to_string().contains("preprocessor_config.json"), "{error}");
}

proptest! {
    #[test]
    fn any_bytes_give_a_processor_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(config) = PreprocessorConfig::from_bytes(&bytes) {
            let _ = Qwen2VlProcessor::from_config(&config);
            let _ = MultiCropProcessor::from_config(&config);
        }
    }
}
