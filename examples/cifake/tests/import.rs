//! `cifake import`: what it reads, and what it looks at before it begins.

use std::path::{Path, PathBuf};
use std::process::Command;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/cifake/tests/fixtures/network.pth")
}

/// Standard error of a failed import.
fn refused(arguments: &[&str], out: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_cifake"))
        .arg("import")
        .args(arguments)
        .arg("--out")
        .arg(out)
        .output()
        .expect("the program was built");
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn pytorch_checkpoints_are_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let part = format!("weights={}", fixture().display());
    let stderr = refused(&["vit", "--part", &part], &folder.path().join("vit.safetensors"));
    // It holds another network, as its tensors tell.
    assert!(stderr.contains("its head is not of one class"), "{stderr}");
}

#[test]
fn files_and_folders_are_looked_at_before_the_work() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("rigid.safetensors");
    let part = format!("encoder={}", fixture().display());
    let gone = folder.path().join("gone");
    let gone = gone.to_str().expect("it is UTF-8");
    let stderr = refused(&["rigid", "--part", &part, "--data", gone], &out);
    assert!(stderr.contains("gone"), "{stderr}");
    let missing = format!("encoder={gone}");
    let stderr = refused(&["rigid", "--part", &missing], &out);
    assert!(stderr.contains("cannot read"), "{stderr}");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("there is room");
    let stderr = refused(&["rigid", "--part", &part], &file.join("rigid.safetensors"));
    assert!(stderr.contains("file/rigid.safetensors cannot be written"), "{stderr}");
    // A data set in one file is no output.
    let list = folder.path().join("list.csv");
    std::fs::write(&list, "path,label\n").expect("there is room");
    let data = list.to_str().expect("it is UTF-8");
    let stderr = refused(&["rigid", "--part", &part, "--data", data], &list);
    assert!(stderr.contains("is an input"), "{stderr}");
    // Whether there are pictures, before the encoder is read.
    let stderr = refused(&["rigid", "--part", &part], &out);
    assert!(stderr.contains("fitted on labelled pictures"), "{stderr}");
}
