//! Agreement of the regions that an explanation states with a map.

use cifake_eval::metrics::Bootstrap;
use gradcam::{Region, RegionShare};
use serde::{Deserialize, Serialize};

use super::{Control, wrong_pictures};
use crate::{Error, Finding};

/// Shares that differ by less are equal: they are sums of rounded numbers.
const TIE: f64 = 1e-9;

/// Agreement of the stated regions with the strong regions of a map.
///
/// It does not prove a position: the map itself can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PositionAgreement {
    /// Number of findings that state a region.
    pub n: usize,
    /// Share of them whose region is among the strongest. Regions as strong as the weakest of these
    /// count, too.
    pub in_strongest: f64,
    /// Mean share of the map in the stated region; a region picked at random has 1/9.
    pub share: f64,
}

impl PositionAgreement {
    /// Compares the regions that `findings` state with the `n_strongest` of `regions`. A region that
    /// is not among `regions` is a miss.
    ///
    /// `None` if no finding states a region, or all regions are equally strong.
    #[must_use]
    pub fn new(findings: &[Finding], regions: &[RegionShare], n_strongest: usize) -> Option<Self> {
        let mut shares: Vec<f64> = regions.iter().map(|region| region.share).collect();
        shares.sort_by(|a, b| b.total_cmp(a));
        let stated: Vec<Region> = findings.iter().filter_map(|f| f.region).collect();
        let tells_apart = shares.first()? - shares.last()? > TIE || shares.len() == 1;
        if stated.is_empty() || !tells_apart {
            return None;
        }
        let weakest = shares.get(..n_strongest).map_or(shares.last(), <[f64]>::last);
        let share = |region: Region| regions.iter().find(|r| r.region == region).map(|r| r.share);
        let is_strong = |region: &&Region| {
            share(**region).zip(weakest).is_some_and(|(s, least)| s > least - TIE)
        };
        let n = stated.len();
        Some(Self {
            n,
            in_strongest: stated.iter().filter(is_strong).count() as f64 / n as f64,
            share: stated.iter().map(|region| share(*region).unwrap_or(0.0)).sum::<f64>()
                / n as f64,
        })
    }
}

/// [`PositionAgreement::in_strongest`] of findings with their pictures' maps, beside the maps of other
/// pictures. Findings without a region, and even maps, score 0.
///
/// # Errors
///
/// [`Error::ControlScores`] of fewer than two pictures.
pub fn position_control(
    pictures: &[(&[Finding], &[RegionShare])],
    n_strongest: usize,
    bootstrap: &Bootstrap,
) -> Result<Control, Error> {
    let n = pictures.len();
    if n < 2 {
        return Err(Error::ControlScores { n_matched: n, n_control: n });
    }
    let others = wrong_pictures(n, bootstrap.seed);
    let score = |i: usize, map: usize| in_strongest(pictures[i].0, pictures[map].1, n_strongest);
    let own: Vec<f64> = (0..n).map(|i| score(i, i)).collect();
    let wrong: Vec<f64> = (0..n).map(|i| score(i, others[i])).collect();
    Control::new(&own, &wrong, bootstrap)
}

/// [`PositionAgreement::in_strongest`]; 0 without a stated region, or beside an even map.
pub(super) fn in_strongest(
    findings: &[Finding],
    regions: &[RegionShare],
    n_strongest: usize,
) -> f64 {
    let found = PositionAgreement::new(findings, regions, n_strongest);
    found.map_or(0.0, |found| found.in_strongest)
}

#[cfg(test)]
mod tests {
    use gradcam::{HeatMap, regions};

    use super::*;
    use crate::quality::example::explanation;

    fn stated(names: &[Option<Region>]) -> Vec<Finding> {
        let findings: Vec<_> = names.iter().map(|name| ("Ghosting effects", *name, "")).collect();
        explanation(&findings).findings
    }

    fn agreement(names: &[Option<Region>], values: [f32; 9]) -> Option<PositionAgreement> {
        let map = HeatMap::scaled(values.into(), 3, 3);
        PositionAgreement::new(&stated(names), &regions(&map), 3)
    }

    #[test]
    fn a_stated_region_is_strong_or_not() {
        let values = [4.0, 3.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let found = agreement(&[Some(Region::TopRight), Some(Region::CenterLeft), None], values);
        let found = found.expect("two state a region");
        assert_eq!((found.n, found.in_strongest), (2, 0.5));
        assert!((found.share - 0.15).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn a_region_as_strong_as_the_last_counts_too() {
        let values = [4.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let found = agreement(&[Some(Region::CenterLeft)], values).expect("it states a region");
        assert_eq!(found.in_strongest, 1.0);
    }

    #[test]
    fn a_region_that_is_not_listed_is_a_miss() {
        let listed = [(Region::TopLeft, 0.75), (Region::TopRight, 0.25)];
        let listed = listed.map(|(region, share)| RegionShare { region, share });
        let found = PositionAgreement::new(&stated(&[Some(Region::Center)]), &listed, 1);
        let found = found.expect("it states a region");
        assert_eq!((found.in_strongest, found.share), (0.0, 0.0));
    }

    #[test]
    fn without_regions_or_a_map_there_is_nothing_to_compare() {
        assert_eq!(agreement(&[None], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]), None);
        assert_eq!(agreement(&[Some(Region::Center)], [1.0; 9]), None);
        assert_eq!(PositionAgreement::new(&stated(&[Some(Region::Center)]), &[], 3), None);
    }

    #[test]
    fn places_that_follow_the_map_beat_another_pictures_map() {
        let hot = |place: usize| {
            let values = (0..9).map(|i| f32::from(u8::from(i == place))).collect();
            regions(&HeatMap::scaled(values, 3, 3))
        };
        let maps: Vec<_> = (0..9).map(hot).collect();
        let findings: Vec<_> = Region::ALL.iter().map(|region| stated(&[Some(*region)])).collect();
        let pictures: Vec<(&[Finding], &[RegionShare])> =
            findings.iter().zip(&maps).map(|(f, m)| (&f[..], &m[..])).collect();
        let found = position_control(&pictures, 1, &Bootstrap::new(1)).expect("nine pictures");
        assert_eq!((found.matched.value, found.control.value), (1.0, 0.0));
        assert!(position_control(&pictures[..1], 1, &Bootstrap::new(1)).is_err());
    }
}
