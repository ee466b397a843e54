//! Verdict, map and reasons in one call.

use cifake::{Detector, Picture, tensor_from_rgb8};
use gradcam::{Cam, Method};

use crate::{Class, Error, EvidenceExplainer, Explainer, Provenance, Report, Subject};

/// Explains the verdicts of one detector: map, artifacts, report.
///
/// ```
/// # fn explained(
/// #     detector: &cifake::Detector, photo: &cifake::Picture,
/// # ) -> Result<(), explain::Error> {
/// use explain::Analysis;
///
/// let report = Analysis::of(detector).report("photo.jpg", photo)?;
/// println!("{report}");
/// # Ok(())
/// # }
/// ```
pub struct Analysis<'a> {
    detector: &'a Detector,
    cam: Cam,
    explainer: Box<dyn Explainer + 'a>,
    class: Option<Class>,
}

impl<'a> Analysis<'a> {
    /// Explains verdicts of `detector` on its device, with maps of the default method and artifacts that
    /// measurements support.
    #[must_use]
    pub fn of(detector: &'a Detector) -> Self {
        let cam = Cam::new(Method::default());
        Self { detector, cam, explainer: Box::new(EvidenceExplainer::embedded()), class: None }
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

    /// The report on `picture`, of any size, called `name`.
    ///
    /// # Errors
    ///
    /// [`Error::Verdict`] if the detector has none; [`Error::Map`]; the error of the explainer.
    pub fn report(&self, name: &str, picture: &Picture) -> Result<Report, Error> {
        let fitted = self.detector.fitted(picture.clone()).map_err(Error::Verdict)?;
        let verdict = self.detector.detect_fitted(&fitted).map_err(Error::Verdict)?;
        let (label, p_fake, class) = (verdict.label, verdict.p_fake, self.class);
        let images = std::slice::from_ref(&fitted.picture);
        let images = tensor_from_rgb8(images, self.detector.device())?;
        let classifier = self.detector.classifier();
        let maps = || self.cam.maps(classifier, &images, &[label]);
        let map = self.detector.threads().install(maps)?.remove(0);
        let subject = Subject { picture: &fitted.picture, map: &map, label, p_fake, class };
        let explanation = self.explainer.explain(&subject)?;
        let provenance = Provenance {
            path: name.to_owned(),
            width: verdict.width,
            height: verdict.height,
            model: verdict.model,
            threshold: verdict.threshold,
            method: self.cam.method(),
        };
        let report = Report::new(provenance, &subject, explanation);
        let report = report.answering(verdict.answer, verdict.familiarity, verdict.scope);
        Ok(report.showing(picture))
    }
}
