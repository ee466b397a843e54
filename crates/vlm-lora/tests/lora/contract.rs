//! Files that nobody vouches for: typed errors, and the model as it was.

use std::path::Path;

use burn::tensor::{Device, TensorData};
use proptest::prelude::*;
use testkit::Fixture;
use vlm_lora::WeightFormat;
use vlm_lora::lora::{Adapter, AdapterError, AdapterLimits, CONFIG_FILE, WEIGHTS_FILE, adapters};

use super::model::{all_linear, limits, random, trained};

/// The two files of an adapter of the random model.
fn files() -> (Vec<u8>, Fixture) {
    let mut model = random(WeightFormat::F32, &Device::flex());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = all_linear(2).with_modules_to_save(&["lm_head"]);
    trained(config, &mut model, 1).save(folder.path()).expect("the folder is writable");
    let json = std::fs::read(folder.path().join(CONFIG_FILE)).expect("it was written");
    (json, Fixture::load(folder.path().join(WEIGHTS_FILE)))
}

/// The result of attaching an adapter whose files were changed.
fn attach(json: &[u8], weights: &Fixture) -> Result<(), AdapterError> {
    let device = Device::flex();
    let mut model = random(WeightFormat::F32, &device);
    let own = super::model::weights(&mut model);
    let adapter = Adapter::from_bytes(json, &weights.to_safetensors(), &limits())?;
    let result = adapter.attach(&mut model, "a", &device, &limits());
    assert_eq!(result.is_err(), adapters(&mut model).is_empty());
    assert_eq!(super::model::weights(&mut model), own);
    result
}

const A: &str = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";

fn edited(from: &[u8], old: &str, new: &str) -> Vec<u8> {
    let text = std::str::from_utf8(from).expect("JSON is text");
    assert!(text.contains(old), "{old} is not in {text}");
    text.replacen(old, new, 1).into_bytes()
}

#[test]
fn whole_files_are_accepted() {
    let (json, weights) = files();
    attach(&json, &weights).expect("nothing was changed");
}

#[test]
fn a_rank_of_ten_thousand_is_refused_before_the_weights_are_read() {
    let (json, weights) = files();
    let large = edited(&json, "\"r\": 2", "\"r\": 10000");
    let refused = Adapter::from_bytes(&large, b"no file at all", &limits());
    assert!(matches!(refused, Err(AdapterError::Rank { rank: 10_000, limit: 256 })));
    let mut wide = weights;
    wide.insert(A, TensorData::new(vec![0.0f32; 257 * 32], [257, 32]));
    let refused = attach(&json, &wide);
    assert!(matches!(refused, Err(AdapterError::Rank { rank: 257, limit: 256 })));
}

#[test]
fn what_does_not_fit_is_named() {
    let (json, weights) = files();
    let mut other = weights.clone();
    other.insert(A, TensorData::new(vec![0.0f32; 2 * 31], [2, 31]));
    assert!(matches!(attach(&json, &other), Err(AdapterError::Shape { .. })));
    let mut half = weights.clone();
    half.remove(A);
    assert!(matches!(attach(&json, &half), Err(AdapterError::Incomplete { .. })));
    half.remove(&A.replace("lora_A", "lora_B"));
    assert!(matches!(attach(&json, &half), Err(AdapterError::Missing { .. })));
    let mut more = weights.clone();
    for part in ["lora_A", "lora_B"] {
        let key = A.replace("lora_A", part).replace("layers.0", "layers.9");
        more.insert(
            &key,
            TensorData::new(vec![0.0f32; 64], if part == "lora_A" { [2, 32] } else { [32, 2] }),
        );
    }
    assert!(matches!(attach(&json, &more), Err(AdapterError::Unused { .. })));
    let mut strange = weights.clone();
    strange.insert("model.embed.weight", TensorData::new(vec![0.0f32; 4], [2, 2]));
    assert!(matches!(attach(&json, &strange), Err(AdapterError::Key { .. })));
    let mut broken = weights.clone();
    broken.insert(A, TensorData::new(vec![f32::NAN; 64], [2, 32]));
    let refused = attach(&json, &broken);
    assert!(matches!(refused, Err(AdapterError::File(cifake::Error::WeightNotFinite { .. }))));
    let elsewhere = edited(&json, "\"all-linear\"", "[\"fc7\"]");
    assert!(matches!(attach(&elsewhere, &weights), Err(AdapterError::Unused { .. })));
    // A norm that PEFT replaced with the module around it.
    let mut norm = weights.clone();
    let ones = TensorData::new(vec![1.0f32; 32], [32]);
    norm.insert("base_model.model.lm_head.ln_q.weight", ones);
    let refused = attach(&json, &norm);
    assert!(matches!(refused, Err(AdapterError::Unsupported { .. })), "{refused:?}");
    let head = edited(&json, "\"lm_head\"", "\"embed_tokens\"");
    assert!(matches!(attach(&head, &weights), Err(AdapterError::ModuleToSave { .. })));
}

#[test]
fn a_folder_is_read_within_its_limits() {
    let (json, weights) = files();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let missing = Adapter::open(folder.path(), &limits());
    assert!(matches!(missing, Err(AdapterError::File(cifake::Error::Read { .. }))));
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.path().join(name), bytes).expect("the folder is writable");
    };
    write(CONFIG_FILE, &json);
    write(WEIGHTS_FILE, &weights.to_safetensors());
    Adapter::open(folder.path(), &limits()).expect("it is whole");
    let small = AdapterLimits { max_bytes: 1000, ..limits() };
    let refused = Adapter::open(folder.path(), &small);
    assert!(matches!(refused, Err(AdapterError::File(cifake::Error::FileTooLarge { .. }))));
    let small = AdapterLimits { max_config_bytes: 10, ..limits() };
    let refused = Adapter::open(folder.path(), &small);
    assert!(matches!(refused, Err(AdapterError::File(cifake::Error::FileTooLarge { .. }))));
    write(CONFIG_FILE, b"{\"r\": 8");
    let refused = Adapter::open(Path::new(folder.path()), &limits());
    assert!(matches!(refused, Err(AdapterError::NotConfig { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_changed_file_is_answered(
        in_config: bool,
        changes in proptest::collection::vec((0.0f64..1.0, any::<u8>()), 1..8),
        cut in 0.0f64..1.2,
    ) {
        let json = all_linear(2).to_json().into_bytes();
        let mut fixture = Fixture::default();
        fixture.insert(A, TensorData::new(vec![0.5f32; 64], [2, 32]));
        fixture.insert(&A.replace("lora_A", "lora_B"), TensorData::new(vec![0.5f32; 64], [32, 2]));
        let mut both = [json, fixture.to_safetensors()];
        let bytes = &mut both[usize::from(!in_config)];
        for (at, byte) in changes {
            let at = (at * bytes.len() as f64) as usize;
            bytes[at] = byte;
        }
        bytes.truncate((cut * bytes.len() as f64) as usize);
        let _ = Adapter::from_bytes(&both[0], &both[1], &limits());
    }
}
