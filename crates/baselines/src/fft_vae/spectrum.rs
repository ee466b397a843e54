//! The discrete Fourier transform of pictures, as two matrix products: it has gradients on every backend, and
//! sides need not be powers of two.

use std::f64::consts::TAU;

use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;
use burn::tensor::{Device, Tensor, TensorData};

/// Magnitudes below this share of a channel's largest are taken for zero.
const LEAST_SHARE: f64 = 1e-3;
/// Largest value of a pixel where the magnitudes are taken.
const WHITE: f64 = 255.0;

/// `log(1 + |F|)` of every channel, `[batch, height, width, channels]`, with frequency 0 at row `height / 2`
/// and column `width / 2`, as numpy's `fftshift` has it.
///
/// `images` are `[batch, channels, height, width]` in `[0, 1]`; `F` is the transform of their values from 0 to
/// 255. If `|F|` is below a thousandth of the channel's largest, it is 0, and so is its gradient. The
/// threshold itself has no gradient.
pub(crate) fn log_spectrum(images: Tensor<4>) -> Tensor<4> {
    let power = power(images * WHITE);
    let shape = power.dims();
    let largest = power.clone().detach().max_dim(1).max_dim(2);
    let threshold = (largest * LEAST_SHARE.powi(2)).clamp_min(f32::MIN_POSITIVE).expand(shape);
    let is_small = power.clone().lower(threshold);
    // A root has no gradient at 0: small values are replaced before it, too.
    let magnitude = power.mask_fill(is_small.clone(), 1.0).sqrt();
    magnitude.log1p().mask_fill(is_small, 0.0)
}

/// Every channel less the mean of 3x3 pixels, `[batch, height, width, channels]`, from -255 to 255. At the border the
/// mean is that of the pixels that are there.
pub(crate) fn residual(images: Tensor<4>) -> Tensor<4> {
    let options = AvgPoolOptions {
        kernel_size: [3, 3],
        stride: [1, 1],
        padding: [(1, 1), (1, 1)],
        count_include_pad: false,
        ceil_mode: false,
    };
    let detail = images.clone() - avg_pool2d(images, options);
    (detail * WHITE).permute([0, 2, 3, 1])
}

/// `|F|^2` of every channel, `[batch, height, width, channels]`, frequency 0 in the middle.
fn power(images: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = images.dims();
    let device = images.device();
    let columns = images.swap_dims(2, 3).reshape([batch * channels * width, height]);
    // The imaginary part of a picture is 0, and with it one half of the matrix.
    let of_reals = transform(height, &device).narrow(0, 0, height);
    let columns: Tensor<5> = columns.matmul(of_reals).reshape([batch, channels, width, 2, height]);
    let rows = columns.permute([0, 4, 1, 3, 2]).reshape([batch * height * channels, 2 * width]);
    let both: Tensor<5> =
        rows.matmul(transform(width, &device)).reshape([batch, height, channels, 2, width]);
    both.square().sum_dim(3).reshape([batch, height, channels, width]).swap_dims(2, 3)
}

/// The transform of `n` values as a matrix `[2 n, 2 n]` between rows of real parts, then imaginary ones. Output
/// `k` is frequency `k - n / 2`.
fn transform(n: usize, device: &Device) -> Tensor<2> {
    let wave = |place: usize, k: usize| {
        // Whole turns are left out before the division, so that large products cost no digits.
        let turns = (place * (k + n - n / 2)) % n;
        (TAU * turns as f64 / n as f64).sin_cos()
    };
    let mut values = Vec::with_capacity(4 * n * n);
    for place in 0..n {
        values.extend((0..n).map(|k| wave(place, k).1 as f32));
        values.extend((0..n).map(|k| -wave(place, k).0 as f32));
    }
    for place in 0..n {
        values.extend((0..n).map(|k| wave(place, k).0 as f32));
        values.extend((0..n).map(|k| wave(place, k).1 as f32));
    }
    Tensor::from_data(TensorData::new(values, [2 * n, 2 * n]), device)
}

#[cfg(test)]
mod tests {
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn values(spectrum: Tensor<4>) -> Vec<f32> {
        spectrum.into_data().try_to_vec::<f32>().expect("floats")
    }

    #[test]
    fn a_wave_has_two_peaks_beside_the_mean() {
        // 0.5 + 0.25 cos(2 pi x / 6) in 4 rows of 6 pixels: the mean is 24 * 127.5, a peak 24 * 255 / 8.
        let wave: Vec<f32> =
            (0..24).map(|at| 0.5 + 0.25 * (TAU * f64::from(at % 6) / 6.0).cos() as f32).collect();
        let images = TensorData::new(wave, [1, 1, 4, 6]);
        let spectrum = log_spectrum(Tensor::from_data(images, &Device::flex()));
        assert_eq!(spectrum.dims(), [1, 4, 6, 1]);
        let mut expected = [0.0f32; 24];
        expected[2 * 6 + 3] = 3061f32.ln();
        expected[2 * 6 + 2] = 766f32.ln();
        expected[2 * 6 + 4] = 766f32.ln();
        for (ours, theirs) in values(spectrum).iter().zip(expected) {
            assert!((ours - theirs).abs() < 1e-4, "{ours} {theirs}");
        }
    }

    fn gradient(images: &Tensor<4>) -> Tensor<4> {
        let images = images.clone().require_grad();
        images.grad(&log_spectrum(images.clone()).sum().backward()).expect("it is tracked")
    }

    #[test]
    fn the_gradient_points_uphill() {
        let device = Device::flex().autodiff();
        // All magnitudes of such a picture are well above the threshold.
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let pixels: Vec<f32> = (0..2 * 3 * 4 * 6).map(|_| rng.random()).collect();
        let images = Tensor::from_data(TensorData::new(pixels, [2, 3, 4, 6]), &device);
        let gradient = gradient(&images);
        let images = images.inner();
        let step = gradient.clone() * 1e-4 / gradient.clone().abs().max().into_scalar::<f32>();
        let rise =
            log_spectrum(images.clone() + step.clone()) - log_spectrum(images - step.clone());
        let rise = rise.sum().into_scalar::<f32>();
        let expected = 2.0 * (step * gradient).sum().into_scalar::<f32>();
        assert!(expected > 1e-3 && (rise - expected).abs() <= 0.02 * expected, "{rise} {expected}");
    }

    #[test]
    fn a_picture_without_light_has_no_gradient() {
        let black = Tensor::zeros([1, 3, 4, 6], &Device::flex().autodiff());
        let gradient = gradient(&black).into_data().try_to_vec::<f32>().expect("floats");
        assert!(gradient.iter().all(|&g| g == 0.0));
    }
}
