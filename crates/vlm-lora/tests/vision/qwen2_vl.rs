//! Qwen2-VL: pixels, every block, merger, positions, every layer, logits and greedy answers.

use burn::tensor::Device;
use serde_json::Value;
use testkit::{assert_close, relative_difference};
use vlm_lora::generate::Prompt;
use vlm_lora::image::{Enlargement, PatchForm, Patches, PreprocessorConfig, Qwen2VlProcessor};
use vlm_lora::lora::{Adapter, AdapterLimits, LoraConfig, Modules, adapters};
use vlm_lora::models::Qwen2Vl;
use vlm_lora::{Error, LoraTargets, WeightFormat};

use crate::fixture::{LIMIT, assert_layers, case, golden, greedy, numbers, path, picture};

const NAMES: [&str; 3] = ["qwen2_vl_a", "qwen2_vl_b", "qwen2_vl_c"];

fn load(name: &str, device: &Device) -> Qwen2Vl {
    Qwen2Vl::load(&path(name), WeightFormat::F32, device).expect("the model uses every weight")
}

fn patches(case: &Value) -> Patches {
    let settings = serde_json::to_vec(&case["settings"]).expect("JSON");
    let config = PreprocessorConfig::from_bytes(&settings).expect("settings");
    let processor = Qwen2VlProcessor::from_config(&config).expect("in bounds");
    let sizes = numbers(&case["sizes"]);
    let pictures: Vec<_> = sizes.chunks(2).map(|size| picture(size[0], size[1])).collect();
    processor.process(&pictures, Enlargement::Off).expect("pictures")
}

fn assert_stages(device: &Device) {
    for name in NAMES {
        let (model, case, golden) = (load(name, device), case(name), golden(name));
        let patches = patches(&case);
        let theirs = golden.get("patches").expect("it is there");
        assert_eq!(patches.values, theirs.try_to_vec::<f32>().expect("f32"), "{name} pixels");
        let mut seen = 0;
        model.visual().forward_each(&patches, &mut |stage, ours| {
            assert_close(ours, &golden.tensor(stage, device), LIMIT, &format!("{name} {stage}"));
            seen += 1;
        });
        assert_eq!(seen, model.config().vision.depth + 2);
        let prompt = model.prompt_of(&numbers(&case["prompt"]), &patches).expect("a place each");
        assert_eq!(prompt.tokens(), numbers(&case["tokens"]), "{name}");
        assert_eq!(prompt.positions().values(), numbers(&case["positions"]), "{name}");
        assert_layers(model.decoder(), &prompt, &golden, name);
    }
}

#[test]
fn every_stage_gives_transformers_numbers() {
    assert_stages(&Device::flex());
}

#[cfg(feature = "ndarray")]
#[test]
#[allow(deprecated)] // burn keeps the backend; it is the second opinion here
fn every_stage_gives_transformers_numbers_on_ndarray() {
    assert_stages(&Device::ndarray());
}

#[test]
fn greedy_answers_are_transformers() {
    let device = Device::flex();
    for name in NAMES {
        let (model, case) = (load(name, &device), case(name));
        let prompt = model.prompt_of(&numbers(&case["prompt"]), &patches(&case)).expect("places");
        let theirs = numbers(&case["greedy"]);
        let ours = greedy(model.decoder(), &prompt, theirs.len());
        assert_eq!(ours, theirs, "{name}");
    }
}

#[test]
fn pictures_do_not_see_each_other() {
    let device = Device::flex();
    let (model, case) = (load("qwen2_vl_b", &device), case("qwen2_vl_b"));
    let both = patches(&case);
    let merged = model.visual().forward(&both);
    let n = both.grids[0].n_patches();
    let alone = Patches {
        values: both.values[..n * both.form.patch_len()].to_vec(),
        grids: both.grids[..1].to_vec(),
        form: both.form,
    };
    let first = model.visual().forward(&alone);
    let n_tokens = first.dims()[0];
    assert_close(&first, &merged.narrow(0, 0, n_tokens), 1e-6, "the first picture");
}

#[test]
fn gradients_reach_the_pictures_part_of_the_prompt() {
    let device = Device::flex().autodiff();
    let (mut model, case) = (load("qwen2_vl_a", &device), case("qwen2_vl_a"));
    let mut n_linears = 0;
    model.visit_linears(&mut |linear| {
        n_linears += usize::from(linear.path().starts_with("visual."));
    });
    assert_eq!(n_linears, 4 * model.config().vision.depth + 2);
    let prompt = model.prompt_of(&numbers(&case["prompt"]), &patches(&case)).expect("places");
    let embeddings = prompt.embeddings().clone().detach().require_grad();
    let (positions, tokens) = (prompt.positions().clone(), prompt.tokens().to_vec());
    let tracked = Prompt::new(embeddings.clone(), positions, tokens);
    let grads = model.logits(&tracked).sum().backward();
    assert!(embeddings.grad(&grads).expect("tracked").abs().sum().into_scalar::<f32>() > 0.0);
}

#[test]
fn narrow_storage_stays_near_single_precision() {
    let device = Device::flex();
    let case = case("qwen2_vl_b");
    let logits = |storage| {
        let model = Qwen2Vl::load(&path("qwen2_vl_b"), storage, &device).expect("it fits");
        let prompt = model.prompt_of(&numbers(&case["prompt"]), &patches(&case)).expect("places");
        model.logits(&prompt)
    };
    let exact = logits(WeightFormat::F32);
    for (storage, limit) in [
        (WeightFormat::F16, 0.02),
        (WeightFormat::Bf16, 0.1),
        (WeightFormat::Int8, 0.2),
        (WeightFormat::Int4, 0.9),
    ] {
        let difference = relative_difference(&logits(storage), &exact);
        assert!(difference < limit, "{storage:?}: {difference}");
    }
}

#[test]
fn a_model_of_other_sizes_is_refused() {
    let device = Device::flex();
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::copy(path("qwen2_vl_a/config.json"), folder.path().join("config.json"))
        .expect("a copy");
    let weights = "model.safetensors";
    std::fs::copy(path("qwen2_vl_b").join(weights), folder.path().join(weights)).expect("a copy");
    let refused =
        Qwen2Vl::load(folder.path(), WeightFormat::F32, &device).expect_err("they differ");
    assert!(
        matches!(refused, Error::WeightShape { .. } | Error::MissingWeight { .. }),
        "{refused}"
    );
    std::fs::write(folder.path().join("config.json"), "{").expect("the folder is writable");
    let refused = Qwen2Vl::load(folder.path(), WeightFormat::F32, &device).expect_err("no JSON");
    assert!(matches!(refused, Error::Json { .. }), "{refused}");
}

#[test]
fn patches_of_other_sizes_are_refused() {
    let model = load("qwen2_vl_b", &Device::flex());
    let prompt = [1, model.config().image_token];
    let published = Qwen2VlProcessor::default();
    let other = published.process(&[picture(32, 32)], Enlargement::Off).expect("a picture");
    let refused = model.prompt_of(&prompt, &other).expect_err("patches of 14 and not of 4");
    assert!(matches!(refused, Error::PictureFormat { found: 14, .. }), "{refused}");
    let config = PreprocessorConfig::from_bytes(
        br#"{"patch_size": 4, "merge_size": 1, "min_pixels": 16, "max_pixels": 9999}"#,
    );
    let unmerged = Qwen2VlProcessor::from_config(&config.expect("JSON")).expect("in bounds");
    let odd = unmerged.process(&[picture(12, 12)], Enlargement::Off).expect("a picture");
    let refused = model.prompt_of(&prompt, &odd).expect_err("one patch is a token, not four");
    assert!(matches!(refused, Error::PictureFormat { what: "blocks", found: 1, .. }), "{refused}");
    let form = PatchForm { merge_size: 2, ..odd.form };
    let refused = model.prompt_of(&prompt, &Patches { form, ..odd });
    let refused = refused.expect_err("three patches are not merged by two");
    assert!(matches!(refused, Error::PictureFormat { found: 3, .. }), "{refused}");
}

#[test]
fn a_fresh_adapter_of_tower_and_decoder_changes_nothing_and_is_differentiated() {
    let device = Device::flex();
    let case = case("qwen2_vl_b");
    let mut model = load("qwen2_vl_b", &device);
    let prompt = |model: &Qwen2Vl| {
        model.prompt_of(&numbers(&case["prompt"]), &patches(&case)).expect("a place each")
    };
    let before = model.logits(&prompt(&model));
    let (limits, mut n_linears) = (AdapterLimits::default(), 0);
    // All but the head.
    model.visit_linears(&mut |linear| n_linears += usize::from(linear.path() != "lm_head"));
    let config = LoraConfig::new(2, 4.0, Modules::all_linear());
    let adapter = Adapter::draw(config, &mut model, 7, &limits).expect("layers to adapt");
    adapter.attach(&mut model, "fresh", &device.autodiff(), &limits).expect("it fits");
    assert_eq!(adapters(&mut model)[0].n_layers, n_linears);
    let tracked = model.logits(&prompt(&model));
    assert_close(&tracked.clone().inner(), &before, LIMIT, "logits");
    // It panics where an operation on the way is not differentiable.
    let _ = tracked.sum().backward();
}
