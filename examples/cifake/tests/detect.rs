//! The command line: what it prints, in what order, and how it ends.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use image::{DynamicImage, ImageFormat, RgbImage};
use serde_json::Value;
use tempfile::TempDir;

/// The fields of a verdict, in the promised order.
const FIELDS: [&str; 11] = [
    "path",
    "label",
    "p_fake",
    "width",
    "height",
    "input",
    "model",
    "threshold",
    "answer",
    "familiarity",
    "scope",
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs `detect` in `folder` with `input` on its standard input.
fn detect(folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cifake"))
        .arg("detect")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example was built");
    let mut stdin = child.stdin.take().expect("it is piped");
    // Refused where the program ends before it reads.
    let _ = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the output is UTF-8")
}

fn lines(output: &Output) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).expect("every line is JSON");
    text(&output.stdout).lines().map(parse).collect()
}

fn paths(output: &Output) -> Vec<String> {
    lines(output).iter().map(|line| line["path"].as_str().expect("a text").to_owned()).collect()
}

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).expect("the encoder knows the type");
    bytes.into_inner()
}

fn colors(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8 * 5, y as u8 * 7, 200]))
}

/// A folder of small pictures of these names, and of folders that the names ask for.
fn folder(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in names {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("it is writable");
        std::fs::write(path, encoded(colors(32, 32), ImageFormat::Png)).expect("it is writable");
    }
    folder
}

#[test]
fn a_line_of_json_has_the_promised_fields_in_order() {
    let folder = folder(&["a.png"]);
    let wide = encoded(colors(50, 20), ImageFormat::Jpeg);
    std::fs::write(folder.path().join("b.jpg"), wide).expect("it is writable");
    let output = detect(folder.path(), &["--json", "a.png", "b.jpg"], b"");
    assert_eq!(output.status.code(), Some(0));
    let stdout = text(&output.stdout);
    for line in stdout.lines() {
        let places = FIELDS.map(|field| line.find(&format!("\"{field}\":")).expect("it is there"));
        assert!(places.is_sorted(), "{line}");
    }
    let lines = lines(&output);
    for line in &lines {
        assert_eq!(line.as_object().map(serde_json::Map::len), Some(FIELDS.len()));
        let p_fake = line["p_fake"].as_f64().expect("a number");
        let label = if p_fake >= 0.5 { "FAKE" } else { "REAL" };
        assert!((0.0..=1.0).contains(&p_fake));
        assert_eq!(line["label"], label);
    }
    let size = |line: &Value| (line["width"].as_u64(), line["height"].as_u64());
    assert_eq!((size(&lines[0]), &lines[0]["input"]), ((Some(32), Some(32)), &"native".into()));
    assert_eq!((size(&lines[1]), &lines[1]["input"]), ((Some(50), Some(20)), &"resized".into()));
}

#[test]
fn the_samples_of_the_repository_are_judged() {
    let output = detect(&workspace(), &["--json", "datasets/sample"], b"");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let paths = paths(&output);
    assert!(paths.len() >= 16);
    for label in ["real", "fake"] {
        assert!(paths.iter().any(|path| path.contains(label)));
    }
    let smoke = detect(&workspace(), &["--smoke"], b"");
    assert_eq!(smoke.status.code(), Some(0));
    assert!(text(&smoke.stdout).contains("ANSWER"));
}

#[test]
fn folders_and_patterns_are_expanded_in_the_order_of_the_arguments() {
    let folder = folder(&["z.png", "in/b.png", "in/a.png", "in/deep/c.png", "[odd].png"]);
    let arguments = ["--json", "z.png", "in", "[odd].png", "in/?.png", "**/c.png"];
    let output = detect(folder.path(), &arguments, b"");
    assert_eq!(output.status.code(), Some(0));
    let expected = ["z.png", "in/a.png", "in/b.png", "in/deep/c.png", "[odd].png"];
    assert_eq!(paths(&output), expected, "each once");
    assert!(text(&output.stderr).contains("judged once: 3 inputs"));
    let patterns = detect(folder.path(), &["--json", "**/?.png"], b"");
    assert_eq!(paths(&patterns), ["in/a.png", "in/b.png", "in/deep/c.png", "z.png"]);
}

#[test]
fn standard_input_is_a_picture() {
    let folder = folder(&["a.png"]);
    let png = encoded(colors(32, 32), ImageFormat::Png);
    let output = detect(folder.path(), &["--json", "-", "a.png"], &png);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines = lines(&output);
    assert_eq!(lines[0]["path"], "-");
    let [a, b] = [0, 1].map(|index| lines[index]["p_fake"].as_f64().expect("a number"));
    assert!((a - b).abs() < 1e-5);
    let twice = detect(folder.path(), &["--json", "-", "-"], &png);
    assert_eq!((paths(&twice), twice.status.code()), (vec!["-".to_owned()], Some(0)));
    let empty = detect(folder.path(), &["-"], b"");
    assert_eq!(empty.status.code(), Some(1));
}

#[test]
fn inputs_that_fail_keep_their_place_and_do_not_stop_the_others() {
    let folder = folder(&["a.png", "b.png"]);
    std::fs::create_dir(folder.path().join("empty")).expect("it is writable");
    let arguments = ["--json", "a.png", "missing.png", "empty", "none*.png", "b.png"];
    let output = detect(folder.path(), &arguments, b"");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(paths(&output), arguments[1..]);
    for (line, is_error) in lines(&output).iter().zip([false, true, true, true, false]) {
        let fields = line.as_object().expect("an object");
        assert_eq!(fields.contains_key("error"), is_error, "{line}");
        assert_eq!(fields.len(), if is_error { 2 } else { FIELDS.len() });
        let path = line["path"].as_str().expect("a text");
        assert!(!is_error || line["error"].as_str().is_some_and(|error| error.contains(path)));
    }
    let table = detect(folder.path(), &arguments[1..], b"");
    assert_eq!(table.status.code(), Some(1));
    assert_eq!(text(&table.stdout).matches("ERROR").count(), 3);
    assert!(text(&table.stdout).contains("3 without a verdict"));
}

/// Content that is no usable picture, and a word of the error it gets.
fn broken() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let png = encoded(colors(40, 30), ImageFormat::Png);
    let jpeg = encoded(colors(40, 30), ImageFormat::Jpeg);
    // Headers that claim 20000x20000 and 65535x65535 pixels.
    let mut bmp = encoded(colors(40, 30), ImageFormat::Bmp);
    bmp[18..26].copy_from_slice(&[0x20, 0x4e, 0, 0, 0x20, 0x4e, 0, 0]);
    let mut gif = encoded(colors(40, 30), ImageFormat::Gif);
    gif[6..10].fill(0xff);
    vec![
        ("empty.png", vec![], "empty"),
        ("truncated.png", png[..png.len() / 2].to_vec(), "PNG"),
        ("truncated.jpg", jpeg[..jpeg.len() / 2].to_vec(), "JPEG"),
        ("text.jpg", b"<html>404 Not Found</html>".to_vec(), "no PNG"),
        ("huge.bmp", bmp, "limit"),
        ("huge.gif", gif, "limit"),
    ]
}

#[test]
fn broken_pictures_get_an_error_each_and_the_rest_a_verdict() {
    let folder = folder(&["a.png", "z.png"]);
    for (name, bytes, _) in broken() {
        std::fs::write(folder.path().join(name), bytes).expect("it is writable");
    }
    let output = detect(folder.path(), &["--json", "."], b"");
    assert_eq!(output.status.code(), Some(1));
    let lines = lines(&output);
    assert_eq!(lines.len(), broken().len() + 2);
    for (name, _, word) in broken() {
        let is_it = |line: &&Value| line["path"].as_str().is_some_and(|path| path.ends_with(name));
        let line = lines.iter().find(is_it).expect("every input has a line");
        let error = line["error"].as_str().expect("it cannot be judged");
        assert!(error.contains(name) && error.contains(word), "{error}");
    }
    assert_eq!(lines.iter().filter(|line| line["label"].is_string()).count(), 2);
}

#[test]
fn unusual_pictures_get_a_verdict_at_the_size_that_a_viewer_shows() {
    let folder = folder(&[]);
    let fixtures = workspace().join("crates/cifake/tests/fixtures");
    let fixture = |name: &str| std::fs::read(fixtures.join(name)).expect("it is committed");
    let grey = image::GrayImage::from_pixel(9, 7, image::Luma([40]));
    let deep = DynamicImage::from(colors(9, 7)).into_rgb16();
    let glass = image::RgbaImage::from_pixel(9, 7, image::Rgba([9, 9, 9, 0]));
    for (name, bytes, size) in [
        ("grey.png", encoded(grey, ImageFormat::Png), (9, 7)),
        ("sixteen_bits.png", encoded(deep, ImageFormat::Png), (9, 7)),
        ("alpha.png", encoded(glass, ImageFormat::Png), (9, 7)),
        ("dot.png", encoded(colors(1, 1), ImageFormat::Png), (1, 1)),
        ("a_png_by_mistake.jpg", encoded(colors(9, 7), ImageFormat::Png), (9, 7)),
        ("cmyk.jpg", fixture("cmyk.jpg"), (40, 24)),
        ("turned.jpg", fixture("turned.jpg"), (24, 40)),
        ("frames.gif", fixture("frames.gif"), (6, 4)),
        ("photo.webp", fixture("lossy.webp"), (40, 24)),
        ("photo.bmp", encoded(colors(9, 7), ImageFormat::Bmp), (9, 7)),
    ] {
        std::fs::write(folder.path().join(name), bytes).expect("it is writable");
        let output = detect(folder.path(), &["--json", name], b"");
        assert_eq!(output.status.code(), Some(0), "{name}: {}", text(&output.stdout));
        let line = &lines(&output)[0];
        let found = (line["width"].as_u64(), line["height"].as_u64());
        assert_eq!(found, (Some(size.0), Some(size.1)), "{name}");
        assert_eq!(line["input"], "resized", "{name}");
    }
}

#[test]
fn the_threshold_is_reported_and_decides() {
    let folder = folder(&["a.png"]);
    for (threshold, label) in [("0", "FAKE"), ("1", "REAL")] {
        let output = detect(folder.path(), &["--json", "--threshold", threshold, "a.png"], b"");
        let line = &lines(&output)[0];
        assert_eq!(line["label"], label);
        assert_eq!(line["threshold"].as_f64(), threshold.parse().ok());
    }
}

#[test]
fn wrong_usage_ends_with_two_and_says_why() {
    let folder = folder(&["a.png"]);
    std::fs::write(folder.path().join("bad.safetensors"), "nothing").expect("it is writable");
    for (arguments, word) in [
        (vec![], "PATHS"),
        (vec!["--no-such-option", "a.png"], "--no-such-option"),
        (vec!["--threshold", "1.5", "a.png"], "[0, 1]"),
        (vec!["--threshold", "high", "a.png"], "--threshold"),
        (vec!["--device", "abacus", "a.png"], "abacus"),
        (vec!["--weights", "missing.safetensors", "a.png"], "missing.safetensors"),
        (vec!["--weights", "bad.safetensors", "a.png"], "bad.safetensors"),
        (vec!["--weights", "nope", "a.png"], "native, adversarial"),
        (vec!["--threads", "99999999", "a.png"], "0 to 512"),
    ] {
        let output = detect(folder.path(), &arguments, b"");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(word), "{}", text(&output.stderr));
        assert!(output.stdout.is_empty());
    }
    let help = detect(folder.path(), &["--help"], b"");
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("Examples:"));
}

#[cfg(target_os = "linux")]
#[test]
fn names_forge_no_rows_and_stay_apart() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder =
        folder(&["a\nREAL      0.1 %        32x32  native      b.png", "\u{1b}[2J\u{202e}c.png"]);
    for name in [&b"\xfe.png"[..], b"\xff.png"] {
        let png = encoded(colors(32, 32), ImageFormat::Png);
        std::fs::write(folder.path().join(OsStr::from_bytes(name)), png).expect("it is writable");
    }
    std::fs::write(folder.path().join("d\re.jpg"), "no picture").expect("it is writable");
    for argument in [".", "*g"] {
        let table = detect(folder.path(), &[argument], b"");
        assert_eq!(table.status.code(), Some(1), "{}", text(&table.stderr));
        let shown = text(&table.stdout);
        assert!(!shown.contains(['\u{1b}', '\u{202e}', '\r']), "{shown:?}");
        // A header, five rows, an empty line and two lines of summary.
        assert_eq!(shown.lines().count(), 9, "{shown}");
        let json = detect(folder.path(), &["--json", argument], b"");
        let mut paths = paths(&json);
        paths.dedup();
        assert_eq!(paths.len(), 5);
        assert!(paths.iter().any(|path| path.ends_with(r"\xFE.png")), "{paths:?}");
        assert!(paths.iter().any(|path| path.ends_with(r"\xFF.png")), "{paths:?}");
    }
}

#[test]
fn a_format_that_is_not_read_is_named() {
    let folder = folder(&[]);
    let files: [(&str, &[u8], &str); 3] = [
        ("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        ("b.avif", b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF"),
        ("c.tif", b"II*\0\x08\0\0\0\0\0\0\0", "TIFF"),
    ];
    for (name, bytes, format) in files {
        std::fs::write(folder.path().join(name), bytes).expect("it is writable");
        let output = detect(folder.path(), &["--json", name], b"");
        assert_eq!(output.status.code(), Some(1));
        let error = lines(&output)[0]["error"].as_str().expect("a text").to_owned();
        assert!(error.contains(format), "{name}: {error}");
        let table = text(&detect(folder.path(), &[name], b"").stdout);
        assert!(table.contains(format), "{name}: {table}");
    }
}

#[test]
fn an_argument_sets_the_largest_picture() {
    let folder = folder(&["a.png"]);
    let status = |n_pixels: &str| {
        detect(folder.path(), &["--max-pixels", n_pixels, "a.png"], b"").status.code()
    };
    assert_eq!((status("1023"), status("1024")), (Some(1), Some(0)));
}

#[test]
fn what_is_passed_over_is_told() {
    let folder = folder(&["a.png"]);
    for name in ["b.heic", "c.HEIC", "d.avif", "notes.txt"] {
        std::fs::write(folder.path().join(name), "x").expect("it is writable");
    }
    let output = detect(folder.path(), &["--json", "."], b"");
    assert_eq!((output.status.code(), paths(&output).len()), (Some(0), 1));
    assert!(text(&output.stderr).contains("1 AVIF, 2 HEIC"), "{}", text(&output.stderr));
    let address = detect(folder.path(), &["--json", "https://example.org/a.jpg"], b"");
    assert_eq!(address.status.code(), Some(1));
    let error = lines(&address)[0]["error"].as_str().expect("a text").to_owned();
    assert!(error.contains("curl") && !error.contains("No such file"), "{error}");
}

#[test]
fn every_command_has_a_version_and_hides_its_smoke() {
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_cifake")).args(arguments).output().expect("it was built")
    };
    for command in
        ["detect", "explain", "attack", "robustness", "cam", "evaluate", "calibrate", "train"]
    {
        let version = run(&[command, "--version"]);
        assert!(text(&version.stdout).contains(env!("CARGO_PKG_VERSION")), "{command}");
        let help = text(&run(&[command, "--help"]).stdout);
        assert!(!help.contains("--smoke") && help.contains("Examples:"), "{help}");
        let has_detector = !["calibrate", "train"].contains(&command);
        assert_eq!(help.contains("--max-pixels"), has_detector, "{help}");
        assert!(!help.contains('\u{1b}'), "no colors where nobody looks");
    }
}
