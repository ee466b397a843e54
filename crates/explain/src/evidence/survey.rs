//! The power of measures to separate REAL from FAKE.

use cifake::{Label, Picture};
use cifake_eval::metrics::{Bootstrap, Metric};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use serde::Serialize;

use super::{Calibration, Measure, Side, Spread, measure_all};
use crate::Error;

/// A measure whose AUC is closer to chance than this on training pictures is not used.
const LEAST_DISTANCE: f64 = 0.05;

/// The values of all measures on many pictures.
#[derive(Debug, Clone)]
pub struct Survey {
    labels: Vec<Label>,
    /// One row a picture.
    values: Vec<Vec<f64>>,
}

/// The power of a measure to separate generated pictures from camera pictures.
#[derive(Debug, Clone, Serialize)]
pub struct SurveyRow {
    /// Name of the measure.
    pub measure: String,
    /// The side on which it supports its artifact.
    pub side: Side,
    /// Probability that a FAKE picture lies further on that side than a REAL one.
    pub auc: Metric,
    /// The same without near-gray pictures, which are far more common among the FAKE ones of CIFAKE.
    pub auc_coloured: Metric,
}

impl Survey {
    /// Measures `pictures` in the current thread pool.
    ///
    /// # Panics
    ///
    /// If there is not one label a picture, or a picture has a side below 16 pixels.
    #[must_use]
    pub fn new(pictures: &[Picture], labels: &[Label]) -> Self {
        assert_eq!(pictures.len(), labels.len(), "one label a picture");
        Self { labels: labels.to_vec(), values: pictures.par_iter().map(measure_all).collect() }
    }

    /// A row for each measure. `is_grey` tells for each picture whether it is near gray.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if one of the labels is missing, with or without near-gray pictures.
    pub fn rows(&self, is_grey: &[bool], bootstrap: &Bootstrap) -> Result<Vec<SurveyRow>, Error> {
        let row = |(place, measure): (usize, Measure)| {
            let auc = |keep: &dyn Fn(usize) -> bool| {
                let kept: Vec<usize> = (0..self.labels.len()).filter(|&i| keep(i)).collect();
                let sign = if measure.side() == Side::High { 1.0 } else { -1.0 };
                let scores: Vec<f32> =
                    kept.iter().map(|&i| (sign * self.values[i][place]) as f32).collect();
                let labels: Vec<Label> = kept.iter().map(|&i| self.labels[i]).collect();
                bootstrap.measure(&scores, &labels, 0.0)?.auc.ok_or(cifake::Error::NoSamples)
            };
            Ok(SurveyRow {
                measure: measure.name().to_owned(),
                side: measure.side(),
                auc: auc(&|_| true)?,
                auc_coloured: auc(&|i| !is_grey[i])?,
            })
        };
        Measure::all().enumerate().map(row).collect()
    }

    /// The calibration by these pictures of `side` pixels. A measure is used if it separates the labels
    /// on the side on which it supports its artifact, with and without near-gray pictures.
    ///
    /// # Errors
    ///
    /// [`Error::Calibration`] if a label is missing or the tail is outside its range.
    pub fn calibration(
        &self,
        rows: &[SurveyRow],
        origin: String,
        side: u32,
        tail: f64,
    ) -> Result<Calibration, Error> {
        let spread = |(place, measure): (usize, Measure)| {
            let values = self.labels.iter().zip(&self.values);
            let values: Vec<_> = values.map(|(label, values)| (*label, values[place])).collect();
            let row = &rows[place];
            let used = row.auc.low.min(row.auc_coloured.low) > 0.5 + LEAST_DISTANCE;
            Spread::new(measure, &values, used)
        };
        let spreads = Measure::all().enumerate().map(spread).collect::<Result<_, _>>()?;
        Ok(Calibration::new(origin, side, tail, spreads)?)
    }
}
