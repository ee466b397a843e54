//! A picture in the planes that measures read.

use cifake::Picture;

use super::plane::Plane;

const SOBEL: [[f64; 3]; 3] = [[-0.125, 0.0, 0.125], [-0.25, 0.0, 0.25], [-0.125, 0.0, 0.125]];
const LAPLACE: [[f64; 3]; 3] = [[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]];
/// Blind to planes and to straight edges (Immerkær 1996, "Fast noise variance estimation").
const IMMERKAER: [[f64; 3]; 3] = [[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]];

/// The planes of a picture, in levels of a byte.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// Red, green and blue.
    pub(super) rgb: [Plane; 3],
    /// Luma of ITU-R BT.601.
    pub(super) luma: Plane,
    /// Its two chroma differences, 0 for gray.
    pub(super) chroma: [Plane; 2],
    /// Slope of luma to the right and downwards, by Sobel's masks.
    pub(super) slope: [Plane; 2],
    /// Size of the slope.
    pub(super) gradient: Plane,
    /// Size of the Laplacian of luma.
    pub(super) laplacian: Plane,
    /// Size of the response of luma to [`IMMERKAER`].
    pub(super) noise: Plane,
}

impl View {
    pub(super) fn new(picture: &Picture) -> Self {
        let (height, width) = (picture.height() as usize, picture.width() as usize);
        let channel = |channel: usize| {
            Plane::new(height, width, |y, x| {
                f64::from(picture.pixels()[(y * width + x) * 3 + channel])
            })
        };
        let rgb = [channel(0), channel(1), channel(2)];
        let [red, green, blue] = &rgb;
        let luma = Plane::new(height, width, |y, x| {
            0.299 * red.at(y, x) + 0.587 * green.at(y, x) + 0.114 * blue.at(y, x)
        });
        let chroma = [
            blue.zip(&luma, |blue, luma| 0.564 * (blue - luma)),
            red.zip(&luma, |red, luma| 0.713 * (red - luma)),
        ];
        let slope = slopes(&luma);
        let gradient = slope[0].zip(&slope[1], f64::hypot);
        let laplacian = luma.correlated(&LAPLACE).map(f64::abs);
        let noise = luma.correlated(&IMMERKAER).map(f64::abs);
        Self { rgb, luma, chroma, slope, gradient, laplacian, noise }
    }
}

/// Slope of `plane` to the right and downwards.
pub(super) fn slopes(plane: &Plane) -> [Plane; 2] {
    [plane.correlated(&SOBEL), plane.transposed().correlated(&SOBEL).transposed()]
}

/// Pictures whose measures can be told by hand.
#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A picture of 32x32.
    pub(crate) fn colored(of: impl Fn(usize, usize) -> [u8; 3]) -> View {
        let pixels = (0..32 * 32).flat_map(|at| of(at / 32, at % 32)).collect();
        View::new(&Picture::new(pixels, 32, 32).expect("32x32"))
    }

    /// A gray picture.
    pub(crate) fn gray(of: impl Fn(usize, usize) -> u8) -> View {
        colored(|y, x| [of(y, x); 3])
    }

    /// Black, but for a pixel of 100 at (`y`, `x`).
    pub(crate) fn dot(y: usize, x: usize) -> View {
        gray(|row, column| if (row, column) == (y, x) { 100 } else { 0 })
    }

    /// Black at the left and 100 from column 16 on.
    pub(crate) fn step() -> View {
        gray(|_, x| if x < 16 { 0 } else { 100 })
    }

    pub(crate) fn assert_near(found: f64, expected: f64) {
        let limit = 1e-9 * expected.abs().max(1.0);
        assert!((found - expected).abs() < limit, "{found}, not {expected}");
    }

    #[test]
    fn a_step_has_its_slope_on_both_sides() {
        let view = step();
        let row = |plane: &Plane| [14, 15, 16, 17].map(|x| plane.at(7, x).round());
        assert_eq!(row(&view.slope[0]), [0.0, 50.0, 50.0, 0.0]);
        assert_eq!(row(&view.gradient), [0.0, 50.0, 50.0, 0.0]);
        assert_eq!(row(&view.laplacian), [0.0, 100.0, 100.0, 0.0]);
        assert_eq!(row(&view.noise), [0.0; 4]);
        let turned = gray(|y, _| if y < 16 { 0 } else { 100 });
        assert_eq!(turned.slope[1], view.slope[0].transposed());
    }
}
