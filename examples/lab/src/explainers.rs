//! Explanations of the same pictures by several explainers.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use burn::tensor::Device;
use cifake::{Detector, Label, Picture, tensor_from_rgb8};
use cifake_eval::metrics::Bootstrap;
use explain::quality::{Agreement, Control, position_control};
use explain::{Artifact, Explainer, Explanation, Finding, Subject};
use gradcam::{Cam, RegionShare, regions};

/// Number of regions of a map that count as strong.
const N_STRONGEST: usize = 3;

/// The explanations of one explainer, by its name and the picture's index.
pub type Said = (String, BTreeMap<u64, Explanation>);

/// The explanations and maps of a folder of pictures.
pub struct Looked {
    /// The explanations of the pictures that are called FAKE, by index.
    pub explanations: BTreeMap<u64, Explanation>,
    /// The regions of each picture's map for FAKE, the strongest first.
    pub maps: BTreeMap<u64, Vec<RegionShare>>,
    /// Number of artifacts that are named for a gray picture with each of the maps.
    pub blank: usize,
    /// Number of pictures.
    pub n: usize,
}

/// Explains the pictures of `folder`. A picture whose name is not a number gets its place as index.
///
/// # Errors
///
/// If a picture cannot be read or explained.
pub fn look(
    detector: &Detector,
    cam: &Cam,
    explainer: &dyn Explainer,
    folder: &Path,
) -> Result<Looked> {
    let (width, height) = detector.input_size();
    let grey = Picture::new(vec![128; (width * height * 3) as usize], width, height)?;
    let files = cifake::image_files(folder)?;
    let mut looked =
        Looked { explanations: BTreeMap::new(), maps: BTreeMap::new(), blank: 0, n: files.len() };
    for (place, file) in files.iter().enumerate() {
        let number = file.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        let index = number.unwrap_or(place as u64);
        let picture = detector.decoder().read_fitted(file, width, height)?.picture;
        let verdict = detector.detect(picture.clone())?;
        let images = tensor_from_rgb8(std::slice::from_ref(&picture), &Device::flex())?;
        let map = cam.maps(detector.classifier(), &images, &[Label::Fake])?.remove(0);
        let (label, p_fake) = (verdict.label, verdict.p_fake);
        let subject = Subject { picture: &picture, map: &map, label, p_fake, class: None };
        let found = explainer.explain(&subject)?;
        if !found.findings.is_empty() {
            looked.explanations.insert(index, found);
            looked.blank +=
                explainer.explain(&Subject { picture: &grey, ..subject })?.findings.len();
        }
        looked.maps.insert(index, regions(&map));
    }
    Ok(looked)
}

/// The agreement of every two of `explainers` on the pictures of which both name artifacts; two that share fewer
/// than two pictures are left out.
///
/// # Errors
///
/// Never: there are as many lists of both.
pub fn agreements(
    explainers: &[Said],
    bootstrap: &Bootstrap,
) -> Result<Vec<(String, String, Agreement)>> {
    let mut pairs = Vec::new();
    for (place, (name, first)) in explainers.iter().enumerate() {
        for (other, second) in &explainers[place + 1..] {
            let both: Vec<u64> = first.keys().filter(|i| second.contains_key(i)).copied().collect();
            let names = |of: &Explanation| of.findings.iter().map(|f| f.artifact).collect();
            let lists = |of: &BTreeMap<u64, Explanation>| -> Vec<Vec<Artifact>> {
                both.iter().map(|index| names(&of[index])).collect()
            };
            let (ours, theirs) = (lists(first), lists(second));
            if both.len() > 1 {
                let found = Agreement::new(&ours, &theirs, bootstrap)?;
                pairs.push((name.clone(), other.clone(), found));
            }
        }
    }
    Ok(pairs)
}

/// Of each explainer that states places, how often they are among the strongest of the picture's map, beside
/// another picture's map.
///
/// # Errors
///
/// Never: at least two pictures are compared.
pub fn positions(
    explainers: &[Said],
    maps: &BTreeMap<u64, Vec<RegionShare>>,
    bootstrap: &Bootstrap,
) -> Result<Vec<(String, Control)>> {
    let mut rows = Vec::new();
    for (name, explanations) in explainers {
        let stating: Vec<(&[Finding], &[RegionShare])> = explanations
            .iter()
            .filter(|(_, explanation)| explanation.findings.iter().any(|f| f.region.is_some()))
            .filter_map(|(index, said)| Some((&said.findings[..], &maps.get(index)?[..])))
            .collect();
        if stating.len() > 1 {
            rows.push((name.clone(), position_control(&stating, N_STRONGEST, bootstrap)?));
        }
    }
    Ok(rows)
}
