//! Facts about the published data set, checked where `CIFAKE_SHARED` (default `../shared`) has it.

use std::path::PathBuf;
use std::time::Instant;

use cifake::{Decoder, Split, load_pixels, open_dataset};

/// The folder with CIFAKE's zips, if this machine has it.
fn published() -> Option<PathBuf> {
    let shared = std::env::var_os("CIFAKE_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    Some(shared.join("datasets/cifake")).filter(|path| path.is_dir())
}

#[test]
fn the_zips_hold_the_published_pictures_at_their_native_size() {
    let Some(path) = published() else { return };
    let start = Instant::now();
    let dataset = open_dataset(&path, Some(Split::Test)).expect("the zips are complete");
    assert_eq!(dataset.len(), 20_000);
    eprintln!("open {:?}", start.elapsed());
    let start = Instant::now();
    let pixels = load_pixels(&*dataset, &(0..20_000).collect::<Vec<_>>(), (32, 32), &Decoder::default())
        .expect("every picture decodes");
    eprintln!("decode {:?}", start.elapsed());
    assert_eq!(pixels.len(), 20_000 * 3072);
}
