//! Weights in one byte a value, with a scale for each index of the first axis.
//!
//! A tensor `K` of such a file is of type I8 and has the shape that it has in f32; beside it stands
//! `K_scale` in f32, of one axis as long as the first of `K`, which in PyTorch's layout is the output
//! channel. A value is its byte, -127 to 127, times the scale of its channel.

use std::path::Path;

use burn::tensor::TensorData;
use safetensors::tensor::{Dtype, TensorView};

use crate::Error;

/// The suffix that turns a tensor's name into that of its scales.
const SUFFIX: &str = "_scale";
/// Largest byte; the range is symmetric, so that 0 stays 0.
const LARGEST: f32 = 127.0;
/// Tensors of fewer values are not worth their scales and their loss.
const FEWEST: usize = 1024;

/// Name of the scales of the tensor `key`.
pub(super) fn scale_key(key: &str) -> String {
    format!("{key}{SUFFIX}")
}

/// Whether the float tensor `key` is stored in bytes: a matrix or kernel that is not small. Tables of
/// biases are none.
pub(super) fn is_quantized(key: &str, data: &TensorData) -> bool {
    let is_bias = key.ends_with("bias") || key.ends_with("biases");
    data.shape().len() >= 2 && data.num_elements() >= FEWEST && !is_bias
}

/// The bytes of `values`, finite, row-major, of the shape `shape`, and the scale of each index of
/// the first axis. No value moves by more than half its scale, rounding of f32 aside.
pub(super) fn quantized(values: &[f32], shape: &[usize]) -> [TensorData; 2] {
    let n_channels = shape[0];
    let mut bytes: Vec<i8> = Vec::with_capacity(values.len());
    let mut scales = Vec::with_capacity(n_channels);
    for channel in values.chunks_exact(values.len() / n_channels) {
        let largest = channel.iter().fold(0f32, |max, x| max.max(x.abs()));
        // A channel of zeros, or of numbers near none, has a scale all the same.
        let scale = (largest / LARGEST).max(f32::MIN_POSITIVE);
        bytes.extend(channel.iter().map(|x| (x / scale).round().clamp(-LARGEST, LARGEST) as i8));
        scales.push(scale);
    }
    [TensorData::new(bytes, shape.to_vec()), TensorData::new(scales, [n_channels])]
}

/// The floats of the tensor `key` of the file at `path`, given its bytes and what the file has for
/// its scales.
pub(super) fn dequantized(
    path: &Path,
    key: &str,
    bytes: &TensorView<'_>,
    scales: Option<&TensorView<'_>>,
) -> Result<TensorData, Error> {
    let broken = |reason: String| Error::WeightUnreadable {
        path: path.to_owned(),
        key: key.to_owned(),
        reason,
    };
    let name = scale_key(key);
    let scales = scales.ok_or_else(|| broken(format!("its scales `{name}` are missing")))?;
    let Some(&n_channels) = bytes.shape().first() else {
        return Err(broken("its scales have no axis to go along".to_owned()));
    };
    if scales.dtype() != Dtype::F32 || scales.shape() != [n_channels] {
        let (dtype, shape) = (scales.dtype(), scales.shape());
        let reason = format!("its scales are {dtype:?} {shape:?}, not F32 [{n_channels}]");
        return Err(broken(reason));
    }
    let read = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().expect("chunks of four bytes"));
    let scales: Vec<f32> = scales.data().chunks_exact(4).map(read).collect();
    if let Some(scale) = scales.iter().find(|scale| !scale.is_finite() || **scale <= 0.0) {
        return Err(broken(format!("its scale {scale} is no positive number")));
    }
    if bytes.data().contains(&(i8::MIN as u8)) {
        return Err(broken("it holds the byte -128, which the format leaves out".to_owned()));
    }
    let n_values = bytes.data().len();
    let mut values = Vec::with_capacity(n_values);
    if n_values > 0 {
        let channels = bytes.data().chunks_exact(n_values / n_channels);
        for (channel, scale) in channels.zip(scales) {
            values.extend(channel.iter().map(|&byte| f32::from(byte as i8) * scale));
        }
    }
    Ok(TensorData::new(values, bytes.shape().to_vec()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use burn::module::Module;
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::{DType, Device, Tensor};
    use proptest::prelude::*;
    use safetensors::SafeTensors;

    use super::*;
    use crate::weights::{
        Checkpoint, Limits, Mapping, Precision, Source, encode, load, save, to_bytes,
    };

    /// The error of f32 beyond half a scale: two roundings of up to 127 scales.
    const ROUNDING: f32 = 1e-4;

    /// A matrix that is quantized and one that is too small.
    #[derive(Module, Debug)]
    struct Pair {
        wide: Linear,
        small: Linear,
    }

    fn pair() -> Pair {
        let device = Device::flex();
        let linear = |d_input, d_output| LinearConfig::new(d_input, d_output).init(&device);
        Pair { wide: linear(40, 30), small: linear(3, 2) }
    }

    fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().expect("f32")
    }

    fn int8_of(pair: &Pair) -> Vec<u8> {
        to_bytes(pair, &Mapping::PYTORCH, &BTreeMap::new(), Precision::Int8).expect("finite")
    }

    fn open(bytes: &[u8]) -> Result<Checkpoint, Error> {
        Checkpoint::open(Source::Bytes { name: "memory", bytes })
    }

    #[test]
    fn a_matrix_comes_back_within_half_a_scale_of_its_output_channel() {
        let (pair, mut other) = (pair(), pair());
        let bytes = int8_of(&pair);
        let info =
            load(&mut other, Source::Bytes { name: "memory", bytes: &bytes }, &Mapping::PYTORCH)
                .expect("its own weights");
        assert_eq!((info.n_tensors, info.n_elements), (4, 40 * 30 + 30 + 6 + 2));
        let file = SafeTensors::deserialize(&bytes).expect("it was just written");
        let dtype = |key: &str| file.tensor(key).expect("it is there").dtype();
        assert_eq!(dtype("wide.weight"), Dtype::I8);
        assert_eq!([dtype("wide.bias"), dtype("small.weight")], [Dtype::F16; 2]);
        // burn keeps [in, out], the file [out, in].
        let [before, after] = [&pair, &other].map(|p| numbers(p.wide.weight.val().transpose()));
        assert_ne!(before, after);
        for (row, again) in before.chunks_exact(40).zip(after.chunks_exact(40)) {
            let scale = row.iter().fold(0f32, |max, x| max.max(x.abs())) / 127.0;
            for (a, b) in row.iter().zip(again) {
                assert!((a - b).abs() <= scale * (0.5 + ROUNDING), "{a} {b}, scale {scale}");
            }
        }
    }

    #[test]
    fn what_was_read_is_written_again_to_the_byte() {
        let mut other = pair();
        let first = int8_of(&pair());
        load(&mut other, Source::Bytes { name: "memory", bytes: &first }, &Mapping::PYTORCH)
            .expect("its own weights");
        let mut again = pair();
        let second = int8_of(&other);
        load(&mut again, Source::Bytes { name: "memory", bytes: &second }, &Mapping::PYTORCH)
            .expect("its own weights");
        let bytes = |file: &[u8]| {
            let file = SafeTensors::deserialize(file).expect("it was just written");
            file.tensor("wide.weight").expect("it is there").data().to_vec()
        };
        assert_eq!(bytes(&first), bytes(&second));
    }

    #[test]
    fn facts_of_writing_are_those_of_reading() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.safetensors");
        let texts = BTreeMap::new();
        let written = save(&pair(), &path, &Mapping::PYTORCH, &texts, Precision::Int8);
        let read = Checkpoint::open(Source::File(&path)).expect("it was written");
        assert_eq!(written.expect("room"), *read.info());
    }

    /// A file of a matrix and whatever `change` makes of its tensors.
    fn changed(
        change: impl FnOnce(&mut BTreeMap<String, TensorData>),
    ) -> Result<Checkpoint, Error> {
        let values: Vec<f32> = (0..2048).map(|i| (i as f32).sin()).collect();
        let [bytes, scales] = quantized(&values, &[2, 1024]);
        let mut tensors = BTreeMap::from([("a".to_owned(), bytes), ("a_scale".to_owned(), scales)]);
        change(&mut tensors);
        let mut tensors: Vec<_> = tensors.into_iter().collect();
        tensors.sort_by_key(|(_, data)| std::cmp::Reverse(data.dtype().size()));
        open(&encode(&tensors, &BTreeMap::new()))
    }

    #[test]
    fn broken_scales_are_refused_by_name() {
        let with =
            |data: TensorData| changed(|tensors| drop(tensors.insert("a_scale".to_owned(), data)));
        assert!(with(TensorData::from([1.0f32, 2.0])).is_ok());
        let refused = [
            changed(|tensors| drop(tensors.remove("a_scale"))),
            with(TensorData::from([1.0f32])),
            with(TensorData::from([[1.0f32, 2.0]])),
            with(TensorData::from([1i32, 2])),
            with(TensorData::from([1.0f32, f32::NAN])),
            with(TensorData::from([f32::INFINITY, 1.0])),
            with(TensorData::from([-1.0f32, 1.0])),
            with(TensorData::from([0.0f32, 1.0])),
        ];
        for (n, outcome) in refused.into_iter().enumerate() {
            let error = outcome.map(|_| ()).expect_err("the scales are broken").to_string();
            assert!(error.starts_with("`a` in memory cannot be read: its scale"), "{n}: {error}");
        }
        // Finite scales of values that are not.
        let overflow = with(TensorData::from([f32::MAX, 1.0])).map(|_| ());
        assert!(matches!(overflow, Err(Error::WeightNotFinite { .. })), "{overflow:?}");
        let single = changed(|tensors| {
            tensors.insert("a".to_owned(), TensorData::new(vec![1i8], [0usize; 0]));
            tensors.insert("a_scale".to_owned(), TensorData::new(Vec::<f32>::new(), [0usize]));
        });
        assert!(single.is_err());
        let lowest = changed(|tensors| {
            let bytes = TensorData::new(vec![i8::MIN; 2048], [2, 1024]);
            tensors.insert("a".to_owned(), bytes);
        });
        assert!(lowest.is_err());
    }

    #[test]
    fn scales_without_their_matrix_are_a_weight_too_many() {
        let bytes = int8_of(&pair());
        let file = SafeTensors::deserialize(&bytes).expect("it was just written");
        let mut tensors = Vec::new();
        for (key, view) in file.tensors() {
            let dtype = match view.dtype() {
                Dtype::F32 => DType::F32,
                Dtype::F16 => DType::F16,
                _ => DType::I8,
            };
            let data =
                TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), dtype);
            tensors.push((key, data));
        }
        tensors.push(("small.weight_scale".to_owned(), TensorData::from([1.0f32, 1.0])));
        tensors.sort_by_key(|(_, data)| std::cmp::Reverse(data.dtype().size()));
        let bytes = encode(&tensors, &BTreeMap::new());
        let source = Source::Bytes { name: "memory", bytes: &bytes };
        let error = load(&mut pair(), source, &Mapping::PYTORCH).expect_err("one too many");
        assert!(matches!(error, Error::UnusedWeights { .. }), "{error}");
    }

    #[test]
    fn the_limit_counts_what_the_weights_take_in_memory() {
        let bytes = int8_of(&pair());
        let needed = 4 * (40 * 30 + 30 + 6 + 2) as u64;
        assert!((bytes.len() as u64) < needed);
        let source = Source::Bytes { name: "memory", bytes: &bytes };
        let within = |max_memory| {
            let limits = Limits { max_memory, ..Limits::default() };
            Checkpoint::open_within(source, limits).map(|_| ())
        };
        assert!(within(needed).is_ok());
        let refused = within(needed - 1);
        assert!(matches!(refused, Err(Error::WeightsTooLarge { bytes, .. }) if bytes == needed));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn every_finite_matrix_comes_back_within_half_a_scale(
            n_channels in 1usize..5,
            values in prop::collection::vec(
                prop_oneof![-3.0f32..3.0, prop::num::f32::NORMAL, Just(0.0)], 8..40),
        ) {
            let len = values.len() / n_channels;
            let values = &values[..n_channels * len];
            let [bytes, scales] = quantized(values, &[n_channels, len]);
            let scales_read = scales.try_to_vec::<f32>().expect("f32");
            let view = |dtype, data: &TensorData| {
                let shape = data.shape().to_vec();
                (dtype, shape, data.as_bytes().to_vec())
            };
            let [b, s] = [view(Dtype::I8, &bytes), view(Dtype::F32, &scales)];
            let bytes = TensorView::new(b.0, b.1, &b.2).expect("whole");
            let scales = TensorView::new(s.0, s.1, &s.2).expect("whole");
            let again = dequantized(Path::new("memory"), "a", &bytes, Some(&scales))
                .expect("what was written is read")
                .try_to_vec::<f32>()
                .expect("f32");
            for (i, (a, b)) in values.iter().zip(&again).enumerate() {
                let scale = scales_read[i / len];
                prop_assert!((a - b).abs() <= scale * (0.5 + ROUNDING), "{} {} {}", a, b, scale);
            }
        }

        #[test]
        fn a_damaged_file_of_bytes_is_read_or_refused(
            place in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            cut in any::<Option<prop::sample::Index>>(),
            in_header in any::<bool>(),
        ) {
            let mut bytes = int8_of(&pair());
            let header = 8 + u64::from_le_bytes(*bytes.first_chunk().expect("a length")) as usize;
            let at = place.index(if in_header { header } else { bytes.len() });
            bytes[at] = byte;
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Ok(checkpoint) = open(&bytes) {
                for (key, shape) in checkpoint.shapes() {
                    let data = checkpoint.tensor(key).expect("its key was listed");
                    prop_assert_eq!(data.num_elements(), shape.iter().product::<usize>());
                }
            }
        }
    }
}
