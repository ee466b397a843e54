//! What goes into an attack and what comes out of it.

use burn::tensor::{Int, Tensor, TensorData};
use cifake::{Classifier, Differentiable, Label};
use rand::rngs::ChaCha8Rng;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use crate::random::sample_rng;
use crate::{Epsilon, Error};

/// Pictures with their true labels and an id each, from which their random draws come.
#[derive(Debug, Clone)]
pub struct Samples {
    /// `[batch, 3, height, width]`, RGB, in `[0, 1]`, on a device without autodiff.
    pub images: Tensor<4>,
    /// What each picture is.
    pub labels: Vec<Label>,
    /// A number of each picture that stays the same whatever batch it is in.
    pub ids: Vec<u64>,
}

impl Samples {
    /// # Panics
    ///
    /// If there is no picture, not one label and one id a picture, or not three channels.
    #[must_use]
    pub fn new(images: Tensor<4>, labels: Vec<Label>, ids: Vec<u64>) -> Self {
        let [batch, channels, height, width] = images.dims();
        assert!(batch > 0, "a batch holds at least one picture");
        assert!(channels == 3 && height > 0 && width > 0, "pictures are [3, height, width]");
        assert_eq!([labels.len(), ids.len()], [batch; 2], "one label and one id a picture");
        Self { images, labels, ids }
    }

    /// How many there are.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// A tensor like the images, of what `draw` makes of each sample's generator and of the number
    /// of values of a picture.
    pub(crate) fn draw(
        &self,
        seed: u64,
        restart: usize,
        draw: impl Fn(&mut ChaCha8Rng, usize) -> Vec<f32> + Sync,
    ) -> Tensor<4> {
        let dims = self.images.dims();
        let len = dims[1..].iter().product();
        let draw = |&id: &u64| draw(&mut sample_rng(seed, id, restart), len);
        let drawn: Vec<Vec<f32>> = self.ids.par_iter().map(draw).collect();
        Tensor::from_data(TensorData::new(drawn.concat(), dims), &self.images.device())
    }

    /// Those at `indices`, in this order; at least one.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        Self {
            images: rows(&self.images, indices),
            labels: indices.iter().map(|&i| self.labels[i]).collect(),
            ids: indices.iter().map(|&i| self.ids[i]).collect(),
        }
    }
}

/// A model under attack: by its gradients, by its answers, or both.
#[derive(Clone, Copy)]
pub struct Victim<'a> {
    gradients: Option<&'a dyn Differentiable>,
    answers: &'a dyn Classifier,
}

impl<'a> Victim<'a> {
    /// A model that any attack can follow.
    #[must_use]
    pub fn new(model: &'a dyn Differentiable) -> Self {
        Self { gradients: Some(model), answers: model }
    }

    /// A model of which only the answers are known.
    #[must_use]
    pub fn black_box(model: &'a dyn Classifier) -> Self {
        Self { gradients: None, answers: model }
    }

    /// Asks `faster` wherever the answer alone counts: the same function, for instance compiled.
    #[must_use]
    pub fn with_answers(self, faster: &'a dyn Classifier) -> Self {
        Self { answers: faster, ..self }
    }

    /// The model's answers alone.
    #[must_use]
    pub fn answers(&self) -> &'a dyn Classifier {
        self.answers
    }

    /// The model with its gradients, for the attack called `attack`.
    ///
    /// # Errors
    ///
    /// [`Error::NeedsGradients`] if only the answers are known.
    pub fn gradients(&self, attack: &str) -> Result<&'a dyn Differentiable, Error> {
        self.gradients.ok_or_else(|| Error::NeedsGradients { attack: attack.to_owned() })
    }
}

/// Attacked pictures and what they cost.
#[derive(Debug, Clone)]
pub struct Perturbed {
    /// `[batch, 3, height, width]`, in `[0, 1]`, in the order of the samples.
    pub images: Tensor<4>,
    /// Times that each picture, or a candidate for it, was classified without a gradient.
    pub n_queries: Vec<usize>,
    /// Times that a gradient was taken for each picture.
    pub n_gradients: Vec<usize>,
    /// Whether a search by answers turned the picture after attacks by gradients had left it.
    pub beyond_gradients: Vec<bool>,
}

impl Perturbed {
    /// Pictures that one attack found, for so many queries and gradients each.
    #[must_use]
    pub fn new(images: Tensor<4>, n_queries: Vec<usize>, n_gradients: Vec<usize>) -> Self {
        let beyond_gradients = vec![false; images.dims()[0]];
        Self { images, n_queries, n_gradients, beyond_gradients }
    }

    /// Pictures that were made without asking a model.
    #[must_use]
    pub fn unasked(images: Tensor<4>) -> Self {
        let zeros = vec![0; images.dims()[0]];
        Self::new(images, zeros.clone(), zeros)
    }
}

/// Anything that changes pictures so that a classifier errs.
///
/// The result of a sample is a function of its picture, label and id, of the model and of `seed`:
/// never of who else is in the batch. The model is evaluated and left as it is. The `Debug` form
/// holds every parameter: what was attacked otherwise is not gone on with.
pub trait Attack: std::fmt::Debug + Send + Sync {
    /// Name for tables, with the parameters that matter most.
    fn name(&self) -> String;

    /// Radius of the ball that it keeps inside, if it has one.
    fn epsilon(&self) -> Option<Epsilon> {
        None
    }

    /// Attacks each of `samples`.
    ///
    /// # Errors
    ///
    /// [`Error::NeedsGradients`] if `victim` has none and the attack follows them.
    fn perturb(
        &self,
        victim: &Victim<'_>,
        samples: &Samples,
        seed: u64,
    ) -> Result<Perturbed, Error>;
}

/// The rows of `tensor` at `indices`.
pub(crate) fn rows<const D: usize>(tensor: &Tensor<D>, indices: &[usize]) -> Tensor<D> {
    let indices: Vec<i64> = indices.iter().map(|&i| i as i64).collect();
    let len = indices.len();
    let indices = Tensor::<1, Int>::from_data(TensorData::new(indices, [len]), &tensor.device());
    tensor.clone().select(0, indices)
}

/// The values of `tensor` in row-major order.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data().convert::<f32>();
    data.try_to_vec().expect("the data were converted to f32")
}

/// One value a row, shaped to be combined with `[batch, channels, height, width]`.
pub(crate) fn column(values: Vec<f32>, like: &Tensor<4>) -> Tensor<4> {
    let shape = [values.len(), 1, 1, 1];
    Tensor::from_data(TensorData::new(values, shape), &like.device())
}

/// `chosen` in the rows where `choose` holds, `other` elsewhere.
pub(crate) fn choose_rows(choose: &[bool], chosen: Tensor<4>, other: Tensor<4>) -> Tensor<4> {
    if choose.iter().all(|&c| c) {
        return chosen;
    }
    if choose.iter().all(|&c| !c) {
        return other;
    }
    let flags = choose.iter().map(|&c| f32::from(u8::from(c))).collect();
    let mask = column(flags, &other).greater_elem(0.5).expand(other.dims());
    other.mask_where(mask, chosen)
}
