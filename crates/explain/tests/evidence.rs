//! Measures give the numbers and the places that their reference in numpy gives.

use std::path::Path;

use cifake::Picture;
use explain::evidence::Measure;
use gradcam::{Region, regions};
use testkit::Fixture;

/// Largest difference of values, relative to values above 1: the file holds them in f32.
const LIMIT: f64 = 1e-6;
/// Largest difference of a region's share: maps are kept in f32.
const SHARE_LIMIT: f64 = 1e-5;

/// The measures of the reference, as it spells them and as we do.
const MEASURES: [(&str, &str); 15] = [
    ("edge_aliasing", "edge aliasing"),
    ("sharpness_inconsistency", "sharpness inconsistency"),
    ("quiet_share", "quiet share"),
    ("high_frequency_share", "high-frequency share"),
    ("detail_noise", "detail noise"),
    ("edge_overshoot", "edge overshoot"),
    ("centre_sharpness", "centre sharpness"),
    ("planar_shading", "planar shading"),
    ("clipped_dark", "clipped dark"),
    ("sharpest_block", "sharpest block"),
    ("colour_off_edges", "colour off edges"),
    ("highlight_share", "highlight share"),
    ("channel_incoherence", "channel incoherence"),
    ("patch_repetition", "patch repetition"),
    ("checker_phase", "checker phase"),
];

fn values(fixture: &Fixture, name: &str) -> Vec<f64> {
    let tensor = fixture.get(name).unwrap_or_else(|| panic!("the fixture holds {name}"));
    tensor.iter::<f32>().map(f64::from).collect()
}

#[test]
fn values_and_places_are_those_of_the_reference() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let fixture = Fixture::load(folder.join("measures.safetensors"));
    let pixels: Vec<u8> = values(&fixture, "pictures").into_iter().map(|v| v as u8).collect();
    let pictures: Vec<Picture> = pixels
        .chunks_exact(32 * 32 * 3)
        .map(|pixels| Picture::new(pixels.to_vec(), 32, 32).expect("32x32"))
        .collect();
    assert_eq!(pictures.len(), 12);
    for (name, ours) in MEASURES {
        let measure: Measure = ours.parse().unwrap_or_else(|_| panic!("{ours} is a measure"));
        let theirs = values(&fixture, name);
        let shares = values(&fixture, &format!("{name}.shares"));
        for (place, picture) in pictures.iter().enumerate() {
            let (found, expected) = (measure.value(picture), theirs[place]);
            let limit = LIMIT * expected.abs().max(1.0);
            assert!((found - expected).abs() < limit, "{name} {place}: {found}, not {expected}");
            let Some(expected) = shares.get(9 * place..9 * place + 9) else { continue };
            for region in regions(&measure.map(picture)) {
                let at = Region::ALL.iter().position(|listed| *listed == region.region);
                let expected = expected[at.expect("all nine are listed")];
                let apart = (region.share - expected).abs();
                assert!(apart < SHARE_LIMIT, "{name} {place} {region:?}, not {expected}");
            }
        }
    }
}
