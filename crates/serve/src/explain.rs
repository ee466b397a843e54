//! `POST /v1/explain`: verdict, map and reasons of a picture.

use std::sync::Arc;

use ::explain::{Analysis, Report};
use axum::extract::{Request, State as Of};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cifake::{Detector, error_chain};
use gradcam::Colormap;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::problem::Problem;
use crate::provenance::{Beside, Declared};
use crate::queue::Lane;
use crate::state::State;
use crate::work::{self, File};

/// The name in the report of a picture that has none.
const NAMELESS: &str = "picture";

/// The fields of an answer: those of the report, and its pictures.
#[derive(Serialize)]
struct Explained {
    #[serde(flatten)]
    report: Map<String, Value>,
    map: HeatMap,
    /// The picture as the model saw it.
    picture: String,
    /// The report in plain words.
    text: String,
    /// Present where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<Option<Declared>>,
}

#[derive(Serialize)]
struct HeatMap {
    method: &'static str,
    /// Colors whose opacity is the strength of the map, at the model's size; `None` for a flat map.
    data: Option<String>,
}

/// Answers with the report on each picture.
pub(crate) async fn explain(
    Of(state): Of<Arc<State>>,
    request: Request,
) -> Result<Response, Problem> {
    let with_provenance = work::asks_for(&request, "provenance")?;
    work::each(&state, request, |client, file| {
        let state = Arc::clone(&state);
        async move {
            let provenance = Beside::begin(with_provenance, &state, client, &file)?;
            let detector = state.detector.clone();
            let work = move || explained(&detector, &file);
            // Gradients and measurements take longer than any small picture.
            let mut explained = state.queue.add(client, Lane::Large, work)?.answer().await??;
            explained.provenance = provenance.answer().await?;
            Ok(explained)
        }
    })
    .await
}

fn explained(detector: &Detector, file: &File) -> Result<Explained, Problem> {
    let picture = detector.decoder().decode(&file.bytes)?;
    let name = file.name.as_deref().unwrap_or(NAMELESS);
    Ok(Analysis::of(detector).report(name, &picture)?.into())
}

impl From<::explain::Error> for Problem {
    fn from(error: ::explain::Error) -> Self {
        match error {
            ::explain::Error::Verdict(error) | ::explain::Error::File(error) => error.into(),
            // A detector without a map is no fault of the picture, and its text names no file.
            ::explain::Error::Map(error) => {
                Self { detail: error_chain(&error), ..Self::internal() }
            }
            _ => Self::internal(),
        }
    }
}

impl From<Report> for Explained {
    fn from(report: Report) -> Self {
        let fields = serde_json::to_value(&report).expect("texts and numbers are always JSON");
        let Value::Object(mut fields) = fields else { unreachable!("a report is an object") };
        // The item has the name, and the map has fields of its own.
        fields.remove("path");
        fields.remove("map");
        let seen = &report.picture;
        let (width, height) = (seen.width(), seen.height());
        let colors = || {
            let map = report.map.resized(height as usize, width as usize);
            let colors: Vec<u8> = map.values().iter().flat_map(|&value| rgba(value)).collect();
            png_address(&colors, width, height, ExtendedColorType::Rgba8)
        };
        Self {
            map: HeatMap {
                method: report.provenance.method.as_str(),
                data: (!report.map.is_flat()).then(colors),
            },
            picture: png_address(seen.pixels(), width, height, ExtendedColorType::Rgb8),
            text: report.to_string(),
            report: fields,
            provenance: None,
        }
    }
}

/// The color of a value of the map in `[0, 1]`, as opaque as the value is large.
fn rgba(value: f32) -> [u8; 4] {
    let [red, green, blue] = Colormap::Viridis.color(value);
    [red, green, blue, (255.0 * value).round() as u8]
}

/// Pixels as the address of a PNG that holds all of them.
fn png_address(pixels: &[u8], width: u32, height: u32, color: ExtendedColorType) -> String {
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(pixels, width, height, color)
        .expect("memory takes every byte of a picture of the stated size");
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}

#[cfg(test)]
mod tests {
    use ::explain::{Explanation, Provenance, Subject};
    use cifake::{Label, Picture};
    use gradcam::{HeatMap, Method};

    use super::*;

    fn explained(map: &HeatMap) -> Explained {
        let picture = Picture::new(vec![128; 8 * 6 * 3], 8, 6).expect("it has all its pixels");
        let (label, p_fake, class) = (Label::Fake, 0.9, None);
        let subject = Subject { picture: &picture, map, label, p_fake, class };
        let provenance = Provenance {
            path: "secret/a.png".to_owned(),
            width: 8,
            height: 6,
            model: "a model".to_owned(),
            threshold: 0.5,
            method: Method::GradCam,
        };
        Report::new(provenance, &subject, Explanation::default()).into()
    }

    #[test]
    fn a_map_is_as_opaque_as_it_is_strong_and_a_flat_one_is_left_out() {
        let map = HeatMap::scaled(vec![0.0, 1.0], 1, 2);
        let data = explained(&map).map.data.expect("it is not flat");
        let png = STANDARD.decode(data.split_once(',').expect("an address").1).expect("base64");
        let picture = image::load_from_memory(&png).expect("a PNG").to_rgba8();
        assert_eq!(picture.dimensions(), (8, 6));
        assert_eq!((picture.get_pixel(0, 3)[3], picture.get_pixel(7, 3)[3]), (0, 255));
        let flat = explained(&HeatMap::scaled(vec![0.0; 4], 2, 2));
        assert_eq!(flat.map.data, None);
        assert!(flat.report.contains_key("limits") && !flat.report.contains_key("path"));
    }
}
