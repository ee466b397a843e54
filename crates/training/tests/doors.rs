//! Whatever bytes come as a recipe or a queue, they are read or refused.

use std::path::Path;

use cifake_training::{Queue, Recipe};
use testkit::fuzz::{Door, in_file, trial};

fn recipe(bytes: &[u8]) {
    in_file("recipe.toml", bytes, |path| {
        let _ = Recipe::open(path);
    });
}

fn queue(bytes: &[u8]) {
    in_file("queue.toml", bytes, |path| {
        let _ = Queue::open(path);
    });
}

fn committed(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/lab/recipes");
    std::fs::read(folder.join(name)).expect("it is committed")
}

#[test]
fn recipe_door_holds() {
    let seeds = ["adversarial-1.toml", "native-5.toml", "reference.toml"].map(committed);
    trial(&Door { name: "recipe", open: recipe }, &seeds);
}

#[test]
fn queue_door_holds() {
    trial(&Door { name: "queue", open: queue }, &[committed("campaign.toml")]);
}
