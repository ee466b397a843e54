//! Weight files that are broken or another model's: a typed error that names file and weight.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use cifake::weights::{Precision, Source, save_configured};
use cifake::{Detector, DetectorError, Error};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};
use tinyvit::TinyVitConfig;

/// A weight of every TinyViT.
const KEY: &str = "head.fc.bias";

/// A weight of a file, as its bytes stand there.
struct Weight {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

fn small() -> TinyVitConfig {
    TinyVitConfig {
        embed_dims: [8, 16, 16, 32],
        depths: [1, 1, 1, 1],
        n_heads: [1, 1, 1, 1],
        stem_dim: 8,
        ..TinyVitConfig::native()
    }
}

fn write(path: &Path, config: &TinyVitConfig) {
    let model = config.init(3, &Device::flex());
    let saved = save_configured(&model, config, &[].into(), Precision::F32, path);
    saved.expect("the folder is writable");
}

/// Writes a good file, lets `edit` change its weights, and writes it again.
fn edited(folder: &Path, edit: impl FnOnce(&mut Vec<Weight>)) -> PathBuf {
    let path = folder.join("edited.safetensors");
    write(&path, &small());
    let bytes = std::fs::read(&path).expect("it was written");
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("it is whole");
    let metadata = header.metadata().clone();
    let file = SafeTensors::deserialize(&bytes).expect("it is whole");
    let weight = |(name, view): (String, TensorView<'_>)| Weight {
        name,
        dtype: view.dtype(),
        shape: view.shape().to_vec(),
        bytes: view.data().to_vec(),
    };
    let mut weights: Vec<Weight> = file.tensors().into_iter().map(weight).collect();
    edit(&mut weights);
    let views = weights.iter().map(|weight| {
        let view = TensorView::new(weight.dtype, weight.shape.clone(), &weight.bytes);
        (weight.name.clone(), view.expect("bytes and shape agree"))
    });
    let bytes = serialize(views, metadata).expect("the views are whole");
    std::fs::write(&path, bytes).expect("the folder is writable");
    path
}

fn of<'a>(weights: &'a mut [Weight], key: &str) -> &'a mut Weight {
    weights.iter_mut().find(|weight| weight.name == key).expect("every TinyViT has it")
}

/// The message with which `path` is refused, which must name the file.
fn refused(path: &Path) -> (Error, String) {
    let error =
        Detector::open(&tinyvit::loader().into(), path).expect_err("the file is not usable");
    let text = error.to_string();
    let name = path.file_name().and_then(|name| name.to_str()).expect("it has a name");
    assert!(text.contains(name), "{text}");
    (error, text)
}

#[test]
fn a_missing_weight_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = edited(folder.path(), |weights| weights.retain(|weight| weight.name != KEY));
    let (error, text) = refused(&path);
    assert!(matches!(error, Error::MissingWeights { .. }), "{text}");
    assert!(text.contains(KEY), "{text}");
}

#[test]
fn a_weight_too_many_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = edited(folder.path(), |weights| {
        let (dtype, shape) = (Dtype::F32, vec![2]);
        let name = "head.fc.adapter".to_owned();
        weights.push(Weight { name, dtype, shape, bytes: vec![0; 8] });
    });
    let (error, text) = refused(&path);
    assert!(matches!(error, Error::UnusedWeights { .. }), "{text}");
    assert!(text.contains("head.fc.adapter"), "{text}");
}

#[test]
fn a_weight_of_another_shape_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = edited(folder.path(), |weights| {
        let weight = of(weights, KEY);
        (weight.shape, weight.bytes) = (vec![3], vec![0; 12]);
    });
    let (error, text) = refused(&path);
    assert!(matches!(error, Error::WeightShape { .. }), "{text}");
    assert!(text.contains(KEY), "{text}");
}

#[test]
fn a_weight_that_is_no_number_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for value in [f32::NAN, f32::INFINITY] {
        let path = edited(folder.path(), |weights| {
            of(weights, KEY).bytes[..4].copy_from_slice(&value.to_le_bytes());
        });
        let (error, text) = refused(&path);
        assert!(matches!(error, Error::WeightNotFinite { .. }), "{text}");
        assert!(text.contains(KEY), "{text}");
    }
}

#[test]
fn a_truncated_file_and_one_that_is_none_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let whole = folder.path().join("whole.safetensors");
    write(&whole, &small());
    let bytes = std::fs::read(&whole).expect("it was written");
    let path = folder.path().join("cut.safetensors");
    for n_bytes in [0, 4, 100, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..n_bytes]).expect("the folder is writable");
        refused(&path);
    }
    std::fs::write(&path, "<html>404 Not Found</html>".repeat(9)).expect("it is writable");
    refused(&path);
    let missing = folder.path().join("missing.safetensors");
    refused(&missing);
    let of_bytes = |bytes| {
        let source = Source::Bytes { name: "memory", bytes };
        Detector::builder().load(&tinyvit::loader().into(), source)
    };
    assert!(of_bytes(&bytes[..50]).is_err());
    assert!(of_bytes(&bytes).is_ok());
}

#[test]
fn weights_of_another_configuration_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = edited(folder.path(), |_| {});
    let bytes = std::fs::read(&path).expect("it was written");
    let file = SafeTensors::deserialize(&bytes).expect("it is whole");
    for (other, is_sentence) in [
        (TinyVitConfig { depths: [1, 2, 1, 1], ..small() }, "lacks"),
        (TinyVitConfig { embed_dims: [8, 16, 16, 64], ..small() }, "shape"),
        (small().with_n_classes(10), "one or two"),
        (TinyVitConfig { embed_dims: [8, 16, 16, 9], n_heads: [1, 1, 1, 2], ..small() }, "n_heads"),
    ] {
        let config = serde_json::to_string(&other).expect("plain data has a JSON form");
        let metadata = [("tinyvit_config".to_owned(), config)].into();
        let mut views = file.tensors();
        let wide = vec![0; 10 * 32 * 4];
        if other.n_classes == 10 {
            for (name, view) in &mut views {
                let shape = match name.as_str() {
                    "head.fc.weight" => vec![10, 32],
                    KEY => vec![10],
                    _ => continue,
                };
                let n_bytes = shape.iter().product::<usize>() * 4;
                *view = TensorView::new(Dtype::F32, shape, &wide[..n_bytes]).expect("they agree");
            }
        }
        let bytes = serialize(views, Some(metadata)).expect("the views are whole");
        std::fs::write(&path, bytes).expect("the folder is writable");
        let (_, text) = refused(&path);
        assert!(text.contains(is_sentence), "{text}");
    }
}

#[test]
fn a_calibration_that_is_no_number_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("weights.safetensors");
    let model = small().init(3, &Device::flex());
    for (key, text) in [("temperature", "0"), ("temperature", "NaN"), ("threshold", "2")] {
        let notes = [(key.to_owned(), text.to_owned())].into();
        let saved = save_configured(&model, &small(), &notes, Precision::F32, &path);
        saved.expect("the folder is writable");
        let (error, message) = refused(&path);
        assert!(matches!(error, Error::Detector(DetectorError::Calibration { .. })), "{message}");
        assert!(message.contains(key) && message.contains(text), "{message}");
    }
}
