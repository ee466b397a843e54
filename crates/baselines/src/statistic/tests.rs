//! Fits on few values, and a statistic as a network.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const LABELS: [Label; 8] = {
    use Label::{Fake, Real};
    [Real, Real, Real, Real, Fake, Fake, Fake, Fake]
};

/// Values that overlap; larger ones are FAKE.
const VALUES: [f32; 8] = [1.0, 2.0, 3.0, 4.0, 3.5, 5.0, 6.0, 7.0];

#[test]
fn a_fit_finds_the_direction_and_stands_at_a_minimum() {
    let fit = Logistic::fit(&VALUES, &LABELS).expect("it separates");
    assert!(fit.scale > 0.0 && (3.0..5.0).contains(&fit.center), "{fit:?}");
    let negated = VALUES.map(|value| -value);
    let other = Logistic::fit(&negated, &LABELS).expect("it separates");
    assert!((other.scale + fit.scale).abs() < 1e-4 && (other.center + fit.center).abs() < 1e-4);
    let targets = targets(&VALUES, &LABELS).expect("both labels");
    let xs = VALUES.map(f64::from);
    let (slope, center) = (f64::from(fit.scale), f64::from(fit.center));
    let line = Line { slope, offset: -slope * center, error: 0.0 };
    let (gradient, _) = line.derivatives(&xs, &targets);
    assert!(gradient.iter().all(|value| value.abs() < 1e-5), "{gradient:?}");
}

#[test]
fn values_that_separate_without_error_have_a_finite_slope() {
    let values = [1.0, 1.1, 1.2, 1.3, 2.0, 2.1, 2.2, 2.3].map(|value: f32| value * 1e-3);
    let fit = Logistic::fit(&values, &LABELS).expect("it separates");
    fit.validate().expect("finite");
    assert!((1.3e-3..2e-3).contains(&fit.center), "{fit:?}");
}

#[test]
fn what_separates_nothing_is_refused() {
    let constant = Logistic::fit(&[0.5; 8], &LABELS);
    assert!(matches!(constant, Err(Error::StatisticConstant { .. })), "{constant:?}");
    let mixed = Logistic::fit(&[1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0], &LABELS);
    assert!(matches!(mixed, Err(Error::NoSeparation { .. })), "{mixed:?}");
    for broken in [f32::NAN, f32::INFINITY] {
        let mut values = VALUES;
        values[3] = broken;
        let found = Logistic::fit(&values, &LABELS);
        assert!(matches!(found, Err(Error::StatisticNotFinite { index: 3, .. })), "{found:?}");
    }
}

#[test]
fn labels_must_match_the_values_and_be_of_both_kinds() {
    let one = Logistic::fit(&VALUES, &[Label::Real; 8]);
    let missing = cifake::Error::OneLabel { missing: Label::Fake };
    assert_eq!(one.expect_err("one label").to_string(), missing.to_string());
    let short = Logistic::fit(&VALUES[..7], &LABELS).expect_err("7 against 8").to_string();
    assert!(short.contains('7') && short.contains('8'), "{short}");
}

#[derive(Debug)]
struct Mean;

impl Statistic for Mean {
    fn name(&self) -> String {
        "mean".into()
    }

    fn input_size(&self) -> (u32, u32) {
        (3, 2)
    }

    fn activation_bytes(&self) -> u64 {
        72
    }

    fn value(&self, images: Tensor<4>) -> Tensor<1> {
        images.flatten::<2>(1, 3).mean_dim(1).squeeze_dim::<1>(1)
    }
}

/// Half of a batch's memory a picture; counts the pictures of its largest batch.
#[derive(Debug, Default)]
struct Large(AtomicUsize);

impl Statistic for Large {
    fn name(&self) -> String {
        "large".into()
    }

    fn input_size(&self) -> (u32, u32) {
        (4, 4)
    }

    fn activation_bytes(&self) -> u64 {
        1 << 29
    }

    fn value(&self, images: Tensor<4>) -> Tensor<1> {
        self.0.fetch_max(images.dims()[0], Ordering::Relaxed);
        images.flatten::<2>(1, 3).mean_dim(1).squeeze_dim::<1>(1)
    }
}

#[test]
fn pictures_go_through_in_batches_that_fit_into_memory() {
    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini");
    let dataset = cifake::open_dataset(&mini, Some(cifake::Split::Test)).expect("committed");
    let pictures = Pictures {
        dataset: &*dataset,
        indices: (0..dataset.len()).collect(),
        decoder: Decoder::default(),
    };
    let statistic = Large::default();
    // Whether brightness separates them does not matter.
    let _ = Logistic::fit_statistic(&statistic, &pictures, &Device::flex());
    assert_eq!(statistic.0.load(Ordering::Relaxed), 2);
}

#[test]
fn the_logit_of_fake_is_the_scaled_distance_from_the_center() {
    let network = StatisticNetwork::new(Mean, Logistic { center: 0.25, scale: -4.0 });
    let device = Device::flex();
    let images = Tensor::cat(
        vec![Tensor::zeros([1, 3, 2, 3], &device), Tensor::ones([1, 3, 2, 3], &device)],
        0,
    );
    let (logits, embedding) = network.logits_and_embedding(images);
    let read = |tensor: Tensor<2>| tensor.into_data().iter::<f32>().collect::<Vec<_>>();
    assert_eq!((read(logits), read(embedding)), (vec![0.0, 1.0, 0.0, -3.0], vec![0.0, 1.0]));
    assert!(network.layers().is_empty());
    assert_eq!((network.name(), network.embedding_dim()), ("mean".to_owned(), 1));
}
