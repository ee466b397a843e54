//! Augmentation of training pictures; every draw is a function of seed, epoch and sample.

use cifake::Picture;
use cifake_attacks::Degradation;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use serde::{Deserialize, Serialize};

use crate::degrade::Draw;
use crate::examples::{Examples, planes};
use crate::range::Range;

/// Largest shift.
const MAX_SHIFT: usize = 1024;

/// Random changes of training pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// Mirrors half of the pictures left to right.
    pub flip: bool,
    /// Shifts by up to this many pixels each way, at most 1024, borders mirrored.
    pub shift: usize,
    /// Multiplies brightness, contrast and saturation by up to `1 ± colour`; in `[0, 1)`.
    pub colour: f32,
    /// Share of the pictures that are compressed as JPEG once more, 0 to 1.
    pub jpeg_probability: f64,
    /// Lowest and highest JPEG quality, 1 to 100.
    pub jpeg_quality: [u8; 2],
    /// Share of the pictures that are blended with another (mixup; Zhang et al. 2018, arXiv
    /// 1710.09412), 0 to 1. The weight is uniform, which is Beta(1, 1).
    pub mixup_probability: f64,
    /// Share of the pictures into which a box of another is pasted (CutMix; Yun et al. 2019, arXiv
    /// 1905.04899), 0 to 1; both shares together are at most 1. The area of the box is uniform.
    pub cutmix_probability: f64,
    /// Degradations, applied in this order, each with a chance of its own: after all of the above,
    /// before mixup and CutMix.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub degrade: Vec<Draw>,
}

impl Default for Augment {
    fn default() -> Self {
        Self { flip: true, shift: 3, ..Self::none() }
    }
}

/// An augmented picture.
pub(crate) struct Drawn {
    /// `[3, height, width]` in `[0, 1]`.
    pub(crate) pixels: Vec<f32>,
    /// Probability of FAKE: 0, 1, or between for a mixture.
    pub(crate) target: f32,
}

/// The generator of one sample in one epoch; `purpose` separates draws that must not correlate.
pub(crate) fn sample_rng(seed: u64, epoch: usize, sample: usize, purpose: u64) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(sample_key(seed, epoch, sample, purpose))
}

/// The key of [`sample_rng`].
pub(crate) fn sample_key(seed: u64, epoch: usize, sample: usize, purpose: u64) -> [u8; 32] {
    let mut key = [0u8; 32];
    for (chunk, word) in key.chunks_exact_mut(8).zip([seed, epoch as u64, sample as u64, purpose]) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    key
}

/// `x` reflected into `0..side` without repeating the border.
fn mirror(x: i32, side: usize) -> usize {
    let last = side as i32 - 1;
    let x = x.abs();
    (if x > last { 2 * last - x } else { x }).clamp(0, last) as usize
}

impl Augment {
    /// No augmentation.
    #[must_use]
    pub fn none() -> Self {
        Self {
            flip: false,
            shift: 0,
            colour: 0.0,
            jpeg_probability: 0.0,
            jpeg_quality: [60, 100],
            mixup_probability: 0.0,
            cutmix_probability: 0.0,
            degrade: Vec::new(),
        }
    }

    /// Whether pictures of several labels are blended.
    pub(crate) fn mixes(&self) -> bool {
        self.mixup_probability + self.cutmix_probability > 0.0
    }

    pub(crate) fn validate(&self) -> Result<(), String> {
        let share = Range::Closed(0.0, 1.0);
        for (name, value, range) in [
            ("jpeg_probability", self.jpeg_probability, share),
            ("mixup_probability", self.mixup_probability, share),
            ("cutmix_probability", self.cutmix_probability, share),
            ("colour", self.colour.into(), Range::Below(0.0, 1.0)),
        ] {
            range.check(&format!("augment: {name}"), value)?;
        }
        Range::Closed(0.0, MAX_SHIFT as f64).check_count("augment: shift", self.shift)?;
        if self.mixup_probability + self.cutmix_probability > 1.0 {
            return Err("augment: mixup and cutmix exclude each other, so that their \
                        probabilities must not exceed 1 together"
                .into());
        }
        let [low, high] = self.jpeg_quality;
        if low == 0 || low > high || high > 100 {
            return Err("augment: jpeg_quality must be [low, high] within 1 to 100".into());
        }
        self.degrade.iter().try_for_each(Draw::validate)
    }

    /// The picture `sample`, augmented for epoch `epoch`.
    pub(crate) fn draw(
        &self,
        examples: &Examples,
        seed: u64,
        epoch: usize,
        sample: usize,
    ) -> Drawn {
        let mut rng = sample_rng(seed, epoch, sample, 0);
        let mut drawn = self.draw_one(examples, sample, &mut rng);
        let choice: f64 = rng.random();
        if choice < self.mixup_probability + self.cutmix_probability {
            let partner = rng.random_range(0..examples.len());
            let other = self.draw_one(examples, partner, &mut rng);
            if choice < self.mixup_probability {
                drawn.blend(&other, rng.random());
            } else {
                drawn.paste(&other, examples.side(), &mut rng);
            }
        }
        drawn
    }

    fn draw_one(&self, examples: &Examples, sample: usize, rng: &mut ChaCha8Rng) -> Drawn {
        let side = examples.side();
        let flip = self.flip && rng.random();
        let reach = self.shift as i32;
        let [dy, dx] = [rng.random_range(-reach..=reach), rng.random_range(-reach..=reach)];
        let source = examples.view(sample, rng);
        let mut moved = vec![0u8; source.len()];
        for y in 0..side {
            for x in 0..side {
                let from_x = mirror(x as i32 + dx, side);
                let from_x = if flip { side - 1 - from_x } else { from_x };
                let from = (mirror(y as i32 + dy, side) * side + from_x) * 3;
                let to = (y * side + x) * 3;
                moved[to..to + 3].copy_from_slice(&source[from..from + 3]);
            }
        }
        if self.colour > 0.0 {
            self.recolour(&mut moved, rng);
        }
        let side_u32 = u32::try_from(side).expect("a training picture is small");
        let mut picture = Picture::new(moved, side_u32, side_u32).expect("as many bytes as before");
        if self.jpeg_probability > 0.0 && rng.random_bool(self.jpeg_probability) {
            let [low, high] = self.jpeg_quality;
            let quality = rng.random_range(low..=high);
            picture = Degradation::Jpeg { quality }.apply(picture, 0, 0);
        }
        for draw in &self.degrade {
            picture = draw.apply(picture, rng);
        }
        Drawn { pixels: planes(picture.pixels()), target: examples.label(sample).index() as f32 }
    }

    fn recolour(&self, rgb: &mut [u8], rng: &mut ChaCha8Rng) {
        let mut factor = || 1.0 + self.colour * rng.random_range(-1.0..=1.0f32);
        let [brightness, contrast, saturation] = [factor(), factor(), factor()];
        let grey =
            |p: &[u8]| 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2]);
        let n_pixels = (rgb.len() / 3) as f32;
        let mean = rgb.chunks_exact(3).map(grey).sum::<f32>() / n_pixels * brightness;
        for pixel in rgb.chunks_exact_mut(3) {
            let level = grey(pixel);
            for value in pixel {
                let saturated = level + saturation * (f32::from(*value) - level);
                let changed = mean + contrast * (saturated * brightness - mean);
                *value = changed.round().clamp(0.0, 255.0) as u8;
            }
        }
    }
}

impl Drawn {
    fn blend(&mut self, other: &Self, weight: f32) {
        for (a, b) in self.pixels.iter_mut().zip(&other.pixels) {
            *a = weight * *a + (1.0 - weight) * b;
        }
        self.target = weight * self.target + (1.0 - weight) * other.target;
    }

    fn paste(&mut self, other: &Self, side: usize, rng: &mut ChaCha8Rng) {
        let cut = (side as f32 * rng.random::<f32>().sqrt()).round() as usize;
        let [top, left] = [rng.random_range(0..=side - cut), rng.random_range(0..=side - cut)];
        for row in (0..3).flat_map(|c| (top..top + cut).map(move |y| (c * side + y) * side)) {
            let span = row + left..row + left + cut;
            self.pixels[span.clone()].copy_from_slice(&other.pixels[span]);
        }
        let share = (cut * cut) as f32 / (side * side) as f32;
        self.target = (1.0 - share) * self.target + share * other.target;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cifake::Label;
    use cifake_attacks::DegradationKind;

    fn examples() -> Examples {
        let pixels = (0..2 * 8 * 8 * 3).map(|i| (i * 7 % 256) as u8).collect();
        Examples::new(pixels, vec![Label::Real, Label::Fake], 8).expect("two pictures of 8x8")
    }

    fn everything() -> Augment {
        Augment {
            flip: true,
            shift: 3,
            colour: 0.3,
            jpeg_probability: 0.5,
            mixup_probability: 0.4,
            cutmix_probability: 0.4,
            degrade: degraded(0.3).degrade,
            ..Augment::none()
        }
    }

    /// Every degradation by `chance`, as a recipe writes it.
    fn degraded(chance: f64) -> Augment {
        let entries = [
            ("enlarge", "[1.3, 7.0]"),
            ("crop", "[5, 8]"),
            ("screenshot", "[3.0, 5.0]"),
            ("blur", "[0.1, 1.0]"),
            ("noise", "[0.0, 6.0]"),
            ("brightness", "[0.8, 1.2]"),
            ("contrast", "[0.8, 1.2]"),
            ("quarter_turns", "null"),
            ("screenshot", "null"),
            ("grey", "null"),
            ("mirror", "null"),
            ("jpeg", "[40, 95]"),
            ("webp", "[50, 95]"),
        ];
        let entries = entries.map(|(kind, strength)| {
            format!(r#"{{"kind": "{kind}", "chance": {chance}, "strength": {strength}}}"#)
        });
        let json = format!(r#"{{"flip": false, "shift": 0, "degrade": [{}]}}"#, entries.join(","));
        serde_json::from_str(&json).expect("the JSON is valid")
    }

    #[test]
    fn a_draw_depends_on_seed_epoch_and_sample_alone() {
        let examples = examples();
        let draw = |seed, epoch| everything().draw(&examples, seed, epoch, 1).pixels;
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
    }

    #[test]
    fn no_augmentation_is_the_picture_itself() {
        let examples = examples();
        let drawn = Augment::none().draw(&examples, 1, 1, 1);
        assert_eq!(drawn.pixels, planes(examples.pixels(1)));
        assert_eq!(drawn.target, 1.0);
    }

    #[test]
    fn pixels_and_targets_stay_in_range() {
        let examples = examples();
        for epoch in 0..200 {
            let drawn = everything().draw(&examples, 1, epoch, 0);
            assert!(drawn.pixels.iter().chain([&drawn.target]).all(|x| (0.0..=1.0).contains(x)));
        }
    }

    #[test]
    fn a_degradation_happens_by_its_chance_in_its_range() {
        let examples = examples();
        let plain = planes(examples.pixels(0));
        let changed = |draw: Draw| {
            let augment = Augment { degrade: vec![draw], ..Augment::none() };
            assert_eq!(augment.validate(), Ok(()));
            (0..400).filter(|&epoch| augment.draw(&examples, 1, epoch, 0).pixels != plain).count()
        };
        let grey = |chance| Draw { kind: DegradationKind::Grey, chance, strength: None };
        assert_eq!([changed(grey(0.0)), changed(grey(1.0))], [0, 400]);
        assert!((80..160).contains(&changed(grey(0.3))));
        // A crop as large as the picture changes nothing: one of three sides that are drawn.
        let crop = Draw { kind: DegradationKind::Crop, chance: 1.0, strength: Some([6.0, 8.0]) };
        assert!((220..310).contains(&changed(crop)));
    }

    #[test]
    fn degradations_come_last_and_in_their_order() {
        let examples = examples();
        let draw = |kind| Draw { kind, chance: 1.0, strength: None };
        let [mirror, grey] = [draw(DegradationKind::Mirror), draw(DegradationKind::Grey)];
        let drawn = |degrade| Augment { degrade, ..Augment::none() }.draw(&examples, 1, 1, 0);
        assert_eq!(drawn(vec![mirror, mirror]).pixels, planes(examples.pixels(0)));
        let picture = Picture::new(examples.pixels(0).to_vec(), 8, 8).expect("8x8");
        let turned = Degradation::Grey.apply(Degradation::Mirror.apply(picture, 0, 0), 0, 0);
        assert_eq!(drawn(vec![mirror, grey]).pixels, planes(turned.pixels()));
    }

    #[test]
    fn a_list_without_degradations_is_written_as_before() {
        let json = serde_json::to_value(Augment::default()).expect("plain data");
        assert_eq!(json.get("degrade"), None);
        let augment = degraded(0.5);
        let json = serde_json::to_string(&augment).expect("plain data");
        assert_eq!(serde_json::from_str::<Augment>(&json).expect("its own form"), augment);
    }

    #[test]
    fn a_draw_that_cannot_be_is_named() {
        assert_eq!(degraded(0.3).validate(), Ok(()));
        for (json, part) in [
            (r#"{"kind": "grey", "chance": 1.5}"#, "chance of degrade `grey`"),
            (r#"{"kind": "grey", "chance": -0.1}"#, "chance of degrade `grey`"),
            (r#"{"kind": "mirror", "chance": 1, "strength": [1, 2]}"#, "takes no strength"),
            (r#"{"kind": "enlarge", "chance": 1}"#, "needs a strength"),
            (r#"{"kind": "enlarge", "chance": 1, "strength": [0.5, 2]}"#, "numbers from 1 to 16"),
            (r#"{"kind": "enlarge", "chance": 1, "strength": [3, 2]}"#, "[low, high]"),
            (r#"{"kind": "jpeg", "chance": 1, "strength": [50.5, 90]}"#, "whole numbers from 1"),
            (r#"{"kind": "quarter_turns", "chance": 1, "strength": [0, 3]}"#, "from 1 to 3"),
        ] {
            let draw: Draw = serde_json::from_str(json).expect("the JSON is valid");
            let error = Augment { degrade: vec![draw], ..Augment::none() }.validate();
            let error = error.expect_err(json);
            assert!(error.contains(part), "{json}: {error}");
        }
        let not_finite =
            Draw { kind: DegradationKind::Blur, chance: f64::NAN, strength: Some([f32::NAN; 2]) };
        assert!(not_finite.validate().is_err());
        assert!(Draw { chance: 1.0, ..not_finite }.validate().is_err());
        for json in [r#"{"kind": "fog", "chance": 1}"#, r#"{"kind": "grey", "often": 1}"#] {
            assert!(serde_json::from_str::<Draw>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_shift_mirrors_the_border() {
        assert_eq!([-2, -1, 0, 4, 5, 6].map(|x| mirror(x, 5)), [2, 1, 0, 4, 3, 2]);
    }
}
