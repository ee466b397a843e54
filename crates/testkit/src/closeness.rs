//! When two tensors count as equal.

use burn::tensor::Tensor;

/// `max |ours - theirs| / max |theirs|`: what every tolerance of the workspace is measured in.
///
/// NaN where either tensor holds one, so that no limit accepts it; an all-zero `theirs` divides by 1.
///
/// # Panics
///
/// If the shapes differ.
#[must_use]
pub fn relative_difference<const D: usize>(ours: &Tensor<D>, theirs: &Tensor<D>) -> f32 {
    Worst::between(ours, theirs, "the tensors").relative()
}

/// Fails unless `ours` is within `relative` of `theirs`, relative to the largest `|theirs|`.
///
/// `what` names the tensor; the message gives the worst element's index, both values, the difference
/// and the limit. Called stage by stage, the first failure is the first wrong stage.
///
/// # Panics
///
/// If the shapes differ, a value is NaN, or the difference is above the limit.
pub fn assert_close<const D: usize>(
    ours: &Tensor<D>,
    theirs: &Tensor<D>,
    relative: f32,
    what: &str,
) {
    let worst = Worst::between(ours, theirs, what);
    let limit = relative * worst.scale;
    assert!(
        worst.difference <= limit,
        "{what} is wrong at {:?}: ours {}, theirs {}, difference {}, limit {limit}",
        worst.index,
        worst.ours,
        worst.theirs,
        worst.difference,
    );
}

/// The element at which two tensors differ most.
struct Worst {
    index: Vec<usize>,
    ours: f32,
    theirs: f32,
    difference: f32,
    scale: f32,
}

impl Worst {
    fn between<const D: usize>(ours: &Tensor<D>, theirs: &Tensor<D>, what: &str) -> Self {
        let dims = ours.dims();
        assert_eq!(dims, theirs.dims(), "{what}: ours has another shape than theirs");
        let [ours, theirs] = [values(ours), values(theirs)];
        let difference = |i: usize| match (ours[i] - theirs[i]).abs() {
            // NaN sorts last, so that it is what is reported; equal infinities are equal.
            _ if ours[i] == theirs[i] => 0.0,
            difference if difference.is_nan() => f32::NAN,
            difference => difference,
        };
        let worst = (0..ours.len())
            .max_by(|&a, &b| difference(a).total_cmp(&difference(b)))
            .unwrap_or_else(|| panic!("{what}: the tensors are empty"));
        let largest = theirs.iter().fold(0.0f32, |max, x| max.max(x.abs()));
        Self {
            index: index(worst, &dims),
            ours: ours[worst],
            theirs: theirs[worst],
            difference: difference(worst),
            scale: if largest > 0.0 { largest } else { 1.0 },
        }
    }

    fn relative(&self) -> f32 {
        self.difference / self.scale
    }
}

fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    let data = tensor.clone().into_data().convert::<f32>();
    data.try_to_vec().expect("the data were converted to f32")
}

fn index(mut offset: usize, dims: &[usize]) -> Vec<usize> {
    let mut index = vec![0; dims.len()];
    for (place, size) in index.iter_mut().zip(dims).rev() {
        *place = offset % size;
        offset /= size;
    }
    index
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn tensor(values: [[f32; 3]; 2]) -> Tensor<2> {
        Tensor::from_floats(values, &Device::flex())
    }

    #[test]
    fn difference_is_relative_to_the_largest_value() {
        let theirs = tensor([[0.0, 0.0, 1.0], [0.0, -10.0, 0.0]]);
        let ours = tensor([[0.5, 0.0, 1.0], [0.0, -10.0, 0.0]]);
        assert_eq!(relative_difference(&ours, &theirs), 0.05);
        assert_close(&ours, &theirs, 0.05, "a close one");
    }

    #[test]
    #[should_panic(
        expected = "stage 2 is wrong at [1, 2]: ours 2, theirs 4, difference 2, limit 0.4"
    )]
    fn failure_names_the_worst_element() {
        let theirs = tensor([[0.0, 1.0, 2.0], [3.0, -4.0, 4.0]]);
        let ours = tensor([[0.0, 1.5, 2.0], [3.0, -4.0, 2.0]]);
        assert_close(&ours, &theirs, 0.1, "stage 2");
    }

    #[test]
    #[should_panic(expected = "wrong at [0, 1]: ours NaN")]
    fn a_nan_is_never_close() {
        let theirs = tensor([[0.0, 1.0, 2.0], [3.0, -4.0, 5.0]]);
        let ours = tensor([[0.0, f32::NAN, 2.0], [3.0, -4.0, 5.0]]);
        assert_close(&ours, &theirs, 1e9, "a broken one");
    }

    #[test]
    #[should_panic(expected = "another shape")]
    fn shapes_must_agree() {
        let ours = tensor([[0.0; 3]; 2]);
        assert_close(&ours.clone().swap_dims(0, 1), &ours, 1.0, "a turned one");
    }
}
