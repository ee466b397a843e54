//! Squares of pictures.

use burn::tensor::Tensor;

/// The squares of `side` x `side` pixels of `images`, `[batch, channels, height, width]`, row by row:
/// `[batch, squares, channels * side * side]`. Pixels at the right and at the bottom that fill no square are
/// left out.
///
/// A convolution whose stride is its kernel's side is a linear map of them.
///
/// # Panics
/// If `side` is 0.
#[must_use]
pub fn patches(images: Tensor<4>, side: usize) -> Tensor<3> {
    let [batch, channels, height, width] = images.dims();
    let [rows, columns] = [height / side, width / side];
    let seen = images.narrow(2, 0, rows * side).narrow(3, 0, columns * side);
    let blocks: Tensor<6> = seen.reshape([batch, channels, rows, side, columns, side]);
    let len = channels * side * side;
    blocks.permute([0, 2, 4, 1, 3, 5]).reshape([batch, rows * columns, len])
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Int};

    use super::*;

    #[test]
    fn squares_run_row_by_row_and_leave_the_rest_out() {
        let images = Tensor::<1, Int>::arange(0..15, &Device::flex()).float().reshape([1, 1, 3, 5]);
        let squares = patches(images, 2).into_data().try_to_vec::<f32>().expect("floats");
        assert_eq!(squares, [0.0, 1.0, 5.0, 6.0, 2.0, 3.0, 7.0, 8.0]);
    }
}
