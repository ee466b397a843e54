//! Properties of every adapter.

use burn::tensor::{Device, Tensor};
use proptest::prelude::*;
use testkit::{assert_close, relative_difference};
use vlm_lora::lora::{
    Adapter, AdapterError, LoraConfig, Modules, Reduced, activate, adapters, detach, disable,
    merge, merge_and_unload, unmerge,
};
use vlm_lora::{Decoder, WeightFormat};

use super::model::{all_linear, is_single, limits, logits, random, trained, weights};

const TOKENS: &[&[u32]] = &[&[1, 5, 9, 2, 7], &[3, 3, 8, 0, 6]];
/// Sums in another order, of f32.
const LIMIT: f32 = 1e-4;

#[test]
fn a_new_adapter_changes_nothing() {
    let device = Device::flex();
    let mut model = random(WeightFormat::F32, &device);
    let before = logits(&model, TOKENS);
    let config = all_linear(4).with_modules_to_save(&["lm_head"]);
    let adapter = Adapter::draw(config, &mut model, 1, &limits()).expect("there are layers");
    adapter.attach(&mut model, "new", &device, &limits()).expect("it was drawn for the model");
    assert_close(&logits(&model, TOKENS), &before, 1e-6, "with B = 0");
}

#[test]
fn merging_changes_no_logits_and_taking_back_no_bit() {
    let device = Device::flex();
    let mut model = random(WeightFormat::F32, &device);
    let own = weights(&mut model);
    let config = all_linear(4).with_modules_to_save(&["layers.0.mlp"]).with_dropout(0.5);
    let adapter = trained(config, &mut model, 1);
    let before = logits(&model, TOKENS);
    adapter.attach(&mut model, "a", &device, &limits()).expect("it was drawn for the model");
    let attached = logits(&model, TOKENS);
    assert!(relative_difference(&attached, &before) > 0.1, "the adapter does something");
    merge(&mut model, Reduced::Refuse).expect("it is f32");
    assert_ne!(weights(&mut model), own);
    let merged = logits(&model, TOKENS);
    assert_close(&merged, &attached, LIMIT, "merged");
    merge(&mut model, Reduced::Refuse).expect("there is nothing to do");
    assert_eq!(logits(&model, TOKENS).to_data(), merged.to_data());
    unmerge(&mut model);
    assert_eq!(weights(&mut model), own);
    assert_eq!(logits(&model, TOKENS).to_data(), attached.to_data());
    disable(&mut model);
    assert_eq!(logits(&model, TOKENS).to_data(), before.to_data());
    activate(&mut model, &["a"]).expect("it is attached");
    merge_and_unload(&mut model, Reduced::Refuse).expect("it is f32");
    assert!(adapters(&mut model).is_empty());
    assert_eq!(logits(&model, TOKENS).to_data(), merged.to_data());
}

#[test]
fn adapters_are_switched_and_summed() {
    let device = Device::flex();
    let mut model = random(WeightFormat::F32, &device);
    let own = weights(&mut model);
    let before = logits(&model, TOKENS);
    let [q, v] = ["q_proj", "v_proj"].map(|name| LoraConfig::new(2, 2.0, Modules::list(&[name])));
    trained(q, &mut model, 1).attach(&mut model, "q", &device, &limits()).expect("it fits");
    trained(v, &mut model, 2).attach(&mut model, "v", &device, &limits()).expect("it fits");
    let states = adapters(&mut model);
    assert_eq!(states.iter().map(|state| state.active).collect::<Vec<_>>(), [true, false]);
    let with = |model: &mut Decoder, names: &[&str]| -> Tensor<3> {
        activate(model, names).expect("they are attached");
        logits(model, TOKENS)
    };
    let (only_q, only_v) = (with(&mut model, &["q"]), with(&mut model, &["v"]));
    let both = with(&mut model, &["q", "v"]);
    merge(&mut model, Reduced::Refuse).expect("it is f32");
    assert_close(&logits(&model, TOKENS), &both, LIMIT, "both merged");
    assert_eq!(with(&mut model, &["v"]).to_data(), only_v.to_data());
    assert_eq!(with(&mut model, &["q"]).to_data(), only_q.to_data());
    assert_ne!(only_q.to_data(), both.to_data());
    let unknown = activate(&mut model, &["q", "w"]);
    assert!(matches!(unknown, Err(AdapterError::Unknown { .. })));
    assert_eq!(logits(&model, TOKENS).to_data(), only_q.to_data());
    detach(&mut model, "q").expect("it is attached");
    detach(&mut model, "v").expect("it is attached");
    assert_eq!(logits(&model, TOKENS).to_data(), before.to_data());
    assert_eq!(weights(&mut model), own);
}

#[test]
fn two_adapters_may_not_replace_one_layer_at_once() {
    let device = Device::flex();
    let mut model = random(WeightFormat::F32, &device);
    for name in ["a", "b"] {
        let config = LoraConfig::new(2, 2.0, Modules::list(&["q_proj"]));
        let adapter = trained(config.with_modules_to_save(&["lm_head"]), &mut model, 1);
        adapter.attach(&mut model, name, &device, &limits()).expect("it fits");
    }
    let refused = activate(&mut model, &["a", "b"]);
    assert!(matches!(refused, Err(AdapterError::Conflict { .. })));
}

#[test]
fn reduced_weights_take_adapters_and_merge_only_where_asked() {
    let device = Device::flex();
    for storage in [WeightFormat::Bf16, WeightFormat::Int8, WeightFormat::Int4] {
        let mut model = random(storage, &device);
        if is_single(&mut model) {
            // A build in which the storage is not there yet.
            continue;
        }
        let own = weights(&mut model);
        let adapter = trained(all_linear(4), &mut model, 1);
        adapter.attach(&mut model, "a", &device, &limits()).expect("it fits");
        let attached = logits(&model, TOKENS);
        let refused = merge(&mut model, Reduced::Refuse);
        assert!(matches!(refused, Err(AdapterError::Quantized { .. })));
        assert_eq!(logits(&model, TOKENS).to_data(), attached.to_data());
        merge(&mut model, Reduced::ToF32).expect("it was allowed");
        // The kernels of reduced weights round their input.
        assert_close(&logits(&model, TOKENS), &attached, 0.05, &format!("{storage:?} merged"));
        unmerge(&mut model);
        assert!(!is_single(&mut model));
        assert_eq!(weights(&mut model), own);
    }
}

#[test]
fn limits_of_a_model_hold() {
    let device = Device::flex();
    let mut model = random(WeightFormat::F32, &device);
    let adapter = trained(all_linear(2), &mut model, 1);
    let two = vlm_lora::lora::AdapterLimits { max_adapters: 2, ..limits() };
    adapter.attach(&mut model, "a", &device, &two).expect("there is room");
    let taken = adapter.attach(&mut model, "a", &device, &two);
    assert!(matches!(taken, Err(AdapterError::Taken { .. })));
    let bytes = 4 * adapter.n_elements() as u64;
    let small = vlm_lora::lora::AdapterLimits { max_bytes: 2 * bytes - 1, ..limits() };
    let large = adapter.attach(&mut model, "b", &device, &small);
    assert!(matches!(large, Err(AdapterError::Bytes { .. })));
    adapter.attach(&mut model, "b", &device, &two).expect("there is room");
    let many = adapter.attach(&mut model, "c", &device, &two);
    assert!(matches!(many, Err(AdapterError::Count { limit: 2 })));
    assert_eq!(adapters(&mut model).len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_rank_and_scale_merges_and_comes_back(
        rank in 1usize..9, alpha in -16.0f64..16.0, stabilized: bool, seed: u64,
    ) {
        let device = Device::flex();
        let mut model = random(WeightFormat::F32, &device);
        let own = weights(&mut model);
        let mut config = LoraConfig::new(rank, alpha, Modules::list(&["q_proj", "down_proj"]));
        config.use_rslora = stabilized;
        let adapter = trained(config, &mut model, seed);
        adapter.attach(&mut model, "a", &device, &limits()).expect("it fits");
        prop_assert_eq!(&Adapter::of(&mut model, "a").expect("it is attached"), &adapter);
        let attached = logits(&model, TOKENS);
        merge(&mut model, Reduced::Refuse).expect("it is f32");
        prop_assert!(relative_difference(&logits(&model, TOKENS), &attached) < LIMIT);
        detach(&mut model, "a").expect("it is attached");
        prop_assert_eq!(weights(&mut model), own);
    }
}
