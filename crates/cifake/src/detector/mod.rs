//! A picture goes in, a verdict comes out.

mod answers;
mod builder;
mod calibration;
mod error;
mod input;
mod mirror;
mod observe;
mod summary;
mod table;
mod verdict;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use burn::tensor::Device;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::weights::WeightsInfo;
use crate::{
    DecodeLimits, Decoder, EmbeddingClassifier, Error, Familiarity, Fitted, InputFit, Network,
    Picture, PictureError, Threads,
};
use calibration::Calibration;

pub use answers::{Answers, save_with_answers, uncalibrated};
pub use builder::DetectorBuilder;
pub use calibration::Curve;
pub use error::DetectorError;
pub use input::Input;
pub use summary::Summary;
pub use table::{json_line, json_line_with, table_header, table_row};
pub use verdict::Verdict;

/// A trained model that judges pictures, from image to verdict.
///
/// It works in a pool of [`Threads`], with one thread a core unless the [`builder`](Self::builder) is told
/// otherwise, and never in the host's. It can be shared between threads; a clone is cheap and shares weights, threads
/// and the decoder's budget.
///
/// On the CPU it judges by the compiled form of its [`Network`], on other devices by the network itself.
///
/// A picture of the model's size (32x32 for the shipped one) is judged pixel by pixel. Any other is
/// resized as a whole, without regard to its aspect ratio, as [`Picture::fitted`] says; [`Verdict::input`] tells
/// which it was.
///
/// If the weight file says how, [`Verdict::answer`] is UNSURE for pictures that are too close to call, and
/// for those that are unlike all that the model was trained on, see [`Familiarity`].
#[derive(Clone)]
pub struct Detector {
    network: Arc<dyn Network>,
    /// The compiled plan that judges pictures on the CPU; other devices run the network itself.
    plan: Option<Arc<dyn EmbeddingClassifier>>,
    device: Device,
    threads: Threads,
    decoder: Decoder,
    calibration: Calibration,
    averages_mirror: bool,
    familiarity: Option<Arc<Familiarity>>,
    weights: Arc<WeightsInfo>,
    model_name: Arc<str>,
    /// Pictures that go through the network together.
    batch: usize,
}

impl std::fmt::Debug for Detector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (model, device) = (&self.model_name, &self.device);
        let mut fields = f.debug_struct("Detector");
        fields.field("model", model).field("device", device).finish_non_exhaustive()
    }
}

const _: () = {
    const fn assert_shareable<T: Send + Sync + Clone>() {}
    assert_shareable::<Detector>();
};

impl Detector {
    /// Calls a picture of any size FAKE from this probability on, in `[0, 1]`.
    ///
    /// # Errors
    ///
    /// [`DetectorError::Threshold`] for any other number.
    pub fn with_threshold(mut self, threshold: f32) -> Result<Self, Error> {
        self.calibration = self.calibration.with_threshold(threshold)?;
        Ok(self)
    }

    /// Accepts image files within `limits`, with an allocation budget of its own.
    #[must_use]
    pub fn with_limits(mut self, limits: DecodeLimits) -> Self {
        self.decoder = Decoder::new(limits);
        self
    }

    /// The name of `input`, and its picture brought to the model's size.
    pub fn fit(&self, input: Input) -> (String, Result<Fitted, Error>) {
        input.fitted(&self.decoder, self.input_size())
    }

    /// The network, for attacks and class activation maps: its logits are before calibration.
    #[must_use]
    pub fn classifier(&self) -> &Arc<dyn Network> {
        &self.network
    }

    /// The device on which it computes.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The name of the model in verdicts: [`Network::name`] and the first digits of the weight file's SHA-256,
    /// such as `tinyvit-native@0123abcd`.
    #[must_use]
    pub fn model_name(&self) -> &str {
        &self.model_name
    }

    /// The weight file's SHA-256, size and metadata: recipe, calibration, figures.
    #[must_use]
    pub fn weights(&self) -> &WeightsInfo {
        &self.weights
    }

    /// The probability from which on a picture of the model's size is called FAKE;
    /// [`Verdict::threshold`] says it of each picture.
    #[must_use]
    pub fn threshold(&self) -> f32 {
        self.calibration.native.threshold
    }

    /// The calibration of pictures that were brought to the model's size as `fit` says.
    #[must_use]
    pub fn curve(&self, fit: InputFit) -> &Curve {
        self.calibration.of(fit)
    }

    /// The training pictures as the model saw them, where the weight file knows them.
    #[must_use]
    pub fn familiarity(&self) -> Option<&Familiarity> {
        self.familiarity.as_deref()
    }

    /// The threads in which it decodes and computes.
    #[must_use]
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// The door through which it reads image files.
    #[must_use]
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Width and height of the pictures that the model sees, in pixels.
    #[must_use]
    pub fn input_size(&self) -> (u32, u32) {
        self.network.input_size()
    }

    /// Pictures that go through the network together, at most: as many as fit into its memory.
    #[must_use]
    pub fn batch_size(&self) -> usize {
        self.batch
    }

    /// Judges a picture in memory: a `DynamicImage`, `RgbImage` or [`Picture`], given or lent.
    ///
    /// # Errors
    ///
    /// [`PictureError::NoPixels`] for a picture with an empty side; [`DetectorError::NotFinite`].
    pub fn detect(&self, image: impl Into<Picture>) -> Result<Verdict, Error> {
        self.judge_one(&self.fitted(image.into())?)
    }

    /// Judges an encoded picture: PNG, JPEG, WebP, BMP or GIF.
    ///
    /// # Errors
    ///
    /// As [`Decoder::decode`], of bytes that are no such picture within the limits.
    pub fn detect_bytes(&self, bytes: &[u8]) -> Result<Verdict, Error> {
        let (width, height) = self.input_size();
        let fitted = self.decoder.decode_fitted(bytes, width, height)?;
        self.judge_one(&fitted)
    }

    /// Judges the picture in the file at `path`.
    ///
    /// # Errors
    ///
    /// As [`detect_bytes`](Self::detect_bytes), naming the file.
    pub fn detect_path(&self, path: impl AsRef<Path>) -> Result<Verdict, Error> {
        let (width, height) = self.input_size();
        let fitted = self.decoder.read_fitted(path.as_ref(), width, height)?;
        self.judge_one(&fitted)
    }

    /// The picture brought to the model's size, with its own size beside it.
    ///
    /// # Errors
    ///
    /// [`PictureError::NoPixels`] for a picture with an empty side.
    pub fn fitted(&self, picture: Picture) -> Result<Fitted, Error> {
        let (original_width, original_height) = (picture.width(), picture.height());
        if original_width == 0 || original_height == 0 {
            let (width, height) = (original_width, original_height);
            return Err(PictureError::NoPixels { width, height }.into());
        }
        let (width, height) = self.input_size();
        let (picture, fit) = picture.fitted(width, height);
        Ok(Fitted { picture, fit, original_width, original_height })
    }

    /// Judges a picture that was brought to the model's size, as what it was before.
    ///
    /// # Errors
    ///
    /// [`DetectorError::NotFinite`].
    ///
    /// # Panics
    ///
    /// If it has another size than the model's.
    pub fn detect_fitted(&self, picture: &Fitted) -> Result<Verdict, Error> {
        self.judge_one(picture)
    }

    /// Judges pictures that were brought to the model's size, in one pass of the model, as what they were before. The
    /// verdicts are in their order. More pictures than [`batch_size`](Self::batch_size) may not fit into memory.
    ///
    /// # Errors
    ///
    /// [`DetectorError::NotFinite`], of all pictures together.
    ///
    /// # Panics
    ///
    /// If one has another size than the model's.
    pub fn detect_fitted_batch(&self, pictures: &[&Fitted]) -> Result<Vec<Verdict>, Error> {
        self.judge(pictures)
    }

    /// Judges 8-bit RGB `pixels`, row by row, `height * width * 3` bytes.
    ///
    /// # Errors
    ///
    /// [`PictureError::PixelCount`] for another number of bytes or an empty side.
    pub fn detect_rgb8(&self, pixels: &[u8], width: u32, height: u32) -> Result<Verdict, Error> {
        self.detect(Picture::new(pixels.to_vec(), width, height)?)
    }

    /// Judges pictures in memory, many at a time; the verdicts are in their order.
    ///
    /// # Errors
    ///
    /// As [`detect`](Self::detect), of the first picture that fails.
    pub fn detect_batch<I>(&self, images: I) -> Result<Vec<Verdict>, Error>
    where
        I: IntoIterator<Item: Into<Picture>>,
    {
        let mut fitted = images.into_iter().map(|image| self.fitted(image.into()));
        let mut verdicts = Vec::new();
        loop {
            let batch = fitted.by_ref().take(self.batch).collect::<Result<Vec<_>, _>>()?;
            if batch.is_empty() {
                return Ok(verdicts);
            }
            verdicts.extend(self.judge(&batch.iter().collect::<Vec<_>>())?);
        }
    }

    /// Judges `inputs` (paths, or whatever [`Input`] says) and calls `each` with the name and the
    /// answer of every one, in their order; one that fails does not keep the others from an answer.
    ///
    /// Files are read and decoded while the pictures before them are judged. Three batches are in
    /// memory at a time, however many inputs there are.
    ///
    /// # Errors
    ///
    /// The first error of `each`, which ends the work.
    pub fn detect_each<I, E>(
        &self,
        inputs: I,
        mut each: impl FnMut(&str, Result<Verdict, Error>) -> Result<(), E>,
    ) -> Result<(), E>
    where
        I: IntoIterator<Item: Into<Input>, IntoIter: Send>,
    {
        let mut inputs = inputs.into_iter();
        let (sender, receiver) = sync_channel(1);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                loop {
                    let batch: Vec<Input> =
                        inputs.by_ref().take(self.batch).map(Into::into).collect();
                    if batch.is_empty() || sender.send(self.decode_all(batch)).is_err() {
                        break;
                    }
                }
            });
            // Owned here, so that an early return hangs up and the sender ends.
            for batch in receiver {
                for (name, outcome) in self.judge_decoded(batch) {
                    each(&name, outcome)?;
                }
            }
            Ok(())
        })
    }

    fn decode_all(&self, inputs: Vec<Input>) -> Vec<(String, Result<Fitted, Error>)> {
        let decode = |input: Input| input.fitted(&self.decoder, self.input_size());
        self.threads.install(|| inputs.into_par_iter().map(decode).collect())
    }

    /// The verdicts of those that were decoded and the errors of the rest, in their order.
    fn judge_decoded(
        &self,
        batch: Vec<(String, Result<Fitted, Error>)>,
    ) -> Vec<(String, Result<Verdict, Error>)> {
        let pictures: Vec<&Fitted> =
            batch.iter().filter_map(|(_, fitted)| fitted.as_ref().ok()).collect();
        let verdicts = match self.judge(&pictures) {
            Ok(verdicts) => verdicts.into_iter().map(Ok).collect(),
            // One picture at a time, so that each has its own answer.
            Err(_) => pictures.iter().map(|picture| self.judge_one(picture)).collect::<Vec<_>>(),
        };
        let mut verdicts = verdicts.into_iter();
        let mut verdict = || verdicts.next().expect("one verdict for one picture");
        batch.into_iter().map(|(name, fitted)| (name, fitted.and_then(|_| verdict()))).collect()
    }

    fn judge_one(&self, picture: &Fitted) -> Result<Verdict, Error> {
        let verdicts = self.judge(&[picture])?;
        Ok(verdicts.into_iter().next().expect("one verdict for one picture"))
    }
}
