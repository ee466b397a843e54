//! Robust accuracy over the radius of an attack.

use std::collections::BTreeMap;
use std::path::Path;

use cifake::plot::{Panel, panels};
use cifake_attacks::RobustnessRow;

/// Of the attacks that were named `KIND@RADIUS`, with a ball in the kind: place, kind and radius.
///
/// # Errors
///
/// If there is none.
pub(crate) fn kinds_with_radius(names: &[String]) -> anyhow::Result<Vec<(usize, &str, f64)>> {
    let split = |(place, name): (usize, &'_ String)| -> Option<(usize, usize, f64)> {
        let at = name.find('@')?;
        let has_ball = name[..at].ends_with("-linf") || name[..at].ends_with("-l2");
        Some((place, at, name[at + 1..].parse().ok()?)).filter(|_| has_ball)
    };
    let found = names.iter().enumerate().filter_map(split);
    let found: Vec<_> = found.map(|(i, at, radius)| (i, &names[i][..at], radius)).collect();
    anyhow::ensure!(!found.is_empty(), "a curve needs attacks with a radius, such as pgd-linf@2");
    Ok(found)
}

/// Draws the rows of attacks that were named `KIND@RADIUS`, a curve a kind, the balls side by side;
/// every curve begins with the clean accuracy at 0.
///
/// # Errors
///
/// If no attack has a radius, or the file cannot be written.
pub(crate) fn draw_sweep(
    names: &[String],
    rows: &[RobustnessRow],
    path: &Path,
) -> anyhow::Result<()> {
    let mut curves: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for (place, kind, radius) in kinds_with_radius(names)? {
        let row = &rows[place];
        let start = || vec![(0.0, row.clean.value)];
        curves.entry(kind).or_insert_with(start).push((radius, row.robust_accuracy.value));
    }
    curves.values_mut().for_each(|points| points.sort_by(|a, b| a.0.total_cmp(&b.0)));
    let of = |ending: &str| {
        let curves = curves.iter().filter(|(kind, _)| kind.ends_with(ending));
        curves.map(|(kind, points)| (*kind, points.clone())).collect::<Vec<_>>()
    };
    let balls = [
        ("linf", "radius in levels of a byte", of("-linf")),
        ("l2", "radius in units of the range", of("-l2")),
    ];
    let balls = balls.into_iter().filter(|(_, _, curves)| !curves.is_empty());
    let panel = |(title, x, curves)| Panel { title, x, y: "robust accuracy", curves, falls: true };
    Ok(panels(&balls.map(panel).collect::<Vec<_>>(), path)?)
}
