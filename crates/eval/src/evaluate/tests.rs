use std::borrow::Cow;
use std::io::Cursor;

use burn::tensor::Tensor;
use cifake::{FnScorer, Sample, Threads};

use super::*;

/// Pictures of one colour, in memory; an empty one cannot be decoded.
struct Colours {
    samples: Vec<Sample>,
    pictures: Vec<Vec<u8>>,
}

impl Colours {
    /// One sample a `(label, class, red, green and blue)`.
    fn new(colours: &[(Label, Class, Option<[u8; 3]>)]) -> Self {
        let sample = |(index, (label, class, _)): (usize, &(Label, Class, _))| Sample {
            class: Some(*class),
            ..Sample::new(format!("{label}/{index}.png"), *label)
        };
        Self {
            samples: colours.iter().enumerate().map(sample).collect(),
            pictures: colours.iter().map(|(_, _, rgb)| rgb.map(png).unwrap_or_default()).collect(),
        }
    }

    /// Four pictures whose red tells a FAKE, one of each label grey; one broken one.
    fn mixed() -> Self {
        Self::new(&[
            (Label::Real, Class::Cat, Some([10, 200, 50])),
            (Label::Fake, Class::Cat, Some([240, 20, 50])),
            (Label::Real, Class::Dog, None),
            (Label::Real, Class::Dog, Some([200, 200, 200])),
            (Label::Fake, Class::Dog, Some([220, 220, 220])),
        ])
    }
}

impl Dataset for Colours {
    fn samples(&self) -> &[Sample] {
        &self.samples
    }

    fn bytes(&self, index: usize) -> Result<Cow<'_, [u8]>, Error> {
        Ok(Cow::Borrowed(&self.pictures[index]))
    }
}

fn png(rgb: [u8; 3]) -> Vec<u8> {
    let picture = image::RgbImage::from_pixel(6, 4, image::Rgb(rgb));
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).expect("memory can be written");
    bytes.into_inner()
}

/// The mean of the red channel.
fn red() -> impl Scorer {
    FnScorer(|images: Tensor<4>| {
        let [batch, _, height, width] = images.dims();
        images.narrow(1, 0, 1).reshape([batch, height * width]).mean_dim(1).reshape([batch])
    })
}

fn options() -> EvaluateOptions {
    let options = EvaluateOptions::new((6, 4), &Device::flex());
    let threads = Some(Threads::new(2).expect("two threads"));
    EvaluateOptions { batch_size: 2, threads, ..options }
}

fn report(options: &EvaluateOptions) -> Report {
    evaluate(&red(), &Colours::mixed(), options, &mut |_, _| {}).expect("pictures to score")
}

#[test]
fn every_picture_gets_its_own_score() {
    let report = report(&options());
    let found: Vec<_> = report.samples.iter().map(|s| (s.index, s.score * 255.0)).collect();
    for ((index, red), expected) in
        found.iter().zip([(0, 10.0), (1, 240.0), (3, 200.0), (4, 220.0)])
    {
        assert_eq!(*index, expected.0);
        assert!((red - expected.1).abs() < 1e-3, "{red}");
    }
    assert_eq!(report.all.accuracy.value, 0.75);
    assert_eq!(report.all.auc.map(|auc| auc.value), Some(1.0));
}

#[test]
fn a_broken_picture_is_named_and_the_others_are_measured() {
    let report = report(&options());
    assert_eq!((report.all.n, report.n_failed), (4, 1));
    assert_eq!(report.failed[0].id, "REAL/2.png");
    assert!(report.failed[0].error.contains("REAL/2.png"), "{}", report.failed[0].error);
}

#[test]
fn progress_counts_every_picture() {
    let mut seen = Vec::new();
    let mut progress = |done, total| seen.push((done, total));
    evaluate(&red(), &Colours::mixed(), &options(), &mut progress).expect("pictures to score");
    assert_eq!(seen, [(2, 5), (4, 5), (5, 5)]);
}

#[test]
fn subsets_hold_their_samples() {
    let report = report(&options().with_unique(vec![4, 2, 0]));
    assert_eq!(report.dedup.as_ref().map(|dedup| (dedup.n, dedup.accuracy.value)), Some((2, 1.0)));
    assert_eq!(report.near_grey.as_ref().map(|grey| grey.accuracy.value), Some(0.5));
    assert_eq!(report.other.as_ref().map(|other| other.accuracy.value), Some(1.0));
    let cats = &report.classes[&Class::Cat];
    assert_eq!((cats.n, cats.accuracy.value), (2, 1.0));
}

#[test]
fn chosen_indices_alone_are_evaluated() {
    let report = report(&options().with_indices(vec![1, 0]).with_threshold(0.01));
    let ids: Vec<_> = report.samples.iter().map(|sample| sample.id.as_str()).collect();
    assert_eq!(ids, ["FAKE/1.png", "REAL/0.png"]);
    assert_eq!(report.all.accuracy.value, 0.5);
    assert!(report.near_grey.is_none() && report.dedup.is_none());
}

#[test]
fn nothing_to_score_is_an_error() {
    let none = options().with_indices(vec![]);
    let run = |options| evaluate(&red(), &Colours::mixed(), options, &mut |_, _| {});
    assert!(matches!(run(&none), Err(Error::NoSamples)));
    let broken = run(&options().with_indices(vec![2])).expect_err("it cannot be decoded");
    assert!(broken.to_string().contains("REAL/2.png"), "{broken}");
}

#[test]
fn a_score_that_is_no_number_is_an_error() {
    let broken = FnScorer(|images: Tensor<4>| {
        let [batch, ..] = images.dims();
        Tensor::full([batch], f32::NAN, &images.device())
    });
    let result = evaluate(&broken, &Colours::mixed(), &options(), &mut |_, _| {});
    assert!(matches!(result, Err(Error::ScoreNotFinite { index: 0, .. })));
}

#[test]
fn json_has_the_metrics_on_top_and_reads_back() {
    let report = report(&options().with_unique(vec![0, 1]));
    let json = serde_json::to_value(&report).expect("numbers and texts");
    assert_eq!(json["n"], 4);
    assert_eq!(json["n_failed"], 1);
    for name in ["accuracy", "auc", "ap", "ece", "brier", "tpr_at_fpr_1"] {
        for part in ["value", "low", "high"] {
            assert!(json[name][part].is_number(), "{name} {part}");
        }
    }
    assert_eq!(json["dedup"]["accuracy"]["value"], 1.0);
    assert_eq!(json["classes"]["cat"]["n"], 2);
    assert_eq!(json["confusion"]["real_as_fake"], 1);
    let mut back: Report = serde_json::from_value(json).expect("it was written from one");
    back.samples.clone_from(&report.samples);
    assert_eq!(back, report);
}

#[test]
fn the_table_is_aligned() {
    let table = report(&options().with_unique(vec![0, 1])).to_string();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0].trim_end(), "                all                       deduplicated");
    assert_eq!(lines[1].trim_end(), "n               4                         2");
    assert!(lines[2].starts_with("accuracy        0.7500 ["), "{table}");
    assert!(table.contains("\ncat                   2    1.0000    1.0000    1.0000    1.0000\n"));
    assert!(table.contains("seed 0; 1 picture could not be decoded\nnear grey: "), "{table}");
}

#[test]
fn scores_are_written_as_csv() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("scores.csv");
    report(&options()).write_csv(&path).expect("the folder is writable");
    let text = std::fs::read_to_string(path).expect("it was written");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("index,id,label,class,near_grey,score"));
    assert_eq!(lines.next(), Some("0,REAL/0.png,REAL,cat,false,0.039215688"));
    assert_eq!(lines.count(), 3);
}
