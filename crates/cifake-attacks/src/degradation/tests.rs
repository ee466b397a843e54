use std::collections::HashSet;

use super::*;

/// Smooth in parts, rough in others, no two rows or columns alike.
fn picture(width: u32, height: u32) -> Picture {
    let level = |i: u32| ((i * i / 7 + i * 13) % 251) as u8;
    Picture::new((0..width * height * 3).map(level).collect(), width, height).expect("not empty")
}

/// Every kind, with numbers at and beyond the ends of their ranges.
fn extremes() -> Vec<Degradation> {
    let mut all = Degradation::suite();
    for value in [f32::NAN, f32::NEG_INFINITY, -1.0, 0.0, 1e-40, 1.0, 1e9, f32::INFINITY] {
        all.extend([
            Degradation::Enlarge { factor: value, filter: Filter::Lanczos },
            Degradation::Blur { sigma: value },
            Degradation::Noise { sigma: value },
            Degradation::Brightness { factor: value },
            Degradation::Contrast { factor: value },
        ]);
    }
    for number in [0, 4, u8::MAX] {
        all.extend([
            Degradation::Jpeg { quality: number },
            Degradation::Webp { quality: number },
            Degradation::QuarterTurns { turns: number },
            Degradation::Crop { side: u32::from(number) },
        ]);
    }
    all.push(Degradation::Screenshot { factor: f32::NAN });
    all
}

#[test]
fn any_size_and_any_number_give_a_picture_of_the_same_size() {
    for (width, height) in [(1, 1), (1, 9), (5, 1), (3, 2)] {
        for degradation in extremes() {
            let changed = degradation.apply(picture(width, height), 1, 2);
            assert_eq!((changed.width(), changed.height()), (width, height), "{degradation:?}");
        }
    }
    for degradation in Degradation::suite() {
        let changed = degradation.apply(picture(40, 30), 1, 2);
        assert_eq!((changed.width(), changed.height()), (40, 30), "{degradation}");
        assert_ne!(changed, picture(40, 30), "{degradation}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_sample_another_draw() {
    for degradation in Degradation::suite() {
        let apply = |seed, id| degradation.apply(picture(32, 32), seed, id);
        assert_eq!(apply(1, 2), apply(1, 2), "{degradation}");
        let drawn = matches!(
            degradation,
            Degradation::Crop { .. } | Degradation::Noise { .. } | Degradation::Screenshot { .. }
        );
        let seen: HashSet<Vec<u8>> = (0..8).map(|id| apply(1, id).into_pixels()).collect();
        assert_eq!(seen.len() > 1, drawn, "{degradation}");
        let seeds: HashSet<Vec<u8>> = (0..8).map(|seed| apply(seed, 1).into_pixels()).collect();
        assert_eq!(seeds.len() > 1, drawn, "{degradation}");
    }
}

#[test]
fn the_names_of_the_suite_differ_and_come_back() {
    let suite = Degradation::suite();
    let names: Vec<String> = suite.iter().map(ToString::to_string).collect();
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), suite.len());
    for expected in ["enlarge-x2-bicubic", "jpeg-75", "webp-80", "turn-270", "screenshot"] {
        assert!(names.iter().any(|name| name == expected), "{expected} of {names:?}");
    }
    for (degradation, name) in suite.iter().zip(&names) {
        assert_eq!(name.parse::<Degradation>().expect("its own name"), *degradation);
        let json = serde_json::to_value(degradation).expect("plain data");
        let back: Degradation = serde_json::from_value(json).expect("its own form");
        assert_eq!(back, *degradation);
    }
    let odd: Degradation = "screenshot-x2.5".parse().expect("a factor of its own");
    assert_eq!(odd.to_string(), "screenshot-x2.5");
}

#[test]
fn a_name_that_is_none_is_an_error() {
    for (name, part) in [
        ("", "no degradation"),
        ("jpeg", "no degradation"),
        ("enlarge-x2", "no degradation"),
        ("enlarge-x2-cubic", "no degradation"),
        ("enlarge-2-bicubic", "no degradation"),
        ("grey-2", "no degradation"),
        ("quarter_turns-1", "no degradation"),
        ("jpeg-x", "not a number"),
        ("jpeg-101", "a whole quality from 1 to 100"),
        ("jpeg-50.5", "a whole quality from 1 to 100"),
        ("turn-45", "90, 180 or 270"),
        ("blur-nan", "a deviation from 0.1 to 10"),
        ("enlarge-x99-box", "a factor from 1 to 16"),
    ] {
        let error = name.parse::<Degradation>().expect_err(name);
        assert!(error.to_string().contains(part), "{name}: {error}");
    }
}

/// Root of the mean squared difference, in levels.
fn distance(one: &Picture, other: &Picture) -> f64 {
    let squares = one.pixels().iter().zip(other.pixels()).map(|(&a, &b)| {
        let difference = f64::from(a) - f64::from(b);
        difference * difference
    });
    (squares.sum::<f64>() / one.pixels().len() as f64).sqrt()
}

/// Soft light from corner to corner, as in a photograph out of focus.
fn smooth() -> Picture {
    let pixel = |i: u32| {
        let (y, x) = ((i / 32) as f32, (i % 32) as f32);
        [90.0 + 40.0 * (x / 9.0).sin(), 60.0 + 3.0 * y, 200.0 - 2.0 * (x + y)].map(|v| v as u8)
    };
    Picture::new((0..32 * 32).flat_map(pixel).collect(), 32, 32).expect("32x32")
}

#[test]
fn compression_loses_a_little_and_more_at_a_lower_quality() {
    let lost = |degradation: Degradation| distance(&smooth(), &degradation.apply(smooth(), 0, 0));
    let jpeg = |quality| lost(Degradation::Jpeg { quality });
    let webp = |quality| lost(Degradation::Webp { quality });
    for [low, high] in [[jpeg(10), jpeg(90)], [webp(10), webp(90)]] {
        assert!(high > 0.0 && high < 4.0, "{high}");
        assert!(low > 1.5 * high && low < 30.0, "{low} and {high}");
    }
}

#[test]
fn noise_has_its_deviation_and_depends_on_nothing_else() {
    let flat = Picture::new(vec![128; 64 * 48 * 3], 64, 48).expect("64x48");
    let noisy = Degradation::Noise { sigma: 4.0 }.apply(flat.clone(), 3, 5);
    assert!((distance(&flat, &noisy) - 4.0).abs() < 0.2);
}

#[test]
fn levels_change_as_they_are_said_to() {
    let pixels = vec![10, 20, 30, 110, 220, 250];
    let apply = |degradation: Degradation| {
        let picture = Picture::new(pixels.clone(), 2, 1).expect("2x1");
        degradation.apply(picture, 0, 0).into_pixels()
    };
    assert_eq!(apply(Degradation::Brightness { factor: 1.2 }), [12, 24, 36, 132, 255, 255]);
    assert_eq!(apply(Degradation::Contrast { factor: 0.0 }), [104; 6]);
    assert_eq!(apply(Degradation::Grey), [18, 18, 18, 191, 191, 191]);
    assert_eq!(apply(Degradation::Mirror), [110, 220, 250, 10, 20, 30]);
    assert_eq!(apply(Degradation::QuarterTurns { turns: 2 }), [110, 220, 250, 10, 20, 30]);
}

#[test]
fn a_quarter_turn_is_clockwise() {
    let square: Vec<u8> = [1, 2, 3, 4].iter().flat_map(|&v| [v; 3]).collect();
    let picture = Picture::new(square, 2, 2).expect("2x2");
    let turned = Degradation::QuarterTurns { turns: 1 }.apply(picture, 0, 0);
    assert_eq!(turned.pixels().iter().step_by(3).copied().collect::<Vec<_>>(), [3, 1, 4, 2]);
}

#[test]
fn enlarging_by_nearest_neighbours_and_back_costs_less_than_a_crop() {
    let lost = |degradation: Degradation| distance(&smooth(), &degradation.apply(smooth(), 0, 0));
    let back = lost(Degradation::Enlarge { factor: 7.0, filter: Filter::Nearest });
    assert!(back < 2.0 && back < lost(Degradation::Crop { side: 24 }), "{back}");
}
