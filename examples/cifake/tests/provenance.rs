//! `--provenance`: what a file declares stands beside its verdict and changes nothing of it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A program that names itself in markup, in other rows and in colors.
const HOSTILE: &str = "&lt;script>alert(1)&lt;/script> | &#10;FAKE &#27;[31m # *x*";

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/sample").join(name)
}

/// The picture `name` of the samples with a packet of XMP: a model made it, and `tool` wrote it.
fn declaring(name: &str, tool: &str) -> Vec<u8> {
    let packet = format!(
        r#"<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
        xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
        xmp:CreatorTool="{tool}"
        i:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/></rdf:RDF>"#
    );
    let body = [b"http://ns.adobe.com/xap/1.0/\0", packet.as_bytes()].concat();
    let length = u16::try_from(body.len() + 2).expect("a short packet").to_be_bytes();
    let jpeg = std::fs::read(sample(name)).expect("it is committed");
    [&jpeg[..2], &[0xff, 0xe1], &length, &body, &jpeg[2..]].concat()
}

fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).expect("it is writable");
    }
    folder
}

/// Runs the command in `folder` with `input` on its standard input.
fn cifake(folder: &TempDir, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cifake"))
        .args(arguments)
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it was built");
    child.stdin.take().expect("it is piped").write_all(input).expect("it is read");
    child.wait_with_output().expect("it ends")
}

fn text(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("the output is UTF-8")
}

fn rows(output: &Output) -> Vec<Value> {
    text(output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// `line` without the field `provenance`, which comes last.
fn verdict(line: &str) -> &str {
    line.split(",\"provenance\":").next().unwrap_or_default()
}

#[test]
fn a_line_of_json_has_the_declarations_and_the_same_verdict() {
    let files = [
        ("a.jpg", std::fs::read(sample("real-cat-1.jpg")).expect("it is committed")),
        ("b.jpg", declaring("real-cat-1.jpg", "Paint 1")),
    ];
    let folder = folder(&files);
    for command in ["detect", "explain"] {
        let with = cifake(&folder, &[command, "--json", "--provenance", "a.jpg", "b.jpg"], b"");
        let without = cifake(&folder, &[command, "--json", "a.jpg", "b.jpg"], b"");
        assert_eq!((with.status.code(), without.status.code()), (Some(0), Some(0)));
        for (with, without) in text(&with).lines().zip(text(&without).lines()) {
            assert!(!without.contains("provenance"), "{without}");
            assert_eq!(format!("{}}}", verdict(with)), without);
        }
        let [plain, declaring] = &rows(&with)[..] else { panic!("two files have two lines") };
        assert_eq!(plain["provenance"]["claims"], Value::Array(Vec::new()));
        assert_eq!(plain["p_fake"], declaring["p_fake"], "a claim changes no probability");
        let claims = declaring["provenance"]["claims"].as_array().expect("a list");
        assert_eq!(claims[0]["says"], "ai_generated");
        assert!(claims.iter().any(|claim| claim["by"] == "Paint 1"), "{claims:?}");
        assert_eq!(declaring["provenance"]["format"], "jpeg");
    }
}

#[test]
fn a_table_has_the_declarations_below_their_row_whoever_wrote_them() {
    let folder = folder(&[("a.jpg", declaring("fake-cat-1.jpg", HOSTILE))]);
    let output = cifake(&folder, &["detect", "--provenance", "--color", "never", "a.jpg"], b"");
    let lines: Vec<&str> = text(&output).lines().collect();
    assert!(lines[1].ends_with("a.jpg"), "{lines:?}");
    assert!(lines[2].starts_with("        XMP: AI generated the picture"), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("        ") && line.contains("alert(1)")));
    assert_eq!(lines.iter().filter(|line| line.starts_with("FAKE")).count(), 1, "{lines:?}");
    assert!(!text(&output).contains('\u{1b}'));
    assert_eq!(lines.last(), Some(&provenance::CAUTION));
    let unasked = cifake(&folder, &["detect", "a.jpg"], b"");
    assert!(!text(&unasked).contains("XMP") && !text(&unasked).contains(provenance::CAUTION));
}

#[test]
fn standard_input_and_files_that_are_no_pictures_are_asked_too() {
    let picture = declaring("fake-cat-1.jpg", "Paint 1");
    // A picture that ends before its pixels, and one in a format without declarations.
    let cut = picture[..picture.len() / 2].to_vec();
    let bmp = image::DynamicImage::new_rgb8(32, 32);
    let folder = folder(&[("cut.jpg", cut), ("noise.jpg", b"no picture".to_vec())]);
    bmp.save(folder.path().join("a.bmp")).expect("it is writable");
    let paths = ["-", "cut.jpg", "noise.jpg", "a.bmp", "missing.jpg"];
    for command in ["detect", "explain"] {
        let output =
            cifake(&folder, &[&[command, "--json", "--provenance"], &paths[..]].concat(), &picture);
        let rows = rows(&output);
        assert_eq!(rows.len(), paths.len());
        let says = |row: &Value| row["provenance"]["claims"][0]["says"].clone();
        assert_eq!(
            (says(&rows[0]), says(&rows[1])),
            ("ai_generated".into(), "ai_generated".into())
        );
        assert!(rows[0]["p_fake"].is_f64());
        for row in &rows[2..] {
            assert_eq!(row.get("provenance"), Some(&Value::Null), "{row}");
        }
        assert!(rows[3]["p_fake"].is_f64() && rows[4]["error"].is_string());
    }
    let table = cifake(&folder, &["detect", "--provenance", "a.bmp"], b"");
    assert!(text(&table).contains("in files of this format are not read"), "{}", text(&table));
}

#[test]
fn a_report_has_a_section_of_its_own_in_every_form() {
    let folder = folder(&[("a.jpg", declaring("fake-cat-1.jpg", HOSTILE))]);
    let arguments = ["explain", "--provenance", "--html", "page.html", "a.jpg"];
    let output = cifake(&folder, &arguments, b"");
    assert_eq!(output.status.code(), Some(0));
    let page = std::fs::read_to_string(folder.path().join("page.html")).expect("it was written");
    for form in [text(&output), &page] {
        assert!(form.contains("What the file declares"), "{form}");
        assert!(form.contains("AI generated the picture") && form.contains("is no measurement"));
    }
    assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script"), "{page}");
    assert!(!text(&output).contains('\u{1b}'));
    let unasked = cifake(&folder, &["explain", "a.jpg"], b"");
    assert!(!text(&unasked).contains("What the file declares"));
}
