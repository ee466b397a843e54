//! The program `explain`: its JSON, its files, how it ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use burn::tensor::Device;
use cifake::weights::{Precision, save_configured};
use serde_json::Value;
use tinyvit::TinyVitConfig;

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/sample").join(name)
}

fn explain(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cifake"))
        .arg("explain")
        .args(arguments)
        .output()
        .expect("it was built")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the output is UTF-8")
}

#[test]
fn a_fake_is_explained_in_json_with_page_and_overlay() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [html, overlay] = ["page.html", "overlay.png"].map(|name| folder.path().join(name));
    let [fake, real] = ["fake-airplane-1.jpg", "real-cat-1.jpg"].map(sample);
    let [html_name, overlay_name, fake, real] =
        [&html, &overlay, &fake, &real].map(|path| path.to_str().expect("plain"));
    let output = explain(&["--json", "--html", html_name, "--overlay", overlay_name, fake, real]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let reports: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("one object a line"))
        .collect();
    let [fake, real] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((&fake["label"], &real["label"]), (&"FAKE".into(), &"REAL".into()));
    assert!(fake["p_fake"].as_f64().expect("a number") > 0.5);
    assert_eq!(real["artifacts"], Value::Array(vec![]), "a REAL verdict names none");
    let artifacts = fake["artifacts"].as_array().expect("a list");
    assert!((1..=7).contains(&artifacts.len()), "{fake}");
    for artifact in artifacts {
        let name = artifact["name"].as_str().expect("a name");
        assert!(name.parse::<explain::Artifact>().is_ok(), "{name}");
        let region = artifact["region"].as_str();
        let is_region = |region: &str| region.parse::<gradcam::Region>().is_ok();
        assert!(region.is_none_or(is_region), "{artifact}");
        let evidence = &artifact["evidence"];
        assert!(evidence["measure"].is_string() && evidence["value"].is_f64(), "{evidence}");
        let percentile = evidence["percentile"].as_f64().expect("a number");
        assert!(percentile <= 7.5 || percentile >= 92.5, "out of the ordinary: {percentile}");
        let words = artifact["explanation"].as_str().expect("a text").split_whitespace().count();
        assert!((5..=50).contains(&words), "{artifact}");
    }
    let page = std::fs::read_to_string(html).expect("the page was written");
    assert!(page.contains("fake-airplane-1.jpg") && page.contains("real-cat-1.jpg"));
    assert!(!page.contains("<script") && !page.contains("src=\"http"), "nothing from outside");
    for name in ["overlay.png", "overlay-2.png"] {
        let overlay = image::open(folder.path().join(name)).expect("an overlay each");
        assert_eq!((overlay.width(), overlay.height()), (512, 512));
    }
}

#[test]
fn what_is_no_picture_is_told_and_the_rest_explained() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let broken = folder.path().join("broken.png");
    std::fs::write(&broken, "no picture").expect("it is writable");
    let [broken, real] = [&broken, &sample("real-cat-1.jpg")].map(|path| path.to_owned());
    let output = explain(&[broken.to_str().expect("plain"), real.to_str().expect("plain")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("broken.png"), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("REAL"), "{}", text(&output.stdout));
}

/// Folders, patterns and standard input are taken; a missing file has an entry in JSON and in the page.
#[test]
fn folders_patterns_and_missing_files_are_handled() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pictures = folder.path().join("pictures");
    std::fs::create_dir(&pictures).expect("it is writable");
    std::fs::copy(sample("real-cat-1.jpg"), pictures.join("cat.jpg")).expect("it is copied");
    std::fs::copy(sample("fake-cat-1.jpg"), pictures.join("cat.jpeg")).expect("it is copied");
    let page = folder.path().join("page.html");
    let maps = format!("{}/", folder.path().join("maps").display());
    let name = |path: &Path| path.to_str().expect("plain").to_owned();
    let (pattern, missing) = (name(&pictures.join("*.jpg")), name(&folder.path().join("no.png")));
    let paths = [&name(&pictures), &pattern, &missing, "--html", &name(&page), "--overlay", &maps];
    let output =
        explain(&[&["--json", "--threshold", "0.9", "--method", "layercam"], &paths[..]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let rows: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("one object a line"))
        .collect();
    let failed = rows.last().expect("rows");
    assert_eq!(failed["path"], missing.as_str());
    assert_eq!(failed["error"].as_str().expect("a text").matches("No such file").count(), 1);
    assert!(
        rows.len() >= 3 && rows[0]["threshold"].as_f64().is_some_and(|t| (t - 0.9).abs() < 1e-6)
    );
    assert!(rows.iter().take(2).all(|row| row["map"] == "LayerCAM"), "{rows:?}");
    let page = std::fs::read_to_string(page).expect("the page was written");
    assert!(
        page.contains("no.png")
            && page.contains("No such file")
            && page.contains("1 not explained")
    );
    for file in ["cat.overlay.png", "cat-2.overlay.png"] {
        assert!(folder.path().join("maps").join(file).is_file(), "{file}");
    }
}

/// The picture is shown as it was given, not as the square that the model saw.
#[test]
fn a_photograph_is_shown_at_its_own_aspect() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [photo, page, overlay] =
        ["photo.png", "page.html", "overlay.png"].map(|name| folder.path().join(name));
    let pixels = (0..1500 * 500).flat_map(|at| [(at % 253) as u8, (at / 1500 % 256) as u8, 40]);
    let picture = cifake::Picture::new(pixels.collect(), 1500, 500).expect("1500x500");
    std::fs::write(&photo, picture.to_png()).expect("it is writable");
    let [photo, page_name, overlay_name] =
        [&photo, &page, &overlay].map(|path| path.to_str().expect("plain"));
    let output = explain(&["--html", page_name, "--overlay", overlay_name, photo]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let overlay = image::open(overlay).expect("the overlay was written");
    assert_eq!((overlay.width(), overlay.height()), (1024, 341));
    let page = std::fs::read_to_string(page).expect("the page was written");
    assert!(page.contains("width=\"1024\" height=\"341\"") && page.contains("1500\u{d7}500"));
}

#[test]
fn a_picture_on_standard_input_is_explained() {
    let picture = std::fs::File::open(sample("real-cat-1.jpg")).expect("committed");
    let output = Command::new(env!("CARGO_BIN_EXE_cifake"))
        .args(["explain", "--json", "-"])
        .stdin(picture)
        .output()
        .expect("it was built");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!((&report["path"], &report["label"]), (&"-".into(), &"REAL".into()));
}

/// Names of files must not steer the terminal.
#[cfg(unix)]
#[test]
fn errors_are_safe_to_print() {
    let output = explain(&["no\u{1b}[2Jsuch\n\u{202e}file.png"]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr).trim_end();
    assert!(!error.chars().any(|c| c.is_control() || c == '\u{202e}'), "{error:?}");
}

/// A page or an overlay that cannot be written is found before a picture is explained.
#[test]
fn outputs_are_looked_at_before_the_work() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let real = folder.path().join("cat.jpg");
    std::fs::copy(sample("real-cat-1.jpg"), &real).expect("it is copied");
    let below = real.join("page.html");
    let [real, below] = [&real, &below].map(|path| path.to_str().expect("plain"));
    for (flag, path) in
        [("--html", below), ("--html", real), ("--overlay", below), ("--overlay", real)]
    {
        let output = explain(&[flag, path, real]);
        assert_eq!(output.status.code(), Some(2), "{flag} {path}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{flag} {path}");
    }
}

#[test]
fn an_unknown_explainer_is_wrong_usage() {
    let real = sample("real-cat-1.jpg");
    let output = explain(&["--explainer", "oracle", real.to_str().expect("plain")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("evidence"), "the known ones are named");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let pictures = ["real-cat-1.jpg", "fake-cat-1.jpg", "real-horse-1.jpg"].map(sample);
    let mut child = Command::new(env!("CARGO_BIN_EXE_cifake"))
        .arg("explain")
        .args(pictures)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it was built");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

#[test]
fn models_are_known_by_name_and_by_file() {
    let real = sample("real-cat-1.jpg");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../lab/weights/static_robust.safetensors");
    let models = ["clean", "robust", file].map(|name| {
        let output = explain(&["--json", "--weights", name, real.to_str().expect("plain")]);
        let report: Value = serde_json::from_slice(&output.stdout).expect("one object");
        report["model"].as_str().expect("a name").to_owned()
    });
    assert!(models[0] != models[1] && models[1] != models[2] && models[0] != models[2]);
}

#[test]
fn a_detector_of_another_size_is_explained() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = TinyVitConfig::native().with_image_size(64);
    let model = config.init(1, &Device::flex());
    let path = folder.path().join("weights.safetensors");
    save_configured(&model, &config, &[].into(), Precision::F32, &path).expect("it is writable");
    let [weights, real] = [path, sample("real-cat-1.jpg")];
    let [weights, real] = [&weights, &real].map(|path| path.to_str().expect("plain"));
    let output = explain(&["--weights", weights, real]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("64×64"), "{}", text(&output.stdout));
}
