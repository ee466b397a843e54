//! The programs that attack: files, output and exit codes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn dataset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets").join(name)
}

/// Runs `cifake` with a subcommand.
fn run(command: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cifake"))
        .arg(command)
        .args(arguments)
        .output()
        .expect("the program was built")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn attacked_pictures_are_written_and_a_broken_one_does_not_stop_the_others() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    std::fs::create_dir(&data).expect("the folder is writable");
    let sample = dataset("sample").join("fake-airplane-1.jpg");
    std::fs::copy(sample, data.join("airplane.jpg")).expect("the sample is there");
    std::fs::write(data.join("broken.jpg"), "no picture").expect("it is writable");
    let [data_name, out_name] = [&data, &out].map(|path| path.to_str().expect("plain"));
    let arguments = [data_name, "--out", out_name, "--attack", "pgd-linf@4", "--json"];
    let output = run("attack", &arguments);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let lines: Vec<serde_json::Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is an object"))
        .collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0]["before"].as_f64() > Some(0.5), "{}", lines[0]);
    assert!(lines[0]["after"].as_f64() < lines[0]["before"].as_f64(), "{}", lines[0]);
    assert!(lines[0]["linf"].as_f64() <= Some(4.0 / 255.0 + 1e-6), "{}", lines[0]);
    assert!(lines[1]["error"].as_str().is_some_and(|error| error.contains("broken.jpg")));
    let sheet = image::open(out.join("airplane.compared.png")).expect("it was written");
    assert_eq!((sheet.width(), sheet.height()), (3 * 256 + 2 * 8, 256));
    let attacked = image::open(out.join("airplane.attacked.png")).expect("it was written");
    assert_eq!((attacked.width(), attacked.height()), (32, 32));
}

#[test]
fn an_unknown_attack_is_wrong_usage_and_names_the_known_ones() {
    for (program, name, reason) in [
        ("attack", "jpeg", "jpeg@50"),
        ("attack", "guessing", "fgsm = fgsm-linf"),
        ("robustness", "pgd-linf@x", "not a number"),
        ("robustness", "guessing", "ensemble-linf@2"),
        ("attack --epsilon-255 9", "fgsm@4", "--epsilon-255 changes nothing of fgsm-linf@4"),
        ("robustness --steps 3", "jpeg@50", "--steps changes nothing of jpeg@50"),
        ("robustness --built gone", "jpeg@50", "cannot be used with"),
    ] {
        let words: Vec<&str> = program.split(' ').chain(["--attack", name, "--smoke"]).collect();
        let output = run(words[0], &words[1..]);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
        assert!(text(&output.stderr).contains(reason), "{}", text(&output.stderr));
    }
}

/// The table of `attack` names the files and their folder; both programs know one name of an attack.
#[test]
fn a_table_tells_where_the_attacked_pictures_are() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (sample, out) = (dataset("sample").join("fake-bird-1.jpg"), folder.path().join("new/out"));
    let [sample, out_name] = [&sample, &out].map(|path| path.to_str().expect("plain"));
    let output = run("attack", &[sample, "--out", out_name, "--attack", "fgsm-linf"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    let attacked = out.join("fake-bird-1.attacked.png");
    for words in ["FGSM linf 2/255", "BEFORE  P(FAKE)  AFTER", "1 attacked picture in", out_name] {
        assert!(table.contains(words), "{words}: {table}");
    }
    assert!(table.contains(&format!("{sample} -> {}", attacked.display())), "{table}");
    assert!(attacked.is_file());
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("it is writable");
    let below = file.join("out");
    let below = below.to_str().expect("plain");
    let mini = dataset("mini");
    let mini = mini.to_str().expect("plain");
    for (command, input) in
        [("attack", vec![sample]), ("cam", vec![sample]), ("robustness", vec!["--data", mini])]
    {
        let refused = run(command, &[&input[..], &["--out", below]].concat());
        assert_eq!(refused.status.code(), Some(2), "{command}");
        assert!(text(&refused.stderr).contains("is no folder"), "{}", text(&refused.stderr));
        assert!(refused.stdout.is_empty());
    }
}

/// `cam` answers as `detect` does, also where that is UNSURE.
#[test]
fn a_map_has_the_answer_of_detect_and_the_label() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let flat = cifake::Picture::new(vec![90; 32 * 32 * 3], 32, 32).expect("32x32");
    let (path, out) = (folder.path().join("flat.png"), folder.path().join("maps"));
    std::fs::write(&path, flat.to_png()).expect("it is writable");
    let [path, out] = [&path, &out].map(|path| path.to_str().expect("plain"));
    let verdict: serde_json::Value =
        serde_json::from_slice(&run("detect", &["--json", path]).stdout).expect("one object");
    assert_eq!(verdict["answer"], "UNSURE");
    let label = verdict["label"].as_str().expect("a label");
    let output = run("cam", &[path, "--out", out]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    let row = table.lines().nth(1).expect("a row under the headings");
    let words: Vec<&str> = row.split_whitespace().collect();
    assert_eq!((words[0], words[3]), ("UNSURE", label), "{table}");
    assert!(table.starts_with("ANSWER  P(FAKE)  LABEL"), "{table}");
    assert!(table.contains(&format!("1 map in {out}")), "{table}");
    let help = text(&run("cam", &["--help"]).stdout);
    assert!(help.contains("[default: hirescam]"), "{help}");
}

#[test]
fn an_evaluation_is_printed_as_json_and_goes_on_from_its_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mini, out) = (dataset("mini"), folder.path().join("out"));
    let [mini, out] = [&mini, &out].map(|path| path.to_str().expect("plain"));
    let arguments = ["--data", mini, "--out", out, "--limit", "4", "--json"];
    let attacks = ["--attack", "fgsm-linf", "--epsilon-255", "1", "--attack", "jpeg@50"];
    let arguments = [&arguments[..], &attacks].concat();
    let [first, second] = [0, 1].map(|_| run("robustness", &arguments));
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    let report: serde_json::Value =
        serde_json::from_slice(&first.stdout).expect("the report is one object");
    assert!(report["clean"]["accuracy"]["value"].as_f64().is_some(), "{report}");
    assert_eq!(report["attacks"].as_array().map(Vec::len), Some(2));
    let row = &report["attacks"][0];
    assert_eq!((&row["n"], &row["name"]), (&4.into(), &"FGSM linf 1/255".into()));
    assert_eq!(row["epsilon"], 1.0 / 255.0);
    for metric in ["robust_accuracy", "worst_label"] {
        assert!(row[metric]["low"].as_f64().is_some(), "{report}");
    }
    // Times included: nothing was attacked again.
    assert_eq!(text(&first.stdout), text(&second.stdout));
}

#[test]
fn one_folder_serves_other_data_weights_and_limits() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [data, out] = ["data", "out"].map(|name| folder.path().join(name));
    let mini = dataset("mini").join("test");
    // The pictures of the mini set under each other's labels.
    for (from, to) in [("REAL", "FAKE"), ("FAKE", "REAL")] {
        std::fs::create_dir_all(data.join("test").join(to)).expect("the folder is writable");
        for path in cifake::image_files(&mini.join(from)).expect("it is committed") {
            let name = path.file_name().expect("it has a name").to_owned();
            std::fs::copy(&path, data.join("test").join(to).join(name)).expect("it is writable");
        }
    }
    let accuracy = |data: &Path, more: &[&str]| {
        let [data, out] = [data, &out].map(|path| path.to_str().expect("plain"));
        let arguments = ["--data", data, "--out", out, "--attack", "jpeg@90", "--json"];
        let output = run("robustness", &[&arguments[..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
        let row = &report["attacks"][0];
        assert_eq!(row["n"].to_string(), more[1]);
        report["clean"]["accuracy"]["value"].as_f64().expect("a number")
    };
    let mini = dataset("mini");
    let right = accuracy(&mini, &["--limit", "8"]);
    assert!(right > 0.5, "{right}");
    assert!(accuracy(&mini, &["--limit", "12"]) > 0.5, "a higher limit extends it");
    let swapped = accuracy(&data, &["--limit", "8"]);
    assert!(swapped < 0.5, "{swapped}");
    assert!(accuracy(&mini, &["--limit", "8", "--weights", "robust"]) > 0.5);
    assert!((accuracy(&mini, &["--limit", "8"]) - right).abs() < 1e-9);
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf8_get_results_of_their_own() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    std::fs::create_dir(&data).expect("the folder is writable");
    for name in [b"a\xff.jpg", b"a\xfe.jpg"] {
        let sample = dataset("sample").join("fake-bird-1.jpg");
        std::fs::copy(sample, data.join(OsStr::from_bytes(name))).expect("the sample is there");
    }
    let [data, out_name] = [&data, &out].map(|path| path.to_str().expect("plain"));
    let arguments = [data, "--out", out_name, "--attack", "jpeg@50", "--json"];
    let output = run("attack", &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines = text(&output.stdout);
    assert!(lines.contains(r"a\\xFF.jpg") && lines.contains(r"a\\xFE.jpg"), "{lines}");
    assert_eq!(std::fs::read_dir(&out).expect("it was written").count(), 4);

    let maps = folder.path().join("maps");
    let maps_name = maps.to_str().expect("plain");
    for (command, arguments) in [
        ("cam", &["--out", maps_name, "--json"][..]),
        ("cam", &["--out", maps_name]),
        ("explain", &["--json"]),
        ("explain", &[]),
    ] {
        let output = run(command, &[&[data], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let lines = text(&output.stdout);
        assert!(lines.contains(r"\xFF.jpg") && lines.contains(r"\xFE.jpg"), "{lines}");
    }
    assert_eq!(std::fs::read_dir(&maps).expect("it was written").count(), 2);
}

#[test]
fn the_robust_weights_withstand_more() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (sample, out) = (dataset("sample"), folder.path().join("out"));
    let [sample, out] = [&sample, &out].map(|path| path.to_str().expect("plain"));
    let n_turned = |weights: &[&str]| {
        let arguments = [sample, "--out", out, "--attack", "pgd-linf@2", "--json"];
        let output = run("attack", &[&arguments[..], weights].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let is_fake = |line: &serde_json::Value, key: &str| line[key].as_f64() >= Some(0.5);
        let lines = text(&output.stdout);
        let lines = lines.lines().map(|line| -> serde_json::Value {
            serde_json::from_str(line).expect("each line is an object")
        });
        lines.filter(|line| is_fake(line, "before") != is_fake(line, "after")).count()
    };
    let (clean, robust) = (n_turned(&[]), n_turned(&["--weights", "robust"]));
    assert!(robust + 2 <= clean, "{robust} of 16 against {clean}");
}

/// A name that would steer the terminal is written out, in tables and errors.
#[cfg(unix)]
#[test]
fn no_name_steers_the_terminal() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [data, out] = ["data", "out"].map(|name| folder.path().join(name));
    std::fs::create_dir(&data).expect("it is writable");
    let sample = dataset("sample").join("real-cat-1.jpg");
    std::fs::copy(sample, data.join("a\u{1b}[31m\u{202e}.jpg")).expect("the sample is there");
    std::fs::write(data.join("b\u{1b}[31m.jpg"), "no picture").expect("it is writable");
    let [data, out] = [&data, &out].map(|path| path.to_str().expect("plain"));
    for arguments in [&["--attack", "fgsm-linf"][..], &[]] {
        let command = if arguments.is_empty() { "cam" } else { "attack" };
        let output = run(command, &[&[data, "--out", out][..], arguments].concat());
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        for said in [text(&output.stdout), text(&output.stderr)] {
            assert!(!said.contains(['\u{1b}', '\u{202e}']), "{command}: {said:?}");
        }
        assert!(text(&output.stdout).contains(r"\u{1b}[31m"), "{}", text(&output.stdout));
    }
}
