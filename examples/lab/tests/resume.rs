//! A run that is killed at any moment and started again gives the weights of an unbroken run.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// Kills that must hit a run under way.
const N_KILLS: usize = 10;

/// A model small enough for many steps a second, with every source of randomness turned on.
const RECIPE: &str = "
[model]
preset = 'native'
embed_dims = [8, 16, 16, 16]
n_heads = [1, 1, 1, 1]
stem_dim = 8
depths = [1, 1, 1, 1]
drop_path_rate = 0.2

[data]
validation_fraction = 0.25

[train]
epochs = 60
batch_size = 8
checkpoint_steps = 1

[train.augment]
colour = 0.2
jpeg_probability = 0.5
mixup_probability = 0.2
cutmix_probability = 0.2
";

fn start(recipe: &Path, out: &Path, threads: usize) -> Child {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini");
    Command::new(env!("CARGO_BIN_EXE_train_tinyvit"))
        .args(["--config".as_ref(), recipe.as_os_str(), "--data".as_ref(), data.as_os_str()])
        .args(["--out".as_ref(), out.as_os_str()])
        .args(["--threads", &threads.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the trainer starts")
}

fn finish(mut child: Child) {
    let status = child.wait().expect("the trainer can be waited for");
    assert!(status.success(), "the trainer ended with {status}");
}

#[test]
fn ten_kills_change_no_bit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let recipe = path("recipe.toml");
    std::fs::write(&recipe, RECIPE).expect("the folder is writable");

    finish(start(&recipe, &path("unbroken"), 2));

    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut kills = 0;
    while kills < N_KILLS {
        let mut child = start(&recipe, &path("broken"), 1 + kills % 2);
        std::thread::sleep(Duration::from_millis(rng.random_range(20..600)));
        let ended = child.try_wait().expect("the trainer can be asked");
        assert!(ended.is_none(), "the run ended after {kills} kills: it is too short");
        child.kill().expect("the trainer can be killed");
        child.wait().expect("the trainer can be waited for");
        kills += 1;
    }
    finish(start(&recipe, &path("broken"), 1));

    for name in ["last.safetensors", "best.safetensors", "metrics.csv"] {
        let read = |run: &str| std::fs::read(path(run).join(name)).expect("the run wrote it");
        assert!(read("unbroken") == read("broken"), "{name} differs");
    }
}
