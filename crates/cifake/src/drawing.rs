//! Pictures that no camera took and no model generated: what a detector should know nothing of.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::Picture;

/// A kind of picture that is made by rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Drawing {
    /// Straight strokes on one color.
    Lines,
    /// Filled boxes and discs that overlap.
    Shapes,
    /// Rows of dark bars on a light page, as of text.
    Text,
    /// A flat user interface: bars, panels, buttons, rows.
    Interface,
    /// One color.
    Flat,
    /// Each pixel by itself, or in blocks: uniform, normal, grey or colored.
    Noise,
}

/// A canvas with coordinates in shares of its side.
struct Canvas {
    pixels: Vec<[u8; 3]>,
    side: usize,
}

impl Drawing {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::Lines, Self::Shapes, Self::Text, Self::Interface, Self::Flat, Self::Noise];

    /// The name in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Shapes => "shapes",
            Self::Text => "text",
            Self::Interface => "interface",
            Self::Flat => "flat",
            Self::Noise => "noise",
        }
    }

    /// The picture `number` of this kind, `side` x `side`: a function of the arguments alone.
    ///
    /// # Panics
    ///
    /// If `side` is 0.
    #[must_use]
    pub fn picture(self, side: u32, seed: u64, number: u64) -> Picture {
        let mut key = [0; 32];
        for (chunk, word) in key.chunks_exact_mut(8).zip([seed, number, self as u64, 0]) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        let mut rng = ChaCha8Rng::from_seed(key);
        let light = [245, 246, 250].map(|level: u8| level.saturating_sub(rng.random_range(0..30)));
        let ground = if rng.random() { color(&mut rng) } else { light };
        let mut canvas = Canvas::new(side as usize, ground);
        match self {
            Self::Lines => canvas.lines(&mut rng),
            Self::Shapes => canvas.shapes(&mut rng),
            Self::Text => {
                canvas = Canvas::new(side as usize, light);
                canvas.text([0.06, 0.08, 0.94, 0.95], &mut rng);
            }
            Self::Interface => {
                canvas = Canvas::new(side as usize, light);
                canvas.interface(&mut rng);
            }
            Self::Flat => canvas = Canvas::new(side as usize, color(&mut rng)),
            Self::Noise => canvas.noise(&mut rng),
        }
        Picture::new(canvas.pixels.concat(), side, side).expect("a canvas is a whole square")
    }
}

fn color(rng: &mut ChaCha8Rng) -> [u8; 3] {
    rng.random()
}

impl Canvas {
    fn new(side: usize, ground: [u8; 3]) -> Self {
        Self { pixels: vec![ground; side * side], side }
    }

    /// Colors the pixels whose centers `is_inside` takes, in shares of the side: `(x, y)`.
    fn fill(&mut self, color: [u8; 3], is_inside: impl Fn(f32, f32) -> bool) {
        let side = self.side as f32;
        for (place, pixel) in self.pixels.iter_mut().enumerate() {
            let (x, y) = ((place % self.side) as f32 + 0.5, (place / self.side) as f32 + 0.5);
            if is_inside(x / side, y / side) {
                *pixel = color;
            }
        }
    }

    /// A box from left and top to right and bottom.
    fn rectangle(&mut self, [left, top, right, bottom]: [f32; 4], color: [u8; 3]) {
        self.fill(color, |x, y| (left..right).contains(&x) && (top..bottom).contains(&y));
    }

    fn lines(&mut self, rng: &mut ChaCha8Rng) {
        for _ in 0..rng.random_range(3..12) {
            let [ax, ay, bx, by]: [f32; 4] = rng.random();
            let width = rng.random_range(0.02..0.06);
            let ink = if rng.random() { [0; 3] } else { color(rng) };
            let (dx, dy) = (bx - ax, by - ay);
            let squared = (dx * dx + dy * dy).max(1e-6);
            self.fill(ink, |x, y| {
                let along = (((x - ax) * dx + (y - ay) * dy) / squared).clamp(0.0, 1.0);
                (x - ax - along * dx).hypot(y - ay - along * dy) < width / 2.0
            });
        }
    }

    fn shapes(&mut self, rng: &mut ChaCha8Rng) {
        for _ in 0..rng.random_range(2..8) {
            let [cx, cy]: [f32; 2] = rng.random();
            let [rx, ry] = [rng.random_range(0.06..0.3), rng.random_range(0.06..0.3)];
            let ink = color(rng);
            if rng.random() {
                self.rectangle([cx - rx, cy - ry, cx + rx, cy + ry], ink);
            } else {
                self.fill(ink, |x, y| ((x - cx) / rx).hypot((y - cy) / ry) < 1.0);
            }
        }
    }

    /// Words as bars within a box.
    fn text(&mut self, [left, top, right, bottom]: [f32; 4], rng: &mut ChaCha8Rng) {
        let ink = [rng.random_range(0..90); 3];
        let (height, leading) = (rng.random_range(0.025..0.05), rng.random_range(0.07..0.12));
        let mut y = top;
        while y + height < bottom {
            let end = left + (right - left) * rng.random_range(0.6..1.0);
            let mut x = left;
            while x < end {
                let word = rng.random_range(0.03..0.16);
                self.rectangle([x, y, (x + word).min(end), y + height], ink);
                x += word + 0.025;
            }
            y += leading;
        }
    }

    fn interface(&mut self, rng: &mut ChaCha8Rng) {
        let bar = color(rng);
        self.rectangle([0.0, 0.0, 1.0, rng.random_range(0.08..0.16)], bar);
        let panel = rng.random_range(0.15..0.4);
        let shade = [rng.random_range(200..240); 3];
        self.rectangle([0.0, 0.16, panel, 1.0], shade);
        for row in 0..rng.random_range(3..7) {
            let y = 0.22 + 0.11 * row as f32;
            self.rectangle([0.03, y, panel - 0.04, y + 0.05], [120; 3]);
        }
        self.text([panel + 0.05, 0.24, 0.95, 0.8], rng);
        let button = color(rng);
        self.rectangle([0.72, 0.85, 0.95, 0.94], button);
    }

    fn noise(&mut self, rng: &mut ChaCha8Rng) {
        let block = if rng.random_range(0..4) == 0 { 2 } else { 1 };
        let is_grey: bool = rng.random();
        let spread: i32 = if rng.random() { 127 } else { rng.random_range(20..100) };
        let mut level = || (128 + rng.random_range(-spread..=spread)).clamp(0, 255) as u8;
        let columns = self.side.div_ceil(block);
        let blocks: Vec<[u8; 3]> = (0..columns * columns)
            .map(|_| if is_grey { [level(); 3] } else { [level(), level(), level()] })
            .collect();
        for (place, pixel) in self.pixels.iter_mut().enumerate() {
            let [row, column] = [place / self.side / block, place % self.side / block];
            *pixel = blocks[row * columns + column];
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_picture_is_a_function_of_its_number_and_the_seed() {
        for kind in Drawing::ALL {
            let picture = kind.picture(24, 1, 5);
            assert_eq!((picture.width(), picture.height()), (24, 24));
            assert_eq!(picture, kind.picture(24, 1, 5));
            assert_ne!(picture, kind.picture(24, 1, 6), "{}", kind.as_str());
            assert_ne!(picture, kind.picture(24, 2, 5), "{}", kind.as_str());
        }
    }

    #[test]
    fn each_kind_has_as_many_colors_as_it_should() {
        for (kind, least, most) in [
            (Drawing::Flat, 1, 1),
            (Drawing::Text, 2, 2),
            (Drawing::Shapes, 2, 9),
            (Drawing::Interface, 3, 6),
        ] {
            for number in 0..20 {
                let picture = kind.picture(64, 3, number);
                let colors: HashSet<_> = picture.pixels().as_chunks::<3>().0.iter().collect();
                assert!(
                    (least..=most).contains(&colors.len()),
                    "{}: {}",
                    kind.as_str(),
                    colors.len()
                );
            }
        }
        let noise = Drawing::Noise.picture(64, 3, 0);
        let colors: HashSet<_> = noise.pixels().as_chunks::<3>().0.iter().collect();
        assert!(colors.len() > 20, "{}", colors.len());
    }
}
