//! No circle of files: where file A uses an item of file B, B uses none of A, directly or through
//! others. Declarations and re-exports (`mod b;`, `pub use b::Item;`) are no uses.

mod modules;
mod paths;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anyhow::Result;

use super::exceptions::{Breach, Exceptions};
use super::tree::{Tree, Violation};

/// File -> the files whose items it uses.
type Graph = BTreeMap<String, BTreeSet<String>>;

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

/// The shortest circle of every knot: a set of files that all reach each other.
fn shortest(graph: &Graph) -> Vec<Vec<String>> {
    let mut done: BTreeSet<&String> = BTreeSet::new();
    let mut found = Vec::new();
    for file in graph.keys() {
        if done.contains(file) || path(graph, file, file).is_none() {
            continue;
        }
        let knot: Vec<&String> = graph
            .keys()
            .filter(|other| {
                path(graph, file, other).is_some() && path(graph, other, file).is_some()
            })
            .collect();
        let circles = knot.iter().filter_map(|member| path(graph, member, member));
        found.extend(circles.min_by_key(Vec::len));
        done.extend(knot);
    }
    found
}

/// The shortest path of at least one use from `from` to `to`, both ends included.
fn path(graph: &Graph, from: &str, to: &str) -> Option<Vec<String>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(file) = queue.pop_front() {
        for next in graph.get(file).into_iter().flatten() {
            if before.contains_key(next.as_str()) {
                continue;
            }
            before.insert(next, file);
            if next == to {
                return Some(back(&before, from, to));
            }
            queue.push_back(next);
        }
    }
    None
}

fn back(before: &BTreeMap<&str, &str>, from: &str, to: &str) -> Vec<String> {
    let mut path = vec![to.to_owned()];
    let mut file = to;
    while let Some(previous) = before.get(file) {
        path.push((*previous).to_owned());
        file = previous;
        if file == from {
            break;
        }
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::new();
        for (from, to) in edges {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        graph
    }

    #[test]
    fn a_tree_has_no_circle() {
        assert!(shortest(&graph(&[("a", "b"), ("a", "c"), ("b", "c")])).is_empty());
    }

    #[test]
    fn the_shortest_circle_of_a_knot_is_shown() {
        let graph = graph(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "b"), ("d", "a")]);
        assert_eq!(shortest(&graph), [["b", "c", "b"]]);
    }

    #[test]
    fn each_knot_has_its_circle() {
        let graph = graph(&[("a", "b"), ("b", "a"), ("b", "x"), ("x", "y"), ("y", "x")]);
        assert_eq!(shortest(&graph), [["a", "b", "a"], ["x", "y", "x"]]);
    }
}
