use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Distribution, Tensor};
use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};

use super::*;

/// One of each layer that PyTorch lays out or names in another way.
#[derive(Module, Debug)]
struct Network {
    conv: Conv2d,
    bn: BatchNorm,
    norm: LayerNorm,
    head: Linear,
}

impl Network {
    fn new(n_classes: usize) -> Self {
        let device = Device::flex();
        let mut network = Self {
            conv: Conv2dConfig::new([3, 4], [2, 1]).init(&device),
            bn: BatchNormConfig::new(4).init(&device),
            norm: LayerNormConfig::new(4).init(&device),
            head: LinearConfig::new(4, n_classes).init(&device),
        };
        // A fresh norm is all ones and zeros, which would hide a swap.
        let random = || Tensor::random([4], Distribution::Uniform(0.5, 1.5), &device);
        network.bn.gamma = network.bn.gamma.map(|_| random());
        network.norm.beta = network.norm.beta.map(|beta| beta.map(|_| random()));
        network
    }

    /// The network's output for a fixed input, `[2, n_classes]`.
    fn output(&self) -> Vec<f32> {
        let input = Tensor::<1>::from_floats([0.1, -0.4, 0.7, 0.2, 0.9, -0.3], &Device::flex());
        let input = input.reshape([1, 3, 2, 1]).repeat(&[2, 1, 1, 1]);
        let hidden = self.bn.forward(self.conv.forward(input)).flatten::<2>(1, 3);
        let output = self.head.forward(self.norm.forward(hidden));
        output.into_data_as::<f32>().as_slice::<f32>().expect("it was converted").to_vec()
    }
}

fn bytes_of(network: &Network) -> Vec<u8> {
    to_bytes(network, &Mapping::PYTORCH, &texts(), Precision::F32).expect("finite weights")
}

fn texts() -> BTreeMap<String, String> {
    [("seed", "7"), ("model", "small"), ("data", "none"), ("b", "\"quoted\"")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

fn load_bytes(network: &mut Network, bytes: &[u8]) -> Result<WeightsInfo, Error> {
    load(network, Source::Bytes { name: "memory", bytes }, &Mapping::PYTORCH)
}

/// Loads `bytes`, which must be refused and leave the network as it was.
fn refusal(bytes: &[u8]) -> Error {
    let mut network = Network::new(2);
    let before = network.output();
    let error = load_bytes(&mut network, bytes).expect_err("the weights are bad");
    assert_eq!(network.output(), before);
    error
}

type Weights = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

/// The file of a network with `change` made to its weights.
fn changed(change: impl FnOnce(&mut Weights)) -> Vec<u8> {
    let bytes = bytes_of(&Network::new(2));
    let file = SafeTensors::deserialize(&bytes).expect("it was just written");
    let mut weights: Weights = file
        .tensors()
        .into_iter()
        .map(|(key, view)| (key, (view.dtype(), view.shape().to_vec(), view.data().to_vec())))
        .collect();
    change(&mut weights);
    let views = weights.iter().map(|(key, (dtype, shape, data))| {
        (key, TensorView::new(*dtype, shape.clone(), data).expect("data of that shape"))
    });
    safetensors::serialize(views, None).expect("valid tensors")
}

#[test]
fn a_saved_network_loads_and_computes_the_same() {
    let (network, mut other) = (Network::new(2), Network::new(2));
    assert_ne!(network.output(), other.output());
    let info = load_bytes(&mut other, &bytes_of(&network)).expect("weights of this network");
    assert_eq!(other.output(), network.output());
    assert_eq!((info.n_tensors, info.n_elements), (10, 24 + 4 + 4 * 4 + 8 + 8 + 2));
    assert_eq!(info.metadata, texts());
}

#[test]
fn files_have_pytorchs_names_and_shapes() {
    let bytes = bytes_of(&Network::new(2));
    let checkpoint = Checkpoint::open(Source::Bytes { name: "memory", bytes: &bytes })
        .expect("it was just written");
    let shapes = checkpoint.shapes();
    let expected = [
        ("bn.bias", vec![4]),
        ("bn.running_mean", vec![4]),
        ("bn.running_var", vec![4]),
        ("bn.weight", vec![4]),
        ("conv.bias", vec![4]),
        ("conv.weight", vec![4, 3, 2, 1]),
        ("head.bias", vec![2]),
        ("head.weight", vec![2, 4]),
        ("norm.bias", vec![4]),
        ("norm.weight", vec![4]),
    ];
    assert_eq!(shapes, expected.into());
    assert_eq!(checkpoint.tensor("head.bias").map(|data| data.shape().to_vec()), Some(vec![2]));
    assert!(checkpoint.tensor("head").is_none());
}

#[test]
fn the_same_network_gives_the_same_bytes() {
    let network = Network::new(2);
    assert_eq!(bytes_of(&network), bytes_of(&network.clone()));
}

#[test]
fn half_precision_halves_the_file_and_spares_the_statistics() {
    let network = Network::new(2);
    let half = to_bytes(&network, &Mapping::PYTORCH, &texts(), Precision::F16).expect("in range");
    let file = SafeTensors::deserialize(&half).expect("it was just written");
    let dtype = |key: &str| file.tensor(key).expect("it has that weight").dtype();
    assert_eq!((dtype("head.weight"), dtype("bn.running_var")), (Dtype::F16, Dtype::F32));

    let mut other = Network::new(2);
    load_bytes(&mut other, &half).expect("weights of this network");
    for (found, expected) in other.output().into_iter().zip(network.output()) {
        assert!((found - expected).abs() < 5e-3, "{found} {expected}");
    }
}

#[test]
fn bfloat16_becomes_the_modules_float() {
    let bytes = changed(|weights| {
        let one_and_minus_two = vec![0x80, 0x3f, 0x00, 0xc0];
        weights.insert("head.bias".to_owned(), (Dtype::BF16, vec![2], one_and_minus_two));
    });
    let mut network = Network::new(2);
    load_bytes(&mut network, &bytes).expect("a type that is read");
    let bias = network.head.bias.expect("the layer has one").val().into_data();
    assert_eq!(bias.as_slice::<f32>().expect("converted on loading"), [1.0, -2.0]);
}

#[test]
fn a_missing_weight_is_an_error() {
    let error = refusal(&changed(|weights| drop(weights.remove("norm.weight"))));
    assert!(matches!(&error, Error::MissingWeights { keys, .. } if keys == &["norm.gamma"]));
    let message = error.to_string();
    assert!(message.starts_with("memory lacks 1 weight that the model needs, first: norm.gamma"));
}

#[test]
fn an_unused_weight_is_an_error() {
    let error = refusal(&changed(|weights| {
        weights.insert("extra.bias".to_owned(), (Dtype::F32, vec![1], vec![0; 4]));
    }));
    assert!(matches!(&error, Error::UnusedWeights { keys, .. } if keys == &["extra.bias"]));
}

#[test]
fn pytorchs_batch_counter_may_be_there() {
    let bytes = changed(|weights| {
        weights.insert("bn.num_batches_tracked".to_owned(), (Dtype::I64, vec![], vec![0; 8]));
    });
    load_bytes(&mut Network::new(2), &bytes).expect("the counter is ignored");
}

#[test]
fn weights_of_another_configuration_are_refused() {
    let error = refusal(&bytes_of(&Network::new(3)));
    assert!(matches!(
        &error,
        Error::WeightShape { key, expected, found, .. }
            if key == "head.weight" && expected == &[4, 2] && found == &[4, 3]
    ));
}

#[test]
fn nan_and_infinity_are_refused() {
    for (value, dtype) in [(f32::NAN, Dtype::F32), (f32::INFINITY, Dtype::F32)] {
        let error = refusal(&changed(|weights| {
            let data = [1.0_f32.to_le_bytes(), value.to_le_bytes()].concat();
            weights.insert("head.bias".to_owned(), (dtype, vec![2], data));
        }));
        assert!(matches!(
            &error,
            Error::WeightNotFinite { key, index: 1, .. } if key == "head.bias"
        ));
    }
    let overflowing = refusal(&changed(|weights| {
        weights.insert("head.bias".to_owned(), (Dtype::F16, vec![2], vec![0, 0x7c, 0, 0]));
    }));
    assert!(matches!(overflowing, Error::WeightNotFinite { index: 0, .. }));
}

#[test]
fn a_weight_too_large_for_half_precision_is_not_written() {
    let mut network = Network::new(2);
    network.conv.bias = network.conv.bias.map(|bias| bias.map(|bias| bias * 0.0 + 70_000.0));
    let result = to_bytes(&network, &Mapping::PYTORCH, &texts(), Precision::F16);
    assert!(matches!(result, Err(Error::WeightNotFinite { key, .. }) if key == "conv.bias"));
}

#[test]
fn types_that_are_not_read_are_named() {
    let error = refusal(&changed(|weights| {
        weights.insert("head.bias".to_owned(), (Dtype::F64, vec![2], vec![0; 16]));
    }));
    assert!(matches!(&error, Error::WeightType { dtype, .. } if dtype == "F64"));
    let integers = refusal(&changed(|weights| {
        weights.insert("head.bias".to_owned(), (Dtype::I32, vec![2], vec![0; 8]));
    }));
    assert!(matches!(integers, Error::WeightType { .. }));
}

#[test]
fn names_that_collide_after_renaming_are_refused() {
    let mapping = Mapping { renames: &[("^(conv|bn)", "head")], ..Mapping::PYTORCH };
    let bytes = bytes_of(&Network::new(2));
    let source = Source::Bytes { name: "memory", bytes: &bytes };
    let error = load(&mut Network::new(2), source, &mapping).expect_err("names collide");
    assert!(matches!(error, Error::DuplicateWeights { .. }), "{error}");
}

#[test]
fn renames_lead_there_and_back() {
    let save = Mapping { renames: &[(r"^head\.", "head.fc.")], ..Mapping::PYTORCH };
    let load_mapping = Mapping { renames: &[(r"^head\.fc\.", "head.")], ..Mapping::PYTORCH };
    let network = Network::new(2);
    let bytes = to_bytes(&network, &save, &texts(), Precision::F32).expect("finite weights");
    let source = Source::Bytes { name: "memory", bytes: &bytes };
    assert!(load(&mut Network::new(2), source, &Mapping::PYTORCH).is_err());
    let mut other = Network::new(2);
    load(&mut other, source, &load_mapping).expect("the names fit");
    assert_eq!(other.output(), network.output());
}

#[test]
fn what_is_no_safetensors_file_is_refused() {
    let whole = bytes_of(&Network::new(2));
    let huge_header = [&(1_u64 << 40).to_le_bytes()[..], b"{}"].concat();
    for bytes in [&b""[..], b"{}", b"not weights at all", &whole[..whole.len() - 1], &huge_header] {
        let error = refusal(bytes);
        assert!(matches!(error, Error::NotSafetensors { .. }), "{error}");
        assert!(error.to_string().starts_with("memory is no safetensors file"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_damaged_file_is_read_or_refused_and_never_panics(
        place in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<Option<proptest::sample::Index>>(),
        in_header in any::<bool>(),
    ) {
        let mut bytes = bytes_of(&Network::new(2));
        let header = 8 + u64::from_le_bytes(*bytes.first_chunk().expect("a length")) as usize;
        let at = place.index(if in_header { header } else { bytes.len() });
        bytes[at] = byte;
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let mut network = Network::new(2);
        let before = network.output();
        if load_bytes(&mut network, &bytes).is_err() {
            prop_assert_eq!(network.output(), before);
        }
    }
}

#[test]
fn limits_hold_before_parsing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.safetensors");
    let network = Network::new(2);
    let info = save(&network, &path, &Mapping::PYTORCH, &texts(), Precision::F32)
        .expect("the folder is writable");
    let bytes = std::fs::read(&path).expect("it was written");
    assert_eq!(info.sha256, sha256_hex(&bytes));
    let size = bytes.len() as u64;

    let open = |limits| Checkpoint::open_within(Source::File(&path), limits).map(|_| ());
    let limits = Limits { max_bytes: size, ..Limits::default() };
    assert!(open(limits).is_ok());
    let small = Limits { max_bytes: size - 1, ..limits };
    assert!(matches!(open(small), Err(Error::FileTooLarge { bytes, .. }) if bytes == size));
    let no_header = Limits { max_header_bytes: 10, ..limits };
    assert!(matches!(
        open(no_header),
        Err(Error::NotSafetensors { source: SafeTensorError::HeaderTooLarge, .. })
    ));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let missing = load(
        &mut Network::new(2),
        Source::File(Path::new("nowhere.safetensors")),
        &Mapping::PYTORCH,
    );
    let message = missing.expect_err("it does not exist").to_string();
    assert!(message.contains("nowhere.safetensors"), "{message}");
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

#[test]
fn a_file_of_pytorch_computes_what_it_computes_there() {
    /// The order of f32 sums differs between the two.
    const TOLERANCE: f32 = 1e-5;
    let mut network = Network::new(2);
    let path = fixture("network.safetensors");
    load(&mut network, Source::File(&path), &Mapping::PYTORCH).expect("weights of this network");
    // The numbers that generate.py prints.
    let expected = [3.435_49, 3.798_476];
    for (found, expected) in network.output().into_iter().zip(expected.into_iter().cycle()) {
        assert!((found - expected).abs() < TOLERANCE, "{found} {expected}");
    }
}

#[cfg(not(feature = "pytorch"))]
#[test]
fn a_pickle_says_which_feature_reads_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.pth");
    std::fs::write(&path, b"PK\x03\x04rest").expect("the folder is writable");
    let error = load(&mut Network::new(2), Source::File(&path), &Mapping::PYTORCH)
        .expect_err("this build reads none");
    assert!(matches!(error, Error::PytorchNotCompiled { .. }));
    assert!(error.to_string().contains("feature `pytorch`"));
}

#[test]
fn hashes_are_those_of_sha256() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(sha256_hex(b""), empty);
}

#[cfg(feature = "pytorch")]
mod pytorch;
