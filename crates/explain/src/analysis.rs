//! Verdict, map and reasons in one call.

use burn::tensor::Device;
use cifake::{Answer, FeatureClassifier, Fitted, Label, Picture, Scope, tensor_from_rgb8};
use gradcam::{Cam, Method};

use crate::{Class, Error, EvidenceExplainer, Explainer, Provenance, Report, Subject};

/// A detector's verdict on one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgment {
    /// REAL or FAKE.
    pub label: Label,
    /// Probability that the picture is FAKE, 0 to 1.
    pub p_fake: f32,
    /// Name of the model.
    pub model: String,
    /// Probability from which on a picture is called FAKE.
    pub threshold: f32,
    /// The label, or UNSURE.
    pub answer: Answer,
    /// Share of pictures like those of the training that are less familiar, in percent, if known.
    pub familiarity: Option<f32>,
    /// The basis of the answer.
    pub scope: Scope,
}

/// Explains the verdicts of one detector: map, artifacts, report.
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// # use cifake::{Answer, Classifier, Differentiable, FeatureClassifier, Label, Layer, Scope};
/// use cifake::Picture;
/// use explain::{Analysis, Judgment};
///
/// # struct Network(Layer);
/// # impl Classifier for Network {
/// #     fn logits(&self, images: Tensor<4>) -> Tensor<2> { self.head(self.features(images, &self.0), &self.0) }
/// # }
/// # impl Differentiable for Network {}
/// # impl FeatureClassifier for Network {
/// #     fn layers(&self) -> &[Layer] { std::slice::from_ref(&self.0) }
/// #     fn features(&self, images: Tensor<4>, _: &Layer) -> Tensor<4> { images }
/// #     fn head(&self, x: Tensor<4>, _: &Layer) -> Tensor<2> {
/// #         let batch = x.dims()[0];
/// #         let z = x.reshape([batch as i32, -1]).mean_dim(1);
/// #         Tensor::cat(vec![z.zeros_like(), z], 1)
/// #     }
/// # }
/// # let network = Network(Layer { name: "pixels".to_owned(), channels: 3, height: 32, width: 32 });
/// # let judge = |_: &cifake::Fitted| Ok::<_, std::io::Error>(Judgment {
/// #     label: Label::Fake, p_fake: 0.97, model: "a model".to_owned(), threshold: 0.5,
/// #     answer: Answer::Fake, familiarity: None, scope: Scope::Resized,
/// # });
/// # let photo = Picture::new((0..640 * 480 * 3).map(|at| (at % 251) as u8).collect(), 640, 480)?;
/// // `network` is the detector's network for 32x32 pixels, `judge` its verdict on a picture.
/// let analysis = Analysis::new(&network, (32, 32), &Device::flex());
/// let report = analysis.report("photo.jpg", &photo, judge)?;
/// println!("{report}");
/// # assert!(report.to_string().starts_with("FAKE: photo.jpg"));
/// # assert_eq!((report.shown().width(), report.shown().height()), (640, 480));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Analysis<'a> {
    network: &'a dyn FeatureClassifier,
    input_size: (u32, u32),
    device: Device,
    cam: Cam,
    explainer: Box<dyn Explainer + 'a>,
    class: Option<Class>,
}

impl<'a> Analysis<'a> {
    /// Explains verdicts of `network`, which sees pictures of `input_size` (width, height) and
    /// computes on `device`: with maps of the default method, and artifacts named by measurements.
    #[must_use]
    pub fn new(
        network: &'a dyn FeatureClassifier,
        input_size: (u32, u32),
        device: &Device,
    ) -> Self {
        let (cam, device) = (Cam::new(Method::default()), device.clone());
        let explainer = Box::new(EvidenceExplainer::embedded());
        Self { network, input_size, device, cam, explainer, class: None }
    }

    /// Makes the maps by `cam` instead.
    #[must_use]
    pub fn with_cam(self, cam: Cam) -> Self {
        Self { cam, ..self }
    }

    /// Lets `explainer` name the artifacts instead.
    #[must_use]
    pub fn with_explainer(self, explainer: impl Explainer + 'a) -> Self {
        Self { explainer: Box::new(explainer), ..self }
    }

    /// Names only artifacts that a picture of `class` can have.
    #[must_use]
    pub fn with_class(self, class: Option<Class>) -> Self {
        Self { class, ..self }
    }

    /// The report on `picture`, of any size, called `name`. `judge` gives the detector's verdict on
    /// the picture, fitted to the network's input size.
    ///
    /// # Errors
    ///
    /// [`Error::Verdict`] with the error of `judge`; [`Error::Map`]; the error of the explainer.
    pub fn report<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        &self,
        name: &str,
        picture: &Picture,
        judge: impl FnOnce(&Fitted) -> Result<Judgment, E>,
    ) -> Result<Report, Error> {
        let (width, height) = self.input_size;
        let (original_width, original_height) = (picture.width(), picture.height());
        let (seen, fit) = picture.clone().fitted(width, height);
        let fitted = Fitted { picture: seen, fit, original_width, original_height };
        let verdict = judge(&fitted).map_err(|error| Error::Verdict(error.into()))?;
        let Judgment { label, p_fake, model, threshold, .. } = verdict;
        let images = tensor_from_rgb8(std::slice::from_ref(&fitted.picture), &self.device)?;
        let map = self.cam.maps(self.network, &images, &[label])?.remove(0);
        let class = self.class;
        let subject = Subject { picture: &fitted.picture, map: &map, label, p_fake, class };
        let explanation = self.explainer.explain(&subject)?;
        let provenance = Provenance {
            path: name.to_owned(),
            width: original_width,
            height: original_height,
            model,
            threshold,
            method: self.cam.method(),
        };
        let report = Report::new(provenance, &subject, explanation);
        let report = report.answering(verdict.answer, verdict.familiarity, verdict.scope);
        Ok(report.showing(picture))
    }
}
