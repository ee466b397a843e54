//! Statistics of a picture's pixels, whatever they show.

use crate::Picture;

/// Numbers of [`pixel_statistics`].
pub const N_PIXEL_STATISTICS: usize = 7;

/// Levels up to which two neighbors count as equal: photographs are rarely so flat.
const EQUAL: f32 = 1.5;
/// Added to a share before its logarithm.
const LEAST_SHARE: f32 = 0.02;
/// Added to a mean of levels before its logarithm.
const LEAST_LEVEL: f32 = 0.5;

/// Sums over differences of levels.
#[derive(Default)]
struct Sums {
    n: usize,
    absolute: f32,
    squares: f32,
    fourth_powers: f32,
    n_equal: usize,
}

impl Sums {
    fn add(&mut self, difference: f32) {
        let square = difference * difference;
        self.n += 1;
        self.absolute += difference.abs();
        self.squares += square;
        self.fourth_powers += square * square;
        self.n_equal += usize::from(difference.abs() < EQUAL);
    }

    /// The mean of what sums to `sum`; 0 of nothing.
    fn mean(&self, sum: f32) -> f32 {
        sum / self.n.max(1) as f32
    }
}

/// Statistics of the brightness differences within `picture`, in which drawings, flat colors and noise
/// differ from photographs at a glance:
/// logarithms of the mean square and the mean of differences between neighbors, of the share of equal
/// neighbors, of the mean square of the Laplacian, of the mean square of differences two pixels apart, of
/// how heavy the tails of the differences are, and of the mean of the Laplacian.
///
/// Brightness is that of JPEG, from 0 to 255. All are finite for every picture.
#[must_use]
pub fn pixel_statistics(picture: &Picture) -> [f32; N_PIXEL_STATISTICS] {
    let [width, height] = [picture.width() as usize, picture.height() as usize];
    let brightness =
        |[r, g, b]: &[u8; 3]| 0.299 * f32::from(*r) + 0.587 * f32::from(*g) + 0.114 * f32::from(*b);
    let levels: Vec<f32> = picture.pixels().as_chunks::<3>().0.iter().map(brightness).collect();
    let (mut one, mut two, mut curve) = (Sums::default(), Sums::default(), Sums::default());
    for y in 0..height {
        let row = &levels[y * width..(y + 1) * width];
        row.windows(2).for_each(|pair| one.add(pair[1] - pair[0]));
        row.windows(3).for_each(|triple| two.add(triple[2] - triple[0]));
        let Some(below) = levels.get((y + 1) * width..(y + 2) * width) else { continue };
        row.iter().zip(below).for_each(|(upper, lower)| one.add(lower - upper));
        let Some(last) = levels.get((y + 2) * width..(y + 3) * width) else { continue };
        row.iter().zip(last).for_each(|(upper, lower)| two.add(lower - upper));
        for x in 1..width.saturating_sub(1) {
            let around = row[x] + last[x] + below[x - 1] + below[x + 1];
            curve.add(4.0 * below[x] - around);
        }
    }
    let square = one.mean(one.squares);
    [
        square.ln_1p(),
        (one.mean(one.absolute) + LEAST_LEVEL).ln(),
        (one.mean(one.n_equal as f32) + LEAST_SHARE).ln(),
        curve.mean(curve.squares).ln_1p(),
        two.mean(two.squares).ln_1p(),
        one.mean(one.fourth_powers).ln_1p() - 2.0 * square.ln_1p(),
        (curve.mean(curve.absolute) + LEAST_LEVEL).ln(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_small_picture_are_those_of_a_count_by_hand() {
        // Grey levels 0 0 10 over 0 0 10 over 0 0 20: 8 equal pairs of 12.
        let pixels = [0, 0, 10, 0, 0, 10, 0, 0, 20].map(|level: u8| [level; 3]).concat();
        let found = pixel_statistics(&Picture::new(pixels, 3, 3).expect("3x3"));
        // Differences 10, 10, 20 across and 10 down.
        let square = 700.0f32 / 12.0;
        let expected = [
            (1.0 + square).ln(),
            (50.0f32 / 12.0 + 0.5).ln(),
            (8.0f32 / 12.0 + 0.02).ln(),
            // Of the center: 4 * 0 - 10.
            101.0f32.ln(),
            // Across 10, 10, 20; down 0, 0, 10.
            (1.0f32 + 700.0 / 6.0).ln(),
            (1.0f32 + 190_000.0 / 12.0).ln() - 2.0 * (1.0 + square).ln(),
            10.5f32.ln(),
        ];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-4, "{found}, not {expected}");
        }
    }

    #[test]
    fn every_picture_has_finite_numbers() {
        for (width, height) in [(1, 1), (2, 1), (1, 3), (2, 2), (3, 3), (5, 2)] {
            let picture = Picture::new(vec![255; width * height * 3], width as u32, height as u32);
            let found = pixel_statistics(&picture.expect("whole"));
            assert!(found.iter().all(|value| value.is_finite()), "{width}x{height}: {found:?}");
        }
    }
}
