//! Files and the files whose items they use.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// File -> the files whose items it uses.
pub(super) type Graph = BTreeMap<String, BTreeSet<String>>;

/// The shortest circle of every knot: a set of files that all reach each other.
pub(super) fn shortest(graph: &Graph) -> Vec<Vec<String>> {
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
pub(super) fn path(graph: &Graph, from: &str, to: &str) -> Option<Vec<String>> {
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
