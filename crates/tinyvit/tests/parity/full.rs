//! The three published sizes: their weights' names and shapes always, their numbers where
//! `cargo xtask fixtures tinyvit --full` has made the files, which are too large to commit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::store::{BurnToPyTorchAdapter, ModuleSnapshot};
use burn::tensor::Device;
use testkit::Fixture;
use tinyvit::TinyVitConfig;

use crate::golden::{assert_parity, fixture};

fn sizes() -> [TinyVitConfig; 3] {
    [TinyVitConfig::tiny_vit_5m(), TinyVitConfig::tiny_vit_11m(), TinyVitConfig::tiny_vit_21m()]
}

fn full(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/fixtures").join(file)
}

/// timm's names and shapes; PyTorch's counters, which are no weights, left out.
fn theirs(config: &TinyVitConfig) -> BTreeMap<String, Vec<usize>> {
    let path = fixture(&format!("{}.keys.txt", config.name));
    let lines = std::fs::read_to_string(&path).expect("the list is committed");
    let weight = |line: &str| {
        let (name, shape) = line.split_once(' ').expect("a line is a name and a shape");
        let sides = shape.split('x').map(|side| side.parse().expect("sides are numbers"));
        (name.to_owned(), sides.collect())
    };
    lines.lines().filter(|line| !line.ends_with(" scalar")).map(weight).collect()
}

/// Our names and shapes in PyTorch's layout.
fn ours(config: &TinyVitConfig) -> BTreeMap<String, Vec<usize>> {
    let model = config.init(1, &Device::flex());
    let weights = model.collect(None, Some(Box::new(BurnToPyTorchAdapter)), true);
    weights.into_iter().map(|weight| (weight.name, weight.shape.to_vec())).collect()
}

#[test]
fn names_and_shapes_of_the_three_sizes_are_timms() {
    for config in sizes() {
        let (ours, theirs) = (ours(&config), theirs(&config));
        for (name, shape) in &theirs {
            assert_eq!(ours.get(name), Some(shape), "{}: {name}", config.name);
        }
        assert_eq!(ours.len(), theirs.len(), "{} has weights that timm lacks", config.name);
    }
}

#[test]
fn full_sizes_give_timms_numbers_at_every_stage() {
    for config in sizes() {
        let checkpoint = full(&format!("{}_224.safetensors", config.name));
        if !checkpoint.exists() {
            continue;
        }
        let model = config.load(checkpoint.as_path(), &Device::flex()).expect("it is timm's");
        let golden = Fixture::load(full(&format!("{}_224_stages.safetensors", config.name)));
        let worst = assert_parity(&model, &golden);
        eprintln!("{}: largest relative difference {worst:.1e}", config.name);
    }
}
