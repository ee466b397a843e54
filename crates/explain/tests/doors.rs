//! Whatever bytes come as an answer, a record, a calibration or a table of answers, they are read or
//! refused.

use explain::evidence::{Calibration, Measure};
use explain::{ContestAnswers, Record, Rules, parse};
use testkit::fuzz::{Door, trial};

fn answer(bytes: &[u8]) {
    let _ = parse(&String::from_utf8_lossy(bytes), &Rules::default());
}

fn answers(bytes: &[u8]) {
    let _ = ContestAnswers::from_json(bytes);
}

fn calibration(bytes: &[u8]) {
    if let Ok(calibration) = Calibration::from_json(bytes) {
        for measure in Measure::all() {
            let _ = calibration.spread(measure).percentile(0.5);
        }
    }
}

fn record(bytes: &[u8]) {
    if let Ok(record) = Record::from_json(bytes) {
        let _ = record.files();
    }
}

#[test]
fn answer_door_holds() {
    let seeds = [
        "1. Artificial smoothness: the sky has no grain.\n2. **Blurred boundaries** - at the wing.",
        "```json\n[{\"artifact\": \"Artificial smoothness\", \"explanation\": \"No grain.\"}]\n```",
        "The picture looks like a photograph.",
    ];
    trial(&Door { name: "answer", open: answer }, &seeds.map(|text| text.as_bytes().to_vec()));
}

#[test]
fn answers_door_holds() {
    let seeds = [
        r#"[{"index": 1, "explanation": {"Artificial smoothness": "The sky has no grain."}}]"#,
        r#"[{"index": "2", "artifact_name": "Blurred boundaries", "explanation": "At the wing."}]"#,
    ];
    trial(&Door { name: "answers", open: answers }, &seeds.map(|text| text.as_bytes().to_vec()));
}

#[test]
fn calibration_door_holds() {
    let shipped = include_bytes!("../src/evidence/calibration.json").to_vec();
    trial(&Door { name: "calibration", open: calibration }, &[shipped]);
}

#[test]
fn record_door_holds() {
    let hash = "0".repeat(64);
    let seed = format!(
        r#"{{"id": "a/1.png", "sha256": "{hash}", "image": ["1.png", "2.png"],
        "conversations": [{{"from": "human", "value": "<image>"}}, {{"from": "gpt", "value": "No."}}],
        "label": "FAKE", "p_fake": 0.9, "explanation": {{"findings": []}}}}"#
    );
    trial(&Door { name: "record", open: record }, &[seed.into_bytes()]);
}
