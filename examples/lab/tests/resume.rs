//! A set that is killed and started again ends as an unbroken one.

#[path = "../../cifake/tests/kills/mod.rs"]
mod kills;

use std::path::Path;

use kills::{files, finish, kill, mini, program, text, wait_for};

fn n_entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

#[test]
fn kills_change_no_byte_of_a_set() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [unbroken, broken] = ["unbroken", "broken"].map(|name| folder.path().join(name));
    let start = |out: &Path| {
        let data = mini();
        let arguments = ["--data", text(&data), "--out", text(out), "--per-file", "2"];
        program(env!("CARGO_BIN_EXE_build_cifake_pp"), &arguments)
    };
    finish(start(&unbroken));
    for _ in 0..3 {
        let n_before = n_entries(&broken);
        let mut child = start(&broken);
        wait_for(&mut child, || n_entries(&broken) > n_before);
        kill(child);
    }
    finish(start(&broken));
    let [ours, theirs] = [files(&unbroken), files(&broken)];
    let names = |files: &[(std::ffi::OsString, Vec<u8>)]| -> Vec<_> {
        files.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(names(&ours), names(&theirs));
    for ((name, ours), (other, theirs)) in ours.iter().zip(&theirs) {
        assert!(name == other && ours == theirs, "{} differs", name.display());
    }
}

#[test]
fn kills_change_no_byte_of_a_set_of_explanations() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [unbroken, broken] = ["unbroken", "broken"].map(|name| folder.path().join(name));
    let start = |out: &Path| {
        let data = mini();
        let arguments = ["--data", text(&data), "--split", "train", "--out", text(out)];
        program(env!("CARGO_BIN_EXE_build_explanations"), &arguments)
    };
    finish(start(&unbroken));
    let pictures = broken.join("images");
    for _ in 0..3 {
        let n_before = n_entries(&pictures);
        let mut child = start(&broken);
        wait_for(&mut child, || n_entries(&pictures) > n_before);
        kill(child);
    }
    finish(start(&broken));
    let all = |folder: &Path| [files(&folder.join("images")), files(folder)].concat();
    let [ours, theirs] = [all(&unbroken), all(&broken)];
    assert!(ours.len() > 50 && ours.len() == theirs.len(), "{} {}", ours.len(), theirs.len());
    for ((name, ours), (other, theirs)) in ours.iter().zip(&theirs) {
        assert!(name == other && ours == theirs, "{} differs", name.display());
    }
}

#[test]
fn kills_change_no_byte_of_residues() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [unbroken, broken] = ["unbroken", "broken"].map(|name| folder.path().join(name));
    let start = |out: &Path| {
        let arguments = ["--smoke", "--batch", "1", "--out", text(out)];
        program(env!("CARGO_BIN_EXE_build_dire"), &arguments)
    };
    let labels = |out: &Path| ["REAL", "FAKE"].map(|label| out.join("train").join(label));
    finish(start(&unbroken));
    for _ in 0..3 {
        let count = || labels(&broken).iter().map(|path| n_entries(path)).sum::<usize>();
        let n_before = count();
        let mut child = start(&broken);
        wait_for(&mut child, || count() > n_before);
        kill(child);
    }
    finish(start(&broken));
    for (ours, theirs) in labels(&unbroken).iter().zip(labels(&broken)) {
        assert_eq!(n_entries(ours), 4);
        assert!(files(ours) == files(&theirs), "{} differs", theirs.display());
    }
}

#[test]
fn a_kill_changes_no_byte_of_a_diffusion_model() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [unbroken, broken] = ["unbroken", "broken"].map(|name| folder.path().join(name));
    let recipe = folder.path().join("recipe.toml");
    let model = "image_size = 8\nmodel_channels = 4\nchannel_mult = [1]\nnum_res_blocks = 1\n\
        attention_resolutions = []\nnum_heads = 1\nnum_groups = 2\nuse_scale_shift_norm = true\n\
        resblock_updown = false\nuse_new_attention_order = false\nlearn_sigma = false\n";
    let text_of = format!(
        "[model]\n{model}[data]\nside = 8\nvalidation_fraction = 0.25\n\
         [train]\nepochs = 5\nbatch_size = 4\nlearned_steps = 10\nsample_steps = 2\n"
    );
    std::fs::write(&recipe, text_of).expect("room");
    let start = |out: &Path| {
        let data = mini();
        let arguments = ["--data", text(&data), "--config", text(&recipe), "--out", text(out)];
        program(env!("CARGO_BIN_EXE_train_ddpm"), &arguments)
    };
    finish(start(&unbroken));
    let mut child = start(&broken);
    wait_for(&mut child, || broken.join("samples-002.png").exists());
    kill(child);
    finish(start(&broken));
    let is_result = |(name, _): &(std::ffi::OsString, Vec<u8>)| {
        name != "checkpoint.safetensors" && name != ".lock"
    };
    let [ours, theirs] = [files(&unbroken), files(&broken)]
        .map(|files| files.into_iter().filter(is_result).collect::<Vec<_>>());
    assert_eq!(ours.len(), 7, "five sheets, the weights and the table");
    assert!(ours == theirs, "a file differs");
}
