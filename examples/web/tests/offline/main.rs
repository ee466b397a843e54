//! The built page in a real browser, which has the detector inside: Chromium without a window, led by `chromedriver`.
//!
//! `cargo xtask web` builds the folder that these tests serve.

#[path = "../../../../crates/serve/tests/browser/driver.rs"]
#[allow(dead_code, reason = "the tests of the server's page need more of it")]
mod driver;
mod site;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cifake::Detector;
use serde_json::{Value, json};

use crate::driver::Browser;
use crate::site::Site;

/// Without a fused multiply-add each product is rounded, too.
const LIMIT: f64 = 1e-5;
/// Longest time for a picture of the model's size, in milliseconds.
const MAX_MILLISECONDS: f64 = 15.0;

/// The page knows its model, so that all its files have come.
const LOADED: &str = "document.querySelector('#about').textContent.startsWith('Model')";

/// Makes files of `[name, base64]` pairs, and finds the page's own detector.
const ASK: &str = "
    const files = given.map(([name, content]) =>
        new File([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))], name));
    const { backend } = await import('./backend.js');";

fn samples() -> Vec<(String, Vec<u8>)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/sample");
    let entries = std::fs::read_dir(folder).expect("the repository holds pictures");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jpg"));
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        (name, std::fs::read(path).expect("the repository holds it"))
    };
    paths.iter().map(read).collect()
}

fn pairs(files: &[(String, Vec<u8>)]) -> Value {
    files.iter().map(|(name, content)| json!([name, STANDARD.encode(content)])).collect()
}

/// Runs an asynchronous script with `files` and `backend`, and waits for its result.
fn ask(browser: &Browser, files: &[(String, Vec<u8>)], script: &str) -> Value {
    let body = format!("const given = arguments[0]; return (async () => {{ {ASK} {script} }})();");
    browser.run(&body, &pairs(files))
}

fn opened() -> (Site, Browser) {
    let site = Site::start();
    let browser = Browser::open(site.address(), 1280);
    browser.wait(LOADED);
    (site, browser)
}

#[test]
fn probabilities_are_those_of_the_program() {
    let (_site, browser) = opened();
    let detector: Detector = tinyvit::embedded().expect("the shipped weights are whole");
    let files = samples();
    assert!(files.len() >= 10, "{} samples", files.len());
    let script = "return Promise.all(files.map((file) => backend.detect(file)));";
    let answers = ask(&browser, &files, script);
    let mut largest: f64 = 0.0;
    for ((name, content), answer) in files.iter().zip(answers.as_array().expect("one each")) {
        let verdict = detector.detect_bytes(content).expect("a sample is a picture");
        let theirs = answer["p_fake"].as_f64().expect("a probability is a number");
        let difference = (theirs - f64::from(verdict.p_fake)).abs();
        assert!(difference <= LIMIT, "{name}: {theirs}, the program says {}", verdict.p_fake);
        assert_eq!(answer["model"], json!(verdict.model));
        largest = largest.max(difference);
    }
    eprintln!("{} pictures, largest difference {largest:e}", files.len());
    browser.assert_no_fault();
}

#[test]
fn a_dropped_picture_gets_answer_and_map_and_nothing_is_asked_of_the_server() {
    let (site, browser) = opened();
    let entries = "performance.getEntriesByType('resource').filter((one) => !/^(blob|data):/.test(one.name)).length";
    let (asked, listed) = (site.asked(), browser.value(entries));
    assert!(asked > 10, "{asked} files make the page");
    let fake = samples().into_iter().find(|(name, _)| name == "fake-airplane-1.jpg");
    let files = [fake.expect("the repository holds it"), ("no.png".to_owned(), b"no".to_vec())];
    ask(&browser, &files, "
        const transfer = new DataTransfer();
        for (const file of files) transfer.items.add(file);
        document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true}));");
    browser.wait("document.querySelector('.card.fake') !== null && document.querySelector('.card.failed') !== null");
    browser.value("document.querySelector('.card.fake .row').click()");
    browser.wait("document.querySelector('.open .map')?.naturalWidth > 0");
    assert_eq!(browser.text(".open .words"), "Looks generated");
    assert!(browser.text(".artifacts").contains("camera pictures"));
    assert!(browser.text("#destination").contains("stay in this browser"));
    browser.value("document.querySelector('.open .save button').click()");
    browser.wait("document.querySelector('#status').textContent === 'The report was saved.'");
    assert_eq!((site.asked(), browser.value(entries)), (asked, listed));
    browser.assert_no_fault();
}

#[test]
fn the_page_may_send_nothing() {
    let (site, browser) = opened();
    let asked = site.asked();
    let outcome =
        ask(&browser, &[], "return fetch('page.css').then(() => 'sent', () => 'refused');");
    assert_eq!(outcome, json!("refused"));
    assert_eq!(site.asked(), asked);
}

#[test]
fn a_detector_that_stopped_begins_anew() {
    let (_site, browser) = opened();
    let files = &samples()[..1];
    // Without its detector, the worker fails as it would over a panic.
    let answers = ask(&browser, files, "
        const worker = new Worker('worker.js', { type: 'module' });
        const content = await files[0].arrayBuffer();
        const answers = [];
        for (const [task, sent] of [['free', null], ['detect', content], ['detect', content]]) {
            worker.postMessage({ number: 1, task, content: sent });
            answers.push(await new Promise((resolve) => worker.addEventListener('message', ({ data }) => resolve(data.text ?? ''), { once: true })));
        }
        return answers.slice(1).map((text) => JSON.parse(text));");
    assert_eq!(answers[0]["error"]["status"], json!(500));
    assert!(answers[1]["p_fake"].is_number(), "{answers}");
}

#[test]
fn a_tiny_picture_takes_a_few_milliseconds() {
    let (_site, browser) = opened();
    let files = &samples()[..1];
    // The fastest of twelve blocks: whatever else the machine does is not the page's.
    let times = ask(
        &browser,
        files,
        "
        const times = [];
        for (let block = 0; block < 12; block += 1) {
            const start = performance.now();
            for (let run = 0; run < 20; run += 1) await backend.detect(files[0]);
            times.push((performance.now() - start) / 20);
        }
        return times;",
    );
    let times = times.as_array().expect("a list").iter().filter_map(Value::as_f64);
    let fastest = times.clone().fold(f64::INFINITY, f64::min);
    let mean = times.clone().sum::<f64>() / times.count() as f64;
    eprintln!("240 pictures: {fastest:.2} ms each in the fastest block, {mean:.2} ms in all");
    assert!(fastest <= MAX_MILLISECONDS, "{fastest} ms a picture");
}
