//! A checkpoint that is not exactly the configuration's is refused with an error that names it, and
//! no bytes whatever make the loader panic.

use burn::tensor::{Device, TensorData};
use cifake::Error;
use cifake::weights::Source;
use proptest::prelude::*;
use testkit::Fixture;
use tinyvit::{TinyVit, TinyVitConfig};

use crate::golden::{fixture, small};

const WEIGHT: &str = "stages.1.blocks.0.mlp.fc1.weight";

/// The error of loading timm's small checkpoint after `edit`.
fn error_of(edit: impl FnOnce(&mut Fixture)) -> Error {
    let mut checkpoint = Fixture::load(fixture("small.safetensors"));
    edit(&mut checkpoint);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("edited.safetensors");
    std::fs::write(&path, checkpoint.to_safetensors()).expect("the folder is writable");
    let error = small().load(path.as_path(), &Device::flex()).expect_err("it was made wrong");
    assert!(error.to_string().contains("edited.safetensors"), "{error}");
    error
}

#[test]
fn a_missing_weight_is_named() {
    let error = error_of(|checkpoint| assert!(checkpoint.remove(WEIGHT).is_some()));
    assert!(matches!(&error, Error::MissingWeights { keys, .. } if keys == &[WEIGHT]), "{error}");
}

#[test]
fn a_weight_too_many_is_named() {
    let extra = "stages.1.blocks.1.mlp.fc1.weight";
    let error = error_of(|checkpoint| checkpoint.insert(extra, TensorData::from([1.0f32])));
    assert!(matches!(&error, Error::UnusedWeights { keys, .. } if keys == &[extra]), "{error}");
}

#[test]
fn a_wrong_shape_is_named() {
    let error = error_of(|checkpoint| {
        checkpoint.insert(WEIGHT, TensorData::from([[1.0f32, 2.0, 3.0]]));
    });
    let Error::WeightShape { key, expected, found, .. } = &error else { panic!("{error}") };
    assert_eq!((key.as_str(), expected, found), (WEIGHT, &vec![16, 64], &vec![3, 1]));
}

#[test]
fn a_value_that_is_not_a_number_is_named() {
    let key = "stages.2.blocks.1.attn.attention_biases";
    let error = error_of(|checkpoint| {
        let data = checkpoint.remove(key).expect("the model has biases");
        let mut values = data.try_to_vec::<f32>().expect("fixtures are f32");
        values[7] = f32::NAN;
        checkpoint.insert(key, TensorData::new(values, data.shape().to_vec()));
    });
    let is_named =
        matches!(&error, Error::WeightNotFinite { key: found, index: 7, .. } if found == key);
    assert!(is_named, "{error}");
}

#[test]
fn a_checkpoint_of_another_configuration_is_refused() {
    let path = fixture("small.safetensors");
    let refused = |config: TinyVitConfig| {
        let error = config.load(path.as_path(), &Device::flex()).expect_err("it does not fit");
        assert!(error.to_string().contains("small.safetensors"), "{error}");
        error
    };
    assert!(matches!(refused(TinyVitConfig::tiny_vit_5m()), Error::WeightShape { .. }));
    assert!(matches!(refused(small().with_n_classes(1000)), Error::WeightShape { .. }));
    let [mut deeper, mut shallower, mut other_windows] = [small(), small(), small()];
    deeper.depths[3] = 2;
    shallower.depths[2] = 1;
    other_windows.window_sizes[1] = 4;
    assert!(matches!(refused(deeper), Error::MissingWeights { .. }));
    assert!(matches!(refused(shallower), Error::UnusedWeights { .. }));
    assert!(matches!(refused(other_windows), Error::WeightShape { .. }));
}

#[test]
fn fine_tuning_forgives_windows_and_head_only() {
    let path = fixture("small.safetensors");
    let mut wider = small();
    wider.embed_dims[2] = 48;
    let refused = wider.load_for_fine_tuning(path.as_path(), 1, &Device::flex());
    assert!(matches!(refused, Err(Error::WeightShape { .. })));
}

#[cfg(not(feature = "pytorch"))]
#[test]
fn a_pickle_is_refused_with_the_feature_to_turn_on() {
    let path = fixture("small.pt");
    let error = small().load(path.as_path(), &Device::flex()).expect_err("it is a pickle");
    assert!(matches!(error, Error::PytorchNotCompiled { .. }), "{error}");
    assert!(error.to_string().contains("small.pt"), "{error}");
}

/// Loads `bytes` both ways; what comes out, if anything, is a whole model.
fn load(bytes: &[u8]) -> Result<TinyVit, Error> {
    let source = Source::Bytes { name: "bytes", bytes };
    let fine_tuned = small().load_for_fine_tuning(source, 1, &Device::flex());
    small().load(source, &Device::flex()).and(fine_tuned)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_truncation_makes_the_loader_panic(cut in 0usize..168_000) {
        let bytes = std::fs::read(fixture("small.safetensors")).expect("it is committed");
        prop_assert!(load(&bytes[..cut]).is_err());
    }

    #[test]
    fn no_change_of_the_header_makes_the_loader_panic(
        places in prop::collection::vec((0usize..24_000, any::<u8>()), 1..4),
    ) {
        let mut bytes = std::fs::read(fixture("small.safetensors")).expect("it is committed");
        for (place, byte) in places {
            bytes[place] = byte;
        }
        let _ = load(&bytes);
    }
}
