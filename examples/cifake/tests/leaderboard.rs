//! `cifake leaderboard` on the committed mini set: its rows, what it measures again, and its pages.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn leaderboard(out: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cifake"))
        .arg("leaderboard")
        .arg("--data")
        .arg(repository().join("datasets/mini"))
        .arg("--out")
        .arg(out)
        .args(arguments)
        .output()
        .expect("the program was built")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("it is UTF-8")
}

fn rows(out: &Path, arguments: &[&str]) -> Vec<Value> {
    let output = leaderboard(out, &[&["--json"], arguments].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    serde_json::from_slice(&output.stdout).expect("the output is JSON")
}

fn row<'a>(rows: &'a [Value], name: &str) -> &'a Value {
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name} is missing"))
}

#[test]
fn a_row_holds_every_measure_and_is_measured_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("board");
    let weights = repository().join("crates/baselines/weights/resnet18_32.safetensors");
    let detectors = format!("native,a resnet={}", weights.display());
    let first = rows(&out, &["--detectors", &detectors]);
    assert_eq!(first.len(), 2);
    for row in &first {
        let measures = &row["measures"];
        assert_eq!(measures["n"], 32);
        for name in ["accuracy", "auc", "ap", "tpr_at_fpr_1", "tpr_at_fpr_5", "ece"] {
            let [value, low, high] =
                ["value", "low", "high"].map(|key| measures[name][key].as_f64().expect(name));
            assert!((0.0..=1.0).contains(&value) && low <= high, "{name}: {value} {low} {high}");
        }
        let accuracy = measures["accuracy"]["value"].as_f64().expect("a share");
        assert_eq!(row["clean_acc"], cifake::text::percent(accuracy));
        assert_eq!(row["without_copies"]["n"], 31);
        for batch in ["one", "many"] {
            assert!(row["cost"][batch]["median_ms"].as_f64().is_some_and(|ms| ms > 0.0));
        }
        assert!(row["command"].as_str().is_some_and(|text| text.starts_with("cifake leaderboard")));
        assert_eq!(row["weights_sha256"].as_str().map(str::len), Some(64));
        assert_eq!(row["commit"], env!("CIFAKE_COMMIT"), "what the program was built from");
    }
    let [native, resnet] = ["native", "a resnet"].map(|name| row(&first, name));
    assert_eq!(native["macs"], 62_549_664);
    assert_eq!((&native["mcnemar"], resnet["macs"].as_u64()), (&Value::Null, Some(34_824_448)));
    // Convolutions, gains and biases of the norms, and the head.
    assert_eq!(resnet["parameters"], 2_795_297);
    let test = &resnet["mcnemar"];
    let [only_resnet, only_native] =
        ["only_first", "only_second"].map(|key| test[key].as_u64().expect("a count") as f64);
    let right =
        |row: &Value| 32.0 * row["measures"]["accuracy"]["value"].as_f64().expect("a share");
    assert!((right(resnet) - right(native) - (only_resnet - only_native)).abs() < 1e-9);

    // Nothing is measured again but what is asked for: the times would differ.
    assert_eq!(rows(&out, &["--detectors", &detectors]), first);
    let again = rows(&out, &["--detectors", "native", "--again"]);
    assert_eq!(row(&again, "a resnet"), resnet);
    assert_ne!(row(&again, "native")["cost"], native["cost"]);
    let fewer = rows(&out, &["--detectors", "native", "--limit", "8"]);
    assert_eq!(row(&fewer, "native")["measures"]["n"], 8);
    assert_eq!(row(&fewer, "native")["limit"], 8);

    let page = std::fs::read_to_string(out.join("leaderboard.html")).expect("it was written");
    assert!(page.contains("a resnet</text>") && !page.contains("<script"), "{page}");
    let text = std::fs::read_to_string(out.join("leaderboard.md")).expect("it was written");
    assert!(text.contains("| a resnet |") && text.contains("Against the default"), "{text}");
}

#[test]
fn optional_parts_are_added_to_a_row_that_is_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path();
    let few = ["--detectors", "resnet18_32", "--limit", "4"];
    let plain = rows(out, &few);
    let more = rows(out, &[&few[..], &["--adaptive", "2", "--degradations"]].concat());
    let [plain, more] = [&plain, &more].map(|rows| row(rows, "resnet18_32"));
    assert_eq!((&plain["measures"], &plain["cost"]), (&more["measures"], &more["cost"]));
    assert!(plain.get("adaptive").is_none() && plain.get("external").is_none());
    let found = &more["adaptive"]["found"];
    let attacks = found["rows"].as_array().expect("a list");
    let accuracy = |share: &Value| share["accuracy"]["value"].as_f64().expect("a share");
    assert_eq!((attacks.len(), &attacks[0]["n"]), (2, &2.into()));
    assert!(accuracy(&attacks[1]) <= found["clean"]["value"].as_f64().expect("a share"));
    assert_eq!(
        (&more["eps"], &more["external"]),
        (&"2/255".into(), &cifake::text::percent(accuracy(&attacks[1])).into())
    );
    assert_eq!(more.get("autoattack_acc"), None);
    let arrived = more["degradations"]["found"].as_array().expect("a list");
    assert_eq!(
        (&arrived[0]["name"], &arrived[0]["accuracy"]["value"]),
        (&"clean".into(), &more["measures"]["accuracy"]["value"])
    );
    let text = std::fs::read_to_string(out.join("leaderboard.md")).expect("it was written");
    assert!(
        text.contains("## Pictures as they arrive") && text.contains("no AutoAttack"),
        "{text}"
    );
    assert!(text.contains("The worse label is the lower of"), "{text}");

    // Made again without the parts, the row keeps them.
    let again = rows(out, &[&few[..], &["--again"]].concat());
    let again = row(&again, "resnet18_32");
    assert_ne!(again["cost"], more["cost"], "it was measured again");
    for part in ["adaptive", "degradations", "external", "eps"] {
        assert_eq!(again[part], more[part], "{part}");
    }
    // Of other pictures they are not.
    let output = leaderboard(out, &["--detectors", "resnet18_32", "--limit", "6"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("resnet18_32: what --adaptive, --degradations measured"), "{stderr}");
    let text = std::fs::read_to_string(out.join("resnet18_32.json")).expect("it was written");
    let other: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (other.get("adaptive"), other.get("degradations"), &other["limit"]),
        (None, None, &6.into())
    );
}

#[test]
fn a_picture_that_cannot_be_read_is_named_once_and_counted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [data, out] = ["data", "out"].map(|name| folder.path().join(name));
    for label in ["REAL", "FAKE"] {
        let to = data.join("test").join(label);
        std::fs::create_dir_all(&to).expect("it is writable");
        let from = repository().join("datasets/mini/test").join(label);
        for entry in std::fs::read_dir(from).expect("it is committed").take(3) {
            let entry = entry.expect("it can be read");
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("it is writable");
        }
    }
    std::fs::write(data.join("test/REAL/broken.jpg"), "no picture").expect("it is writable");
    let run = |arguments: &[&str]| {
        let place =
            ["--data", text(&data), "--out", text(&out), "--detectors", "native,resnet18_32"];
        let output = Command::new(env!("CARGO_BIN_EXE_cifake"))
            .arg("leaderboard")
            .args(place)
            .args(arguments)
            .output()
            .expect("the program was built");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (status, stderr) = run(&["--strict"]);
    assert_eq!(status, Some(2), "{stderr}");
    assert!(stderr.contains("1 picture cannot be read, the first:"), "{stderr}");
    assert!(!out.join("native.json").exists());
    let (status, stderr) = run(&[]);
    assert_eq!((status, stderr.matches("broken.jpg").count()), (Some(1), 1), "{stderr}");
    let row = std::fs::read_to_string(out.join("native.json")).expect("it was written");
    let row: Value = serde_json::from_str(&row).expect("JSON");
    assert_eq!((&row["n_failed"], &row["measures"]["n"]), (&1.into(), &6.into()));
    let (status, stderr) = run(&[]);
    assert_eq!(status, Some(1), "the rows still lack it: {stderr}");
    assert!(stderr.contains("native: 1 picture of its row could not be read"), "{stderr}");
}

#[test]
fn what_is_not_there_is_told_before_the_work() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out");
    std::fs::write(folder.path().join("file"), "").expect("it is writable");
    let gone = folder.path().join("gone");
    for option in ["--static", "--generators"] {
        let output =
            leaderboard(&out, &["--detectors", "native", "--limit", "4", option, text(&gone)]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(option) && stderr.contains("gone"), "{stderr}");
        assert_eq!(output.status.code(), Some(2), "{option}: {stderr}");
        assert!(!out.exists(), "{option}");
    }
    let output = leaderboard(&folder.path().join("file/out"), &["--detectors", "native"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_process_that_measures_the_cost_ends_with_the_one_that_asked() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cifake"))
        .args(["leaderboard", "--cost-of=resnet18_32"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program was built");
    drop(child.stdin.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0));
}

#[test]
fn a_weight_file_may_have_a_name_that_begins_with_a_dash() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let weights = repository().join("crates/baselines/weights/resnet18_32.safetensors");
    std::fs::copy(weights, folder.path().join("-r.safetensors")).expect("it is writable");
    let output = Command::new(env!("CARGO_BIN_EXE_cifake"))
        .current_dir(folder.path())
        .args([
            "leaderboard",
            "--detectors=-r.safetensors",
            "--limit",
            "4",
            "--out",
            "out",
            "--data",
        ])
        .arg(repository().join("datasets/mini"))
        .output()
        .expect("the program was built");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let names = std::fs::read_dir(folder.path().join("out")).expect("it was made");
    let is_row = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.expect("it can be read").path().extension() == Some("json".as_ref())
    };
    assert_eq!(names.map(is_row).filter(|is_row| *is_row).count(), 1);
}

#[test]
fn a_detector_that_cannot_be_read_leaves_the_others_their_rows() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let few = ["--limit", "4", "--detectors"];
    let output =
        leaderboard(folder.path(), &[&few[..], &["resnet18_32,gone.safetensors"]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("gone.safetensors"));
    assert!(folder.path().join("resnet18_32.json").is_file());
    let output = leaderboard(folder.path(), &[&few[..], &["gone.safetensors"]].concat());
    assert_eq!(output.status.code(), Some(2));
    std::fs::write(folder.path().join("other.json"), "[]").expect("it is writable");
    let output = leaderboard(folder.path(), &[&few[..], &["native"]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("other.json"));
}
