//! Vision-language models as explainers: alone, behind measurements, and as their programs are run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use burn::tensor::Device;
use cifake::{Class, Label, Picture};
use explain::{
    Artifact, Combined, EvidenceExplainer, Explainer, Explanation, MAX_FINDINGS, MAX_WORDS,
    Subject, VlmExplainer,
};
use gradcam::HeatMap;
use serde_json::Value;
use vlm_lora::Assistant;

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/sample").join(name)
}

fn with_model<T>(test: impl FnOnce(&Path) -> T) -> T {
    let folder = tempfile::tempdir().expect("a temporary folder");
    language::tiny::write_vision_model(folder.path()).expect("the folder is writable");
    test(folder.path())
}

fn explainer(folder: &Path) -> VlmExplainer {
    let assistant = Assistant::open(folder, None, &Device::flex()).expect("it was just written");
    VlmExplainer::new("tiny", assistant).with_question("What gives this picture away?")
}

/// The explanation by `explainer` of a committed sample, taken for `label` and for a picture of
/// `class`.
fn said(explainer: &dyn Explainer, label: Label, class: Option<Class>) -> Explanation {
    let picture = cifake::Decoder::default().read(&sample("fake-cat-1.jpg")).expect("committed");
    let picture: Picture = picture.fitted(32, 32).0;
    let heat = (0..16).map(|at| at as f32 / 15.0).collect();
    let map = HeatMap::scaled(heat, 4, 4);
    let (picture, map) = (&picture, &map);
    let subject = Subject { picture, map, label, p_fake: 0.9, class };
    explainer.explain(&subject).expect("its answer has the form")
}

#[test]
fn a_model_says_listed_names_within_the_limits_and_signs_them() {
    with_model(|folder| {
        let explainer = explainer(folder);
        for class in [None, Some(Class::Cat), Some(Class::Ship)] {
            let explanation = said(&explainer, Label::Fake, class);
            assert!((1..=MAX_FINDINGS).contains(&explanation.findings.len()), "{explanation:?}");
            for finding in &explanation.findings {
                assert!(finding.explanation.split_whitespace().count() <= MAX_WORDS, "{finding:?}");
                assert_eq!(finding.said_by, ["tiny"]);
                let possible = class.is_none_or(|class| finding.artifact.can_concern(class));
                assert!(possible, "{} of a {class:?}", finding.artifact.name());
            }
            assert_eq!(said(&explainer, Label::Fake, class), explanation, "it draws nothing");
        }
        assert_eq!(said(&explainer, Label::Real, None), Explanation::default());
    });
}

#[test]
fn measurements_come_before_a_model_and_both_are_named() {
    with_model(|folder| {
        let measured = said(&EvidenceExplainer::embedded(), Label::Fake, None);
        let alone = said(&explainer(folder), Label::Fake, None);
        let both: Vec<Box<dyn Explainer>> =
            vec![Box::new(EvidenceExplainer::embedded()), Box::new(explainer(folder))];
        let combined = said(&Combined::new(both), Label::Fake, None);
        assert!(combined.findings.len() <= MAX_FINDINGS);
        let names = |found: &Explanation| -> Vec<Artifact> {
            found.findings.iter().map(|finding| finding.artifact).collect()
        };
        let (measured, alone) = (names(&measured), names(&alone));
        for finding in &combined.findings {
            let by = |name: &str| finding.said_by.iter().any(|who| who == name);
            assert_eq!(by("tiny"), alone.contains(&finding.artifact), "{finding:?}");
            assert_eq!(by("evidence"), measured.contains(&finding.artifact), "{finding:?}");
        }
        let kept = names(&combined);
        assert!(measured.iter().all(|artifact| kept.contains(artifact)), "{kept:?}");
    });
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().expect("the program starts")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("it is UTF-8")
}

#[test]
fn explain_vlm_reports_what_it_can_and_counts_what_it_cannot() {
    const PROGRAM: &str = env!("CARGO_BIN_EXE_explain_vlm");
    with_model(|folder| {
        let (cat, page) = (sample("fake-cat-1.jpg"), folder.join("page.html"));
        let broken = folder.join("config.json");
        let common = ["--model", text(folder), "--question", "What?", "--json"];
        let more = ["--enlarge", "upscale:64", "--html", text(&page), text(&cat), text(&broken)];
        let output = run(PROGRAM, &[&common[..], &more].concat());
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("config.json"));
        let report: Value = serde_json::from_slice(&output.stdout).expect("one object a picture");
        assert!(report.to_string().contains("fake-cat-1.jpg"), "{report}");
        let page = std::fs::read_to_string(page).expect("it was written");
        assert!(page.contains("fake-cat-1.jpg") && page.contains("</html>"));
        for (arguments, reason) in [
            (vec!["--model", "nowhere", text(&cat)], "nowhere"),
            (vec!["--model", text(folder), "--adapter", text(folder), text(&cat)], "adapter"),
            (vec!["--model", text(folder), "--enlarge", "twice", text(&cat)], "upscale"),
            (vec!["--model", text(folder), "--class", "catt", text(&cat)], "airplane"),
            (
                vec!["--model", text(folder), "--adapter", "none", "--adapter", "none", text(&cat)],
                "more --adapter",
            ),
        ] {
            let output = run(PROGRAM, &arguments);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
            assert!(said.contains(reason) && !said.contains("panicked"), "{arguments:?}: {said}");
        }
    });
}

/// Measurements still speak; that a model did not is said, and counts.
#[test]
fn explain_vlm_says_which_model_said_nothing_and_why() {
    with_model(|folder| {
        std::fs::remove_file(folder.join("chat_template.jinja")).expect("it was written");
        let cat = sample("fake-cat-1.jpg");
        let output = run(
            env!("CARGO_BIN_EXE_explain_vlm"),
            &["--model", text(folder), "--json", text(&cat)],
        );
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("cannot be asked: the model has no chat template"), "{said}");
        assert!(!output.stdout.is_empty(), "the measurements have their say");
    });
}

#[test]
fn score_vlm_grades_both_controls() {
    let output = run(env!("CARGO_BIN_EXE_score_vlm"), &["--smoke", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!((&report["n"], &report["n_failed"]), (&2.into(), &0.into()), "{report}");
    assert!(report["blank"].as_array().is_some_and(|names| !names.is_empty()), "{report}");
    assert!(report["trial"].is_object(), "{report}");
    let output = run(env!("CARGO_BIN_EXE_score_vlm"), &["--reference", "nowhere", "--model", "x"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
