//! Answers that are fitted: what they promise, and how they are written and read.

#[path = "../../cifake/tests/toy/mod.rs"]
mod toy;

use burn::tensor::Device;
use cifake::{
    Answer, Answers, Detector, DetectorError, Drawing, Error, InputFit, Label, Observed, Picture,
    Sample, Scope, Verdict, save_with_answers,
};
use cifake_eval::{AnswerOptions, fit_answers};
use toy::{Toy, ToyConfig, detector, loader};

/// Soft waves with a little noise, as photographs are; the label is told by their direction.
fn waves(range: std::ops::Range<u64>, side: u32) -> Vec<(Label, Picture)> {
    let one = |number: u64| {
        let label = Label::ALL[(number % 2) as usize];
        let noise = Drawing::Noise.picture(side, 9, number);
        let phase = number as f32 * 0.37;
        let pixels = noise.pixels().iter().enumerate().map(|(i, noise)| {
            let (x, y) = (i as u32 / 3 % side, i as u32 / 3 / side);
            let along = if label == Label::Fake { x } else { y } as f32 / side as f32;
            let level = 128.0 + 60.0 * (along * (3.0 + phase % 2.0) + phase).sin();
            (level + (f32::from(*noise) - 128.0) * 0.15).clamp(0.0, 255.0) as u8
        });
        (label, Picture::new(pixels.collect(), side, side).expect("whole"))
    };
    range.map(one).collect()
}

fn observed(detector: &Detector, range: std::ops::Range<u64>, side: u32) -> Observed {
    let (labels, pictures): (Vec<Label>, Vec<Picture>) = waves(range, side).into_iter().unzip();
    let seen = detector.observe_pictures(&pictures).expect("all can be judged");
    labels.into_iter().map(|label| Sample::new("wave", label)).zip(seen).collect()
}

fn fitted(detector: &Detector) -> Answers {
    let native = [0..400, 400..650].map(|range| observed(detector, range, 16));
    let others = [1000..1200, 1200..1400].map(|range| observed(detector, range, 40));
    let [training, held_back] = &native;
    let [fitting, choosing] = &others;
    fit_answers(training, held_back, Some([fitting, choosing]), &AnswerOptions::default())
        .expect("there are enough of both labels")
}

#[test]
fn what_was_fitted_is_written_and_read_again() {
    let detector = detector();
    let answers = fitted(&detector);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("answers.safetensors");
    let config = ToyConfig::small();
    let toy = Toy::drawn(&config, &Device::flex());
    let old = [("note", "kept"), ("temperature", "77"), ("resized_unsure_below", "0.9")];
    let old = old.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    save_with_answers(&toy, &config, &old, &answers, &path).expect("the folder is writable");
    let read = Detector::open(&loader().into(), &path).expect("it was just written");
    assert_eq!(read.weights().metadata["note"], "kept");
    assert_eq!(read.familiarity(), Some(answers.familiarity()));
    for fit in [InputFit::Native, InputFit::Resized] {
        assert_eq!(read.curve(fit), answers.curve(fit));
    }
    let pictures: Vec<Picture> = waves(2000..2020, 23).into_iter().map(|(_, p)| p).collect();
    let ours = detector.with_answers(&answers).detect_batch(&pictures).expect("judged");
    let theirs = read.detect_batch(&pictures).expect("judged");
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(
            (ours.p_fake, ours.answer, ours.scope),
            (theirs.p_fake, theirs.answer, theirs.scope)
        );
        assert_eq!(ours.familiarity, theirs.familiarity);
    }
}

#[test]
fn drawings_are_unfamiliar_and_pictures_like_the_training_are_not() {
    let detector = detector();
    let answers = fitted(&detector);
    let detector = detector.with_answers(&answers);
    let strange = |verdicts: &[Verdict]| {
        verdicts.iter().filter(|verdict| verdict.scope == Scope::Unfamiliar).count()
    };
    let known: Vec<Picture> = waves(3000..3200, 16).into_iter().map(|(_, p)| p).collect();
    let verdicts = detector.detect_batch(&known).expect("judged");
    assert!(strange(&verdicts) <= 20, "{} of 200", strange(&verdicts));
    for side in [16, 40] {
        for kind in [Drawing::Flat, Drawing::Text, Drawing::Shapes, Drawing::Interface] {
            let drawn: Vec<Picture> = (0..40).map(|number| kind.picture(side, 5, number)).collect();
            let verdicts = detector.detect_batch(&drawn).expect("judged");
            assert!(strange(&verdicts) >= 36, "{}: {}", kind.as_str(), strange(&verdicts));
            let unsure = verdicts.iter().filter(|verdict| verdict.answer == Answer::Unsure);
            assert!(unsure.count() >= strange(&verdicts));
        }
    }
}

#[test]
fn thresholds_keep_their_promise_on_what_chose_them() {
    let detector = detector();
    let answers = fitted(&detector);
    let choosing = observed(&detector, 1200..1400, 40);
    let curve = answers.curve(InputFit::Resized);
    let margins: Vec<f32> = choosing.iter().map(|(_, seen)| seen.margin()).collect();
    let labels: Vec<Label> = choosing.iter().map(|(sample, _)| sample.label).collect();
    let answered = |label: Label, answer: Answer| {
        let pairs = curve.probabilities(&margins).into_iter().zip(&labels);
        pairs.filter(|(p, of)| **of == label && curve.answer(*p) == answer).count()
    };
    assert!(answered(Label::Real, Answer::Fake) <= 5);
    assert!(answered(Label::Fake, Answer::Real) <= 5);
    let native = answers.curve(InputFit::Native);
    let [above, below] = native.unsure.expect("it was fitted");
    assert!(above <= 0.5 && 0.5 <= below, "{above} {below}");
}

#[test]
fn a_file_of_old_answers_with_its_label() {
    let verdicts = detector().detect_batch(waves(0..8, 16).into_iter().map(|(_, p)| p));
    for verdict in verdicts.expect("judged") {
        assert_eq!((verdict.answer, verdict.familiarity), (verdict.label.into(), None));
        assert_eq!(verdict.scope, Scope::Native);
    }
}

#[test]
fn pictures_of_one_label_or_too_few_are_an_error() {
    let detector = detector();
    let all = observed(&detector, 0..300, 16);
    let real: Observed = all.iter().filter(|(s, _)| s.label == Label::Real).cloned().collect();
    let options = AnswerOptions::default();
    assert!(fit_answers(&all, &real, None, &options).is_err());
    let few = all[..10].to_vec();
    let refused = fit_answers(&few, &all, None, &options);
    let too_few = |error| matches!(error, Error::Detector(DetectorError::TooFewPictures { .. }));
    assert!(refused.is_err_and(too_few));
    // None of the others was resized.
    assert!(fit_answers(&all, &all, Some([&all, &all]), &options).is_err());
}
