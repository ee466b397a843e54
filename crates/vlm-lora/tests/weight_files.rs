//! Folders and files that are broken, of another model, or nothing at all: typed errors.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use proptest::prelude::*;
use tempfile::TempDir;
use vlm_lora::{
    Assistant, Decoder, DecoderNames, Error, Folder, Gguf, Limits, TextConfig, WeightFormat,
    WeightSource,
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/text").join(name)
}

/// A copy of a committed folder that may be broken.
fn copy(name: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for entry in std::fs::read_dir(fixture(name)).expect("the fixture is committed") {
        let path = entry.expect("it can be read").path();
        let to = folder.path().join(path.file_name().expect("a file"));
        std::fs::copy(&path, to).expect("the folder is writable");
    }
    folder
}

fn load(folder: &Path) -> Result<Decoder, Error> {
    let json = std::fs::read_to_string(folder.join("config.json")).expect("it was copied");
    let config = TextConfig::from_hugging_face(&serde_json::from_str(&json).expect("JSON"))?;
    let mut weights = Folder::open(folder, WeightFormat::F32, &Device::flex())?;
    let decoder = Decoder::new(&mut weights, &config, &DecoderNames::default())?;
    weights.finish()?;
    Ok(decoder)
}

/// Replaces `from` by `to`, of equal length, in a file.
fn edit(file: &Path, from: &str, to: &str) {
    assert_eq!(from.len(), to.len(), "the header keeps its length");
    let mut bytes = std::fs::read(file).expect("it was copied");
    let at = bytes.windows(from.len()).position(|part| part == from.as_bytes());
    bytes[at.expect("it holds the text")..][..to.len()].copy_from_slice(to.as_bytes());
    std::fs::write(file, bytes).expect("the folder is writable");
}

#[test]
fn whole_folders_load_from_one_file_and_from_shards() {
    for name in ["llama_a", "llama_c"] {
        load(copy(name).path()).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// transformers ties nothing where a file holds two different matrices, and where it holds one, whichever.
#[test]
fn a_head_that_is_stored_counts_whatever_the_configuration_ties() {
    let scores = |folder: &Path| {
        let decoder = load(folder).expect("the folder is whole");
        let hidden = decoder.embed(&[3, 5]);
        (decoder.config().tied, decoder.logits(hidden).into_data())
    };
    let folder = copy("llama_a");
    let (_, own) = scores(folder.path());
    let config = folder.path().join("config.json");
    edit(&config, r#""tie_word_embeddings": false"#, r#""tie_word_embeddings": true "#);
    assert_eq!(scores(folder.path()), (false, own));
    let mut weights = testkit::Fixture::load(folder.path().join("model.safetensors"));
    let embedding = weights.get("model.embed_tokens.weight").expect("it has one").clone();
    weights.insert("lm_head.weight", embedding);
    std::fs::write(folder.path().join("model.safetensors"), weights.to_safetensors()).expect("so");
    let (tied, twice) = scores(folder.path());
    assert!(tied, "both are the same");
    let mut one = testkit::Fixture::default();
    for name in weights.names().filter(|name| *name != "model.embed_tokens.weight") {
        one.insert(name, weights.get(name).expect("it was named").clone());
    }
    std::fs::write(folder.path().join("model.safetensors"), one.to_safetensors()).expect("so");
    assert_eq!(scores(folder.path()), (true, twice), "the head alone is there");
}

#[test]
fn loading_is_strict_both_ways() {
    let folder = copy("llama_a");
    let file = folder.path().join("model.safetensors");
    edit(&file, "layers.1.mlp.up_proj", "layers.1.mlp.xx_proj");
    assert!(matches!(load(folder.path()), Err(Error::MissingWeight { name, .. })
        if name == "model.layers.1.mlp.up_proj.weight"));
    let folder = copy("llama_a");
    edit(
        &folder.path().join("config.json"),
        "\"num_hidden_layers\": 3",
        "\"num_hidden_layers\": 2",
    );
    assert!(
        matches!(load(folder.path()), Err(Error::UnusedWeights { names, .. }) if names.len() == 9)
    );
    let folder = copy("llama_a");
    edit(
        &folder.path().join("config.json"),
        "\"intermediate_size\": 56",
        "\"intermediate_size\": 48",
    );
    assert!(
        matches!(load(folder.path()), Err(Error::WeightShape { found, .. }) if found == [56, 32])
    );
}

#[test]
fn broken_shards_and_indices_are_errors() {
    let index = "model.safetensors.index.json";
    let shard = "model-00002-of-00003.safetensors";
    type Break<'a> = &'a dyn Fn(&Path);
    let broken: [(&str, Break<'_>); 6] = [
        ("a missing shard", &|folder| {
            std::fs::remove_file(folder.join(shard)).expect("it was there")
        }),
        ("a cut shard", &|folder| {
            let bytes = std::fs::read(folder.join(shard)).expect("it was copied");
            std::fs::write(folder.join(shard), &bytes[..bytes.len() - 9]).expect("writable");
        }),
        ("an empty shard", &|folder| std::fs::write(folder.join(shard), b"").expect("writable")),
        ("an index that is none", &|folder| {
            std::fs::write(folder.join(index), b"{\"weight_map\": 3}").expect("writable");
        }),
        ("a shard elsewhere", &|folder| {
            edit(&folder.join(index), shard, "../..//0002-of-00003.safetensors");
        }),
        ("a weight that its shard lacks", &|folder| {
            edit(&folder.join(index), "model.norm.weight", "model.nrom.weight");
        }),
    ];
    for (what, break_it) in broken {
        let folder = copy("llama_c");
        break_it(folder.path());
        let found = load(folder.path());
        let typed =
            matches!(found, Err(Error::Cifake(_) | Error::Read { .. } | Error::Weights { .. }));
        assert!(typed, "{what}: {:?}", found.err());
    }
}

#[test]
fn values_that_are_not_finite_are_an_error() {
    let folder = copy("llama_a");
    let file = folder.path().join("model.safetensors");
    let mut bytes = std::fs::read(&file).expect("it was copied");
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&file, bytes).expect("the folder is writable");
    assert!(matches!(load(folder.path()), Err(Error::WeightNotFinite { .. })));
}

#[test]
fn limits_hold_before_anything_is_read() {
    let open = |limits: Limits| {
        Folder::open_within(&fixture("llama_c"), WeightFormat::F32, &Device::flex(), &limits).err()
    };
    let all = Limits::default();
    for limits in [
        Limits { max_header_bytes: 100, ..all },
        Limits { max_tensors: 5, ..all },
        Limits { max_shards: 2, ..all },
        Limits { max_bytes: 1000, ..all },
    ] {
        assert!(matches!(open(limits), Some(Error::Limit { .. })), "{limits:?}");
    }
}

#[test]
fn folders_without_a_model_are_errors() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert!(Assistant::open(folder.path(), None, &Device::flex()).is_err());
    let weights = Folder::open(folder.path(), WeightFormat::F32, &Device::flex());
    assert!(matches!(weights.err(), Some(Error::NoWeights { .. })));
}

/// Opens a file of `bytes` and asks for what it names.
fn open_bytes(name: &str, bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("the folder is writable");
    if name.ends_with("gguf") {
        if let Ok(mut file) = Gguf::open(&path, None, &Device::flex()) {
            let _ = file.config();
            let _ = file.tokenizer();
            let _ = file.matrix("model.embed_tokens.weight", [61, 32]);
        }
    } else if let Ok(mut file) = Folder::open(folder.path(), WeightFormat::Int8, &Device::flex()) {
        let shapes: Vec<(String, Vec<usize>)> =
            file.shapes().map(|(name, shape)| (name.to_owned(), shape.to_vec())).collect();
        for (name, shape) in shapes {
            let _ = file.values(&name, &shape);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        open_bytes("model.safetensors", &bytes);
        open_bytes("model.gguf", &[b"GGUF\x03\0\0\0".as_slice(), &bytes].concat());
    }

    #[test]
    fn files_with_changed_bytes_are_refused_or_read(
        places in prop::collection::vec((0usize..4000, any::<u8>()), 1..6),
        cut in 0usize..200_000,
    ) {
        for (name, file) in [("model.safetensors", "llama_b/model.safetensors"), ("model.gguf", "llama_a.gguf")] {
            let mut bytes = std::fs::read(fixture(file)).expect("the fixture is committed");
            for (place, byte) in &places {
                bytes[*place] = *byte;
            }
            bytes.truncate(cut.max(10));
            open_bytes(name, &bytes);
        }
    }
}
