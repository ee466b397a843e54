//! No circle of files: where file A uses an item of file B, B uses none of A, directly or through
//! others. Declarations and re-exports (`mod b;`, `pub use b::Item;`) are no uses.

mod graph;
mod modules;
mod paths;

use anyhow::Result;

use self::graph::{path, shortest};
use super::exceptions::{Breach, Exceptions};
use super::tree::{Tree, Violation};

/// Circles that remain when the listed uses are taken away, the shortest of each knot.
pub(crate) fn circles(tree: &Tree) -> Result<Vec<Violation>> {
    let mut graph = modules::uses(tree);
    let list = Exceptions::of(tree, "circles")?;
    let listed: Vec<(String, String)> = list.keys().filter_map(edge).collect();
    for (from, to) in &listed {
        graph.get_mut(from).map(|uses| uses.remove(to));
    }
    let found = shortest(&graph).into_iter().map(|circle| {
        let what = format!("a circle of files: {}", circle.join(" -> "));
        Violation::new(circle[0].clone(), what)
    });
    let mut found: Vec<Violation> = found.collect();
    // A listed use is needed if it closes a circle with the others put back before it.
    let whole = modules::uses(tree);
    let mut needed = Vec::new();
    for (from, to) in listed {
        let exists = whole.get(&from).is_some_and(|uses| uses.contains(&to));
        if !exists {
            continue;
        }
        if path(&graph, &to, &from).is_some() {
            let key = format!("{from} -> {to}");
            let violation = Violation::new(from, "uses an item of a file that uses its own");
            needed.push(Breach { key, count: 1, violation });
        } else {
            graph.entry(from).or_default().insert(to);
        }
    }
    found.extend(list.judge(tree, needed)?);
    Ok(found)
}

fn edge(key: &str) -> Option<(String, String)> {
    key.split_once(" -> ").map(|(from, to)| (from.to_owned(), to.to_owned()))
}
