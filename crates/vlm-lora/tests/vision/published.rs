//! The published Qwen2-VL and PaliGemma models: their weights' names and shapes, and what they take.

use std::collections::BTreeMap;

use burn::tensor::Device;
use vlm_lora::models::{PaliGemmaConfig, Qwen2VlConfig};
use vlm_lora::{Matrix, Shapes, WeightFormat, WeightSource};

use crate::fixture::path;

/// Names and shapes of `{name}.keys.txt`.
fn theirs(name: &str) -> BTreeMap<String, Vec<usize>> {
    let lines = std::fs::read_to_string(path(&format!("{name}.keys.txt")));
    let weight = |line: &str| {
        let (name, shape) = line.split_once(' ').expect("a line is a name and a shape");
        let sides = shape.split('x').map(|side| side.parse().expect("sides are numbers"));
        (name.to_owned(), sides.collect())
    };
    lines.expect("the list is committed").lines().map(weight).collect()
}

fn models() -> [(&'static str, Qwen2VlConfig); 2] {
    [("qwen2_vl_2b", Qwen2VlConfig::qwen2_vl_2b()), ("qwen2_vl_7b", Qwen2VlConfig::qwen2_vl_7b())]
}

/// Those of `models` and of PaliGemma.
fn shapes() -> Vec<(&'static str, Shapes)> {
    let pali = [
        ("paligemma_3b", PaliGemmaConfig::paligemma_3b()),
        ("paligemma2_3b", PaliGemmaConfig::paligemma2_3b()),
    ];
    let pali = pali.into_iter().map(|(name, config)| (name, config.shapes()));
    let all = models().into_iter().map(|(name, config)| (name, config.shapes())).chain(pali);
    all.map(|(name, shapes)| (name, shapes.expect("shapes are never wrong"))).collect()
}

#[test]
fn names_and_shapes_are_the_published_ones() {
    for (name, shapes) in shapes() {
        let ours: BTreeMap<_, _> = shapes.names().iter().cloned().collect();
        assert_eq!(ours.len(), shapes.names().len(), "{name}: each weight is asked for once");
        let theirs = theirs(name);
        for (weight, shape) in &theirs {
            assert_eq!(ours.get(weight), Some(shape), "{name}: {weight}");
        }
        assert_eq!(ours.len(), theirs.len(), "{name} has weights that the published model lacks");
    }
}

#[test]
fn number_of_weights_is_that_of_the_published_index() {
    // `total_size` of model.safetensors.index.json, two bytes a weight.
    for ((name, config), total_size) in models().into_iter().zip([4_417_971_200, 16_582_751_232]) {
        let shapes = config.shapes().expect("shapes are never wrong");
        assert_eq!(2 * shapes.n_elements(), total_size, "{name}");
    }
}

#[test]
fn memory_is_stated_for_every_storage() {
    let table = [WeightFormat::F16, WeightFormat::Int8, WeightFormat::Int4];
    let mut found = Vec::new();
    for (name, shapes) in shapes() {
        let row = table.map(|storage| shapes.bytes(storage) as f64 / 1e9);
        eprintln!("{name}: f16 {:.2} GB, int8 {:.2} GB, 4-bit {:.2} GB", row[0], row[1], row[2]);
        found.push(row);
    }
    let expected =
        [[4.42, 2.22, 1.39], [16.59, 8.30, 5.20], [5.85, 2.93, 1.88], [6.07, 3.04, 1.95]];
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 0.02, "{found} GB instead of {expected}");
        }
    }
}

#[test]
fn stated_memory_is_what_loaded_weights_take() {
    // Rows of 40 elements are not kept in four bits.
    for storage in [
        WeightFormat::F32,
        WeightFormat::F16,
        WeightFormat::Bf16,
        WeightFormat::Int8,
        WeightFormat::Int4,
    ] {
        for columns in [40, 32] {
            let device = Device::flex();
            let mut shapes = Shapes::new(&device);
            let stated = shapes.matrix("weight", [3, columns]).map(|_| shapes.bytes(storage));
            let taken = Matrix::new(vec![0.5; 3 * columns], [3, columns], storage, &device).bytes();
            assert_eq!(stated.expect("a matrix"), taken as u64, "{storage:?} {columns}");
        }
    }
}
