//! Programs that need held-back pictures refuse weights of which nobody knows them.

use std::path::Path;
use std::process::Command;

#[test]
fn weights_without_a_record_are_refused_where_held_back_pictures_are_needed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [weights, out, mean] =
        ["own.safetensors", "out", "mean.safetensors"].map(|name| folder.path().join(name));
    let shipped = root.join("crates/tinyvit/weights/native.safetensors");
    std::fs::copy(shipped, &weights).expect("they are shipped");
    let mini = root.join("datasets/mini");
    let [weights, out, mean, data] =
        [&weights, &out, &mean, &mini].map(|path| path.to_str().expect("the path is UTF-8"));
    let programs = [
        (
            env!("CARGO_BIN_EXE_build_explanations"),
            &["--split", "validation", "--weights", weights, "--data", data, "--out", out][..],
        ),
        (env!("CARGO_BIN_EXE_familiarity"), &["--weights", weights, "--data", data]),
        (
            env!("CARGO_BIN_EXE_average_weights"),
            &[weights, weights, "--recalibrate-norm", data, "--out", mean],
        ),
    ];
    for (program, arguments) in programs {
        let output = Command::new(program).args(arguments).output().expect("it was built");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{program}: {stderr}");
        assert!(stderr.contains("does not record its training pictures"), "{program}: {stderr}");
    }
}
