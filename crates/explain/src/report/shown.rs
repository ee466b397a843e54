//! A report as a page shows it: the fields of its JSON, and its pictures.

use gradcam::Colormap;
use image::ExtendedColorType;
use serde::Serialize;
use serde_json::{Map, Value};

use super::content::Report;
use crate::png::colored_png_base64;

/// A report with its pictures as addresses of PNGs: the shape in which a page gets it as JSON.
///
/// Its fields are those of [`Report::json`] without `path`, and `picture`, as the model saw it, and `text`, the report in
/// plain words. `map` has `method` and `data`: colors whose opacity is the strength of the map, at the
/// model's size, or `null` for a flat map.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShownReport {
    #[serde(flatten)]
    report: Map<String, Value>,
    map: ShownMap,
    picture: String,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct ShownMap {
    method: &'static str,
    data: Option<String>,
}

impl From<Report> for ShownReport {
    fn from(report: Report) -> Self {
        // By way of a text, in which a probability has the digits of an f32 and no more.
        let fields = serde_json::to_string(&report).expect("texts and numbers are always JSON");
        let mut fields: Map<String, Value> =
            serde_json::from_str(&fields).expect("a report is an object");
        // A page knows the name of its file, and the map has fields of its own.
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
            map: ShownMap { method: report.method(), data: (!report.map.is_flat()).then(colors) },
            picture: png_address(seen.pixels(), width, height, ExtendedColorType::Rgb8),
            text: report.to_string(),
            report: fields,
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
    format!("data:image/png;base64,{}", colored_png_base64(pixels, width, height, color))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use cifake::{Label, Picture};
    use gradcam::{HeatMap, Method};

    use super::*;
    use crate::{Explanation, Provenance, Subject};

    fn shown(map: &HeatMap) -> ShownReport {
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
        let data = shown(&map).map.data.expect("it is not flat");
        let png = STANDARD.decode(data.split_once(',').expect("an address").1).expect("base64");
        let picture = image::load_from_memory(&png).expect("a PNG").to_rgba8();
        assert_eq!(picture.dimensions(), (8, 6));
        assert_eq!((picture.get_pixel(0, 3)[3], picture.get_pixel(7, 3)[3]), (0, 255));
        let flat = shown(&HeatMap::scaled(vec![0.0; 4], 2, 2));
        assert_eq!(flat.map.data, None);
        assert!(flat.report.contains_key("limits") && !flat.report.contains_key("path"));
    }
}
