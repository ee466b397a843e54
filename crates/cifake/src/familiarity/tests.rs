use super::*;
use crate::{InputFit, Label, Sample};

/// Features of three values and pixel statistics around zero, whose spread is `scale`.
fn observed(n: usize, scale: f32, input: InputFit) -> Observed {
    let wave = |i: usize, k: usize| scale * ((i * (2 * k + 3)) as f32 * 0.7 + k as f32).sin();
    let one = |i: usize| {
        let label = Label::ALL[i % 2];
        let shift = 5.0 * (i % 2) as f32;
        let seen = Observation {
            logits: [0.0, shift],
            features: (0..3).map(|k| wave(i, k) + shift).collect(),
            statistics: std::array::from_fn(|k| wave(i, k + 3)),
            input,
            width: 8,
            height: 8,
        };
        (Sample::new(i.to_string(), label), seen)
    };
    (0..n).map(one).collect()
}

fn fitted() -> Familiarity {
    let native = observed(400, 1.0, InputFit::Native);
    Familiarity::fit(&native, &observed(303, 1.0, InputFit::Native), 1e-3).expect("they vary")
}

#[test]
fn held_back_pictures_spread_over_all_percentiles_and_far_ones_have_none() {
    let familiarity = fitted();
    assert_eq!(familiarity.n_means(), 2);
    let held_back = observed(303, 1.0, InputFit::Native);
    let shares: Vec<f32> = held_back.iter().map(|(_, seen)| familiarity.percentile(seen)).collect();
    let mean = shares.iter().sum::<f32>() / shares.len() as f32;
    assert!((mean - 50.0).abs() < 2.0, "{mean}");
    let below = shares.iter().filter(|share| **share < 10.0).count();
    assert!((25..=36).contains(&below), "{below} of 303");
    let mut far = held_back[0].1.clone();
    far.features[1] += 1000.0;
    assert_eq!(familiarity.percentile(&far), 0.0);
    let mut odd = held_back[0].1.clone();
    odd.statistics[2] -= 1000.0;
    assert_eq!(familiarity.percentile(&odd), 0.0);
}

#[test]
fn a_resized_picture_is_as_familiar_as_one_of_the_models_size() {
    let familiarity = fitted();
    let mut seen = observed(1, 1.0, InputFit::Native).remove(0).1;
    let native = familiarity.percentile(&seen);
    seen.input = InputFit::Resized;
    assert_eq!(familiarity.percentile(&seen), native);
}

#[test]
fn a_share_lies_between_the_quantiles() {
    let table: Vec<f32> = (0..101).map(|percent| percent as f32 * 2.0).collect();
    assert_eq!(share_farther(&table, -1.0), 100.0);
    assert_eq!(share_farther(&table, 0.0), 100.0);
    assert_eq!(share_farther(&table, 51.0), 74.5);
    assert_eq!(share_farther(&table, 200.0), 0.0);
    assert_eq!(share_farther(&table, f32::MAX), 0.0);
    // Quantiles that are all the same.
    assert_eq!(share_farther(&[1.0; 101], 1.0), 100.0);
    assert_eq!(share_farther(&[1.0; 101], 2.0), 0.0);
}

#[test]
fn what_is_written_is_read_again() {
    let familiarity = fitted();
    let tensors = familiarity.to_tensors();
    assert_eq!(tensors.len(), 5);
    assert_eq!(Familiarity::from_tensors(tensors, 3), Ok(familiarity));
}

#[test]
fn tensors_that_are_no_familiarity_are_refused_by_name() {
    let whole = fitted().to_tensors();
    let refused = |name: &str, data: Option<TensorData>, part: &str| {
        let mut tensors = whole.clone();
        match data {
            Some(data) => tensors.insert(name.to_owned(), data),
            None => tensors.remove(name),
        };
        let reason = Familiarity::from_tensors(tensors, 3).expect_err(name);
        assert!(reason.contains(part), "{name}: {reason}");
    };
    let list = |values: Vec<f32>| {
        let len = values.len();
        Some(TensorData::new(values, [len]))
    };
    refused("features.means", None, "features.means");
    refused("features.more", list(vec![1.0]), "features.more");
    refused("features.means", list(vec![1.0; 6]), "shapes");
    refused("features.factor", Some(TensorData::new(vec![1.0f32; 9], [3, 3])), "triangular");
    refused("pixels.factor", Some(TensorData::new(vec![1.0f32; 9], [3, 3])), "7 values");
    refused("distances", list(vec![1.0; 100]), "distances");
    refused("distances", list((0..101).rev().map(|x| x as f32).collect()), "ascending");
    refused("distances", list(vec![-1.0; 101]), "ascending distances");
    refused("distances", Some(TensorData::new(vec![1i32; 101], [101])), "");
}

#[test]
fn too_few_pictures_are_an_error() {
    let few = observed(100, 1.0, InputFit::Native);
    let enough = observed(101, 1.0, InputFit::Native);
    let refused = Familiarity::fit(&enough, &few, 1e-3);
    assert!(matches!(
        refused,
        Err(Error::Detector(DetectorError::TooFewPictures { found: 100, needed: 101 }))
    ));
    assert!(Familiarity::fit(&enough, &enough, 1e-3).is_ok());
}
