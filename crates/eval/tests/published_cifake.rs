//! Facts about the published data set, checked where `CIFAKE_SHARED` (default `../shared`) has it.
//!
//! One test, so that 120,000 pictures are decoded once.

use std::path::{Path, PathBuf};

use cifake::{Class, Dataset, Decoder, Label, Split, is_near_grey, load_pixels, open_dataset};
use cifake_eval::{Manifest, ManifestRow, near_duplicates};

/// Bytes of a picture.
const PICTURE: usize = 32 * 32 * 3;

/// The folder with CIFAKE's zips, if this machine has it.
fn published() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = std::env::var_os("CIFAKE_SHARED").unwrap_or_else(|| "../shared".into());
    Some(workspace.join(shared).join("datasets/cifake")).filter(|path| path.is_dir())
}

fn count(dataset: &dyn Dataset, kept: &[usize], label: Label) -> usize {
    kept.iter().filter(|index| dataset.samples()[**index].label == label).count()
}

/// The computed manifest tells the same copies as the published one, whose hashes are those of
/// another JPEG decoder.
fn check_manifest(path: &Path, train: &dyn Dataset, test: &dyn Dataset) {
    let computed = Manifest::compute(train, test, &Decoder::default());
    let published = Manifest::read(&path.join("manifest.csv.gz")).expect("the manifest is well");
    assert_eq!(computed.rows().len(), published.rows().len());
    for (ours, theirs) in computed.rows().iter().zip(published.rows()) {
        let theirs = ManifestRow { pixel_hash: ours.pixel_hash, ..theirs.clone() };
        assert_eq!(*ours, theirs);
    }
    let kept = computed.deduplicated(test, Split::Test).expect("all test pictures are listed");
    assert_eq!(kept.len(), 19_584);
    assert_eq!(count(test, &kept, Label::Real), 10_000);
    let kept = computed.deduplicated(train, Split::Train).expect("all pictures are listed");
    assert_eq!(kept.len(), 100_000 - 920);
}

#[test]
fn the_zips_hold_the_published_copies_and_near_grey_pictures() {
    let Some(path) = published() else { return };
    let [train, test] = [Split::Train, Split::Test]
        .map(|split| open_dataset(&path, Some(split)).expect("the zips are complete"));
    assert_eq!((train.len(), test.len()), (100_000, 20_000));
    for class in Class::ALL {
        let of_class = test.samples().iter().filter(|sample| sample.class == Some(class));
        assert_eq!(of_class.count(), 2_000);
    }
    check_manifest(&path, &*train, &*test);

    let pixels = [&train, &test].map(|dataset| {
        let all: Vec<_> = (0..dataset.len()).collect();
        load_pixels(&**dataset, &all, (32, 32), &Decoder::default()).expect("all decode")
    });
    for label in Label::ALL {
        let pictures = test.samples().iter().zip(pixels[1].chunks(PICTURE));
        let of_label = pictures.filter(|(sample, _)| sample.label == label);
        let share = of_label.filter(|(_, pixels)| is_near_grey(pixels)).count() as f64 / 10_000.0;
        let expected = [0.03, 0.15][label.index()];
        assert!((share - expected).abs() < 0.01, "{label}: {share}");
    }
    let pairs = near_duplicates(&pixels[1], &pixels[0], 0.99);
    let exact = pairs.iter().filter(|pair| {
        let at = |pixels: &[u8], index: usize| pixels[index * PICTURE..][..PICTURE].to_vec();
        at(&pixels[1], pair.test) == at(&pixels[0], pair.train)
    });
    assert_eq!(exact.count(), 378);
    let of_label = Label::ALL
        .map(|label| pairs.iter().filter(|pair| test.samples()[pair.test].label == label).count());
    assert_eq!(of_label, [3, 378], "REAL and FAKE");
}
