//! The size at which Qwen2-VL looks at a picture.

use crate::error::Error;

/// The largest ratio of the sides that is accepted; upstream's limit.
pub(crate) const MAX_ASPECT_RATIO: u32 = 200;

/// Height and width near those given that are multiples of `factor` and hold between `pixels.0`
/// and `pixels.1` pixels, at nearly the same aspect ratio.
///
/// As `smart_resize` of transformers (`image_processing_qwen2_vl.py`), which rounds half to even:
/// 70 pixels become 56, not 84. A side never falls below one `factor`, so that a picture near the
/// aspect limit may have more than `pixels.1` pixels.
///
/// # Errors
/// [`Error::AspectRatio`] above 200.
///
/// # Panics
/// If a side, `factor` or a bound is 0.
pub fn smart_resize(
    [height, width]: [u32; 2],
    factor: u32,
    (least, most): (u64, u64),
) -> Result<[u32; 2], Error> {
    assert!(height > 0 && width > 0, "a picture of {width}x{height} holds no pixel");
    assert!(factor > 0 && least > 0 && most > 0, "no factor and no bound is 0");
    check_aspect_ratio([height, width])?;
    let sides = [height, width].map(f64::from);
    let unit = f64::from(factor);
    let nearest = sides.map(|side| (side / unit).round_ties_even() as u64 * u64::from(factor));
    let pixels = nearest[0] * nearest[1];
    let area = sides[0] * sides[1];
    let whole = |units: f64| (units as u64).max(1) * u64::from(factor);
    let fitted = if pixels > most {
        let reduction = (area / most as f64).sqrt();
        sides.map(|side| whole((side / reduction / unit).floor()))
    } else if pixels < least {
        let growth = (least as f64 / area).sqrt();
        sides.map(|side| whole((side * growth / unit).ceil()))
    } else {
        nearest
    };
    let too_large = |_| Error::AspectRatio { width, height, limit: MAX_ASPECT_RATIO };
    let [height, width] = fitted.map(u32::try_from);
    Ok([height.map_err(too_large)?, width.map_err(too_large)?])
}

/// Fails for a picture that is more than 200 times as long as it is wide.
pub(crate) fn check_aspect_ratio([height, width]: [u32; 2]) -> Result<(), Error> {
    let (long, short) = (height.max(width), height.min(width));
    if u64::from(long) > u64::from(short) * u64::from(MAX_ASPECT_RATIO) {
        return Err(Error::AspectRatio { width, height, limit: MAX_ASPECT_RATIO });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PIXELS: (u64, u64) = (3136, 12_845_056);

    #[test]
    fn sides_are_upstreams() {
        // `smart_resize(height, width)` of transformers 4.57.
        for (sides, theirs) in [
            ([32, 32], [56, 56]),
            ([70, 43], [56, 56]),
            ([56, 100], [56, 112]),
            ([301, 17], [308, 28]),
            ([224, 224], [224, 224]),
            ([10, 2000], [28, 812]),
        ] {
            assert_eq!(smart_resize(sides, 28, PIXELS).expect("below 200"), theirs, "{sides:?}");
        }
    }

    #[test]
    fn seventy_pixels_are_rounded_to_even() {
        assert_eq!(smart_resize([70, 700], 28, PIXELS).expect("below 200"), [56, 700]);
        assert_eq!(smart_resize([42, 700], 28, PIXELS).expect("below 200"), [56, 700]);
    }

    #[test]
    fn a_strip_is_an_error_that_names_it() {
        for sides in [[1, 20_000], [20_000, 1], [1, u32::MAX], [10, 2001]] {
            let refused = smart_resize(sides, 28, PIXELS);
            assert!(matches!(refused, Err(Error::AspectRatio { limit: 200, .. })), "{sides:?}");
        }
    }

    proptest! {
        #[test]
        fn any_size_gives_a_size_within_bounds_or_an_error(
            height in 1..100_000_u32, width in 1..100_000_u32, factor in 1..100_u32,
            least in 1..100_000_u64, more in 0..10_000_000_u64,
        ) {
            let most = least + more;
            if let Ok(fitted) = smart_resize([height, width], factor, (least, most)) {
                prop_assert!(fitted.iter().all(|side| *side > 0 && side % factor == 0));
                let above = u64::from(fitted[0]) * u64::from(fitted[1]) > most;
                let small = fitted.contains(&factor);
                // A picture grown to the least may pass a most that lies right above it.
                let tight = most < least + u64::from(factor) * u64::from(fitted[0] + fitted[1]);
                prop_assert!(!above || small || tight, "{:?}", fitted);
            }
        }
    }
}
