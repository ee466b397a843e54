//! Robust accuracy over the radius of an attack.

use std::collections::BTreeMap;
use std::path::Path;

use cifake_attacks::{AttackName, RobustnessRow};
use cifake_eval::plot::{Panel, panels};

/// The attacks of `names` in a ball: place, kind and radius.
///
/// # Errors
///
/// If there is none.
pub(crate) fn kinds_with_radius(
    names: &[AttackName],
) -> anyhow::Result<Vec<(usize, &'static str, f64)>> {
    let in_ball = |(place, name): (usize, &AttackName)| {
        let radius = name.entry().norm().and(name.number())?;
        Some((place, name.entry().name, radius))
    };
    let found: Vec<_> = names.iter().enumerate().filter_map(in_ball).collect();
    anyhow::ensure!(!found.is_empty(), "a curve needs attacks with a radius, such as pgd-linf@2");
    Ok(found)
}

/// Draws a curve for each kind of attack in a ball, the two norms side by side. Every curve begins with
/// the clean accuracy at 0.
///
/// # Errors
///
/// If no attack has a radius, or the file cannot be written.
pub(crate) fn draw_sweep(
    names: &[AttackName],
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
