//! Pixels to tensors and back.

use burn::tensor::{Device, Tensor, TensorData};

use super::{Picture, PictureError};
use crate::Error;

/// `[batch, 3, height, width]`, RGB in `[0, 1]`, of pictures that all have the same size.
///
/// Fails if there is no picture or the sizes differ.
pub fn tensor_from_rgb8(pictures: &[Picture], device: &Device) -> Result<Tensor<4>, Error> {
    let Some(first) = pictures.first() else { return Err(PictureError::NoPictures.into()) };
    let size = (first.width(), first.height());
    let mut pixels = Vec::with_capacity(pictures.len() * first.pixels().len());
    for picture in pictures {
        if (picture.width(), picture.height()) != size {
            let other = (picture.width(), picture.height());
            return Err(PictureError::SizesDiffer { first: size, other }.into());
        }
        pixels.extend_from_slice(picture.pixels());
    }
    Ok(tensor_from_flat_rgb8(&pixels, size.1 as usize, size.0 as usize, device))
}

/// `[batch, 3, height, width]`, RGB in `[0, 1]`, of the pictures that stand one after another in
/// `pixels`, `batch * height * width * 3` bytes.
///
/// # Panics
/// If `pixels` are empty or no whole number of pictures.
#[must_use]
pub fn tensor_from_flat_rgb8(
    pixels: &[u8],
    height: usize,
    width: usize,
    device: &Device,
) -> Tensor<4> {
    let plane = height * width;
    assert!(
        !pixels.is_empty() && pixels.len().is_multiple_of(plane * 3),
        "{} bytes are no whole number of {height}x{width} RGB pictures",
        pixels.len()
    );
    let mut values = vec![0.0_f32; pixels.len()];
    for (picture, planes) in pixels.chunks_exact(plane * 3).zip(values.chunks_exact_mut(plane * 3))
    {
        for (channel, values) in planes.chunks_exact_mut(plane).enumerate() {
            for (pixel, value) in picture.chunks_exact(3).zip(values) {
                *value = f32::from(pixel[channel]) / 255.0;
            }
        }
    }
    let batch = pixels.len() / (plane * 3);
    Tensor::from_data(TensorData::new(values, [batch, 3, height, width]), device)
}

/// The pictures of `images`, `[batch, 3, height, width]`, RGB in `[0, 1]`: clamped to that range
/// and rounded to the nearest of 255 levels.
///
/// # Panics
/// If `images` have not three channels, or a side is 0.
#[must_use]
pub fn rgb8_from_tensor(images: Tensor<4>) -> Vec<Picture> {
    let [_, channels, height, width] = images.dims();
    assert_eq!(channels, 3, "pictures have three channels");
    assert!(height > 0 && width > 0, "a picture of {width}x{height} holds no pixel");
    let side = |length| u32::try_from(length).expect("a side fits 32 bits");
    let (rows, columns) = (side(height), side(width));
    let data = images.permute([0, 2, 3, 1]).into_data().convert::<f32>();
    let values = data.try_to_vec::<f32>().expect("the data were converted to f32");
    values
        .chunks_exact(height * width * 3)
        .map(|picture| {
            // A cast saturates and takes NaN to 0.
            let pixels = picture.iter().map(|value| (value * 255.0).round() as u8).collect();
            Picture::new(pixels, columns, rows).expect("a chunk is one picture")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(first: u8) -> Picture {
        Picture::new((first..first + 18).collect(), 3, 2).expect("3x2")
    }

    #[test]
    fn a_tensor_has_planes_of_rows_and_comes_back_as_the_same_pictures() {
        let pictures = [picture(0), picture(100)];
        let images = tensor_from_rgb8(&pictures, &Device::flex()).expect("same sizes");
        assert_eq!(images.dims(), [2, 3, 2, 3]);
        let values = images.to_data().try_to_vec::<f32>().expect("f32");
        // Second picture, green plane, second row, third column: byte 100 + 5 * 3 + 1.
        assert!((values[18 + 6 + 5] - 116.0 / 255.0).abs() < 1e-7);
        assert_eq!(rgb8_from_tensor(images), pictures);
    }

    #[test]
    fn values_outside_the_range_are_clamped_and_levels_rounded() {
        let values = vec![-0.5, 1.5, 100.4 / 255.0, 100.6 / 255.0, f32::NAN, 1.0];
        let images = Tensor::from_data(TensorData::new(values, [1, 3, 1, 2]), &Device::flex());
        let pictures = rgb8_from_tensor(images);
        assert_eq!(pictures[0].pixels(), [0, 100, 0, 255, 101, 255]);
    }

    #[test]
    fn pictures_of_two_sizes_are_an_error() {
        let turned = Picture::new(vec![0; 18], 2, 3).expect("2x3");
        let error = tensor_from_rgb8(&[picture(0), turned], &Device::flex());
        let Err(Error::Picture(PictureError::SizesDiffer { first, other })) = error else {
            panic!("two sizes are an error")
        };
        assert_eq!((first, other), ((3, 2), (2, 3)));
        assert!(tensor_from_rgb8(&[], &Device::flex()).is_err());
    }
}
