//! The detector's view of pictures, and its answers from it.

use burn::tensor::Tensor;

use super::calibration::sigmoids;
use super::{Detector, DetectorError, Verdict};
use crate::{
    Answer, Batches, Dataset, Error, Fitted, Observation, Observed, Picture, Scope,
    pixel_statistics, tensor_from_rgb8,
};

impl Detector {
    /// The detector's observations of the pictures `indices` of `dataset`, in their order. Those that cannot be
    /// decoded are left out; `progress` is told how many are done.
    ///
    /// # Errors
    ///
    /// [`DetectorError::NotFinite`]; the error of the first picture where none can be decoded.
    ///
    /// # Panics
    ///
    /// If there is no sample of an index.
    pub fn observe(
        &self,
        dataset: &dyn Dataset,
        indices: &[usize],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Observed, Error> {
        let batches =
            Batches::new(dataset, indices.to_vec(), self.batch, self.input_size(), &self.decoder);
        let (mut observed, mut first_failed, mut n_done) = (Vec::new(), None, 0);
        batches.for_each_ahead(&self.threads, |batch| -> Result<(), Error> {
            n_done += batch.pictures.len() + batch.failed.len();
            let seen = self.see(&batch.pictures.iter().collect::<Vec<_>>())?;
            let samples = batch.indices.iter().map(|&index| dataset.samples()[index].clone());
            observed.extend(samples.zip(seen));
            if first_failed.is_none() {
                first_failed = batch.failed.into_iter().next();
            }
            progress(n_done);
            Ok(())
        })?;
        match first_failed {
            Some((_, error)) if observed.is_empty() => Err(error),
            _ => Ok(observed),
        }
    }

    /// The detector's observations of pictures in memory, many at a time, in their order.
    ///
    /// # Errors
    ///
    /// As [`detect`](Self::detect), of the first picture that fails.
    pub fn observe_pictures<I>(&self, images: I) -> Result<Vec<Observation>, Error>
    where
        I: IntoIterator<Item: Into<Picture>>,
    {
        let mut fitted = images.into_iter().map(|image| self.fitted(image.into()));
        let mut seen = Vec::new();
        loop {
            let batch = fitted.by_ref().take(self.batch).collect::<Result<Vec<_>, _>>()?;
            if batch.is_empty() {
                return Ok(seen);
            }
            seen.extend(self.see(&batch.iter().collect::<Vec<_>>())?);
        }
    }

    /// The verdicts on pictures of which `seen` is what it saw, in their order.
    ///
    /// # Errors
    ///
    /// [`DetectorError::NotFinite`].
    pub fn verdicts<'a>(
        &self,
        seen: impl IntoIterator<Item = &'a Observation>,
    ) -> Result<Vec<Verdict>, Error> {
        let seen: Vec<&Observation> = seen.into_iter().collect();
        let logit = |seen: &&Observation| self.calibration.of(seen.input).logit(seen.margin());
        let probabilities = sigmoids(seen.iter().map(logit).collect());
        seen.iter().zip(probabilities).map(|(seen, p_fake)| self.verdict(seen, p_fake)).collect()
    }

    fn verdict(&self, seen: &Observation, p_fake: f32) -> Result<Verdict, Error> {
        if !p_fake.is_finite() {
            return Err(DetectorError::NotFinite { model: self.model_name.to_string() }.into());
        }
        let curve = self.calibration.of(seen.input);
        let familiarity = self.familiarity.as_ref().map(|of| of.percentile(seen));
        let is_strange = familiarity.is_some_and(|share| share < self.calibration.unfamiliar_below);
        Ok(Verdict {
            label: curve.label(p_fake),
            p_fake,
            width: seen.width,
            height: seen.height,
            input: seen.input,
            model: self.model_name.to_string(),
            threshold: curve.threshold,
            answer: if is_strange { Answer::Unsure } else { curve.answer(p_fake) },
            familiarity,
            scope: if is_strange { Scope::Unfamiliar } else { seen.input.into() },
        })
    }

    /// The verdicts of pictures of the model's size.
    pub(super) fn judge(&self, fitted: &[&Fitted]) -> Result<Vec<Verdict>, Error> {
        self.verdicts(&self.see(fitted)?)
    }

    /// The detector's observations of pictures of the model's size.
    fn see(&self, fitted: &[&Fitted]) -> Result<Vec<Observation>, Error> {
        if fitted.is_empty() {
            return Ok(Vec::new());
        }
        let pictures: Vec<Picture> = fitted.iter().map(|fitted| fitted.picture.clone()).collect();
        let [logits, features] = self.threads.install(|| -> Result<_, Error> {
            Ok(self.logits_and_features(tensor_from_rgb8(&pictures, &self.device)?))
        })?;
        if !logits.iter().chain(&features).all(|value| value.is_finite()) {
            return Err(DetectorError::NotFinite { model: self.model_name.to_string() }.into());
        }
        let dim = features.len() / fitted.len();
        let rows = logits.as_chunks::<2>().0.iter().zip(features.chunks_exact(dim));
        let of = |(fitted, (logits, features)): (&&Fitted, (&[f32; 2], &[f32]))| Observation {
            logits: *logits,
            features: features.to_vec(),
            statistics: pixel_statistics(&fitted.picture),
            input: fitted.fit,
            width: fitted.original_width,
            height: fitted.original_height,
        };
        Ok(fitted.iter().zip(rows).map(of).collect())
    }

    /// Class scores `[batch, 2]` and last features `[batch, dim]` on the host: of one look, or with the
    /// scores meaned over a second one at the mirror image.
    fn logits_and_features(&self, images: Tensor<4>) -> [Vec<f32>; 2] {
        if !self.averages_mirror {
            return self.one_look(images);
        }
        let [mirrored, _] = self.one_look(images.clone().flip([3]));
        let [mut logits, features] = self.one_look(images);
        for (logit, other) in logits.iter_mut().zip(mirrored) {
            *logit = (*logit + other) / 2.0;
        }
        [logits, features]
    }

    /// Class scores and last features of the pictures as they are.
    fn one_look(&self, images: Tensor<4>) -> [Vec<f32>; 2] {
        let (logits, embedding) = self.fastest().logits_and_embedding(images);
        [logits, embedding].map(|tensor| {
            let data = tensor.into_data().convert::<f32>();
            data.try_to_vec().expect("they were converted to f32")
        })
    }
}
