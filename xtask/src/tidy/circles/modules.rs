//! The modules of every crate and which file uses an item of which other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::graph::Graph;
use super::paths::{self, Segments, Source};
use crate::tidy::tree::{Text, Tree};

/// The number of aliases that may lead to one another.
const FUEL: usize = 16;

/// One module of a crate: the file that holds it.
struct Module<'a> {
    path: &'a str,
    parent: usize,
    children: BTreeMap<String, usize>,
    source: Source,
}

/// The modules of one crate, the root first.
struct Crate<'a> {
    modules: Vec<Module<'a>>,
}

/// The uses among the files of each crate, libraries and programs alike.
pub(super) fn uses(tree: &Tree) -> Graph {
    let texts: BTreeMap<&str, &Text> = tree.rust().map(|text| (text.path.as_str(), text)).collect();
    let mut graph = Graph::new();
    for package in &tree.workspace.packages {
        let folder = tree.workspace.relative(package.folder());
        for root in ["src/lib.rs", "src/main.rs"] {
            if let Some(text) = texts.get(format!("{folder}/{root}").as_str()) {
                Crate::read(text, &texts).add_uses(&mut graph);
            }
        }
    }
    graph
}

impl<'a> Crate<'a> {
    fn read(root: &'a Text, texts: &BTreeMap<&'a str, &'a Text>) -> Self {
        let mut found = Self { modules: Vec::new() };
        found.add(root, 0, true, texts);
        found
    }

    fn add(
        &mut self,
        text: &'a Text,
        parent: usize,
        is_folder: bool,
        texts: &BTreeMap<&'a str, &'a Text>,
    ) -> usize {
        let index = self.modules.len();
        let source = paths::read(&text.lines);
        let names = source.children.clone();
        self.modules.push(Module { path: &text.path, parent, children: BTreeMap::new(), source });
        let file = Path::new(&text.path);
        let folder = if is_folder { file.with_file_name("") } else { file.with_extension("") };
        let folder = folder.to_string_lossy().trim_end_matches('/').to_owned();
        for name in names {
            let flat = texts.get(format!("{folder}/{name}.rs").as_str());
            let nested = texts.get(format!("{folder}/{name}/mod.rs").as_str());
            if let Some(child) = flat.or(nested) {
                let child = self.add(child, index, flat.is_none(), texts);
                self.modules[index].children.insert(name, child);
            }
        }
        index
    }

    fn add_uses(&self, graph: &mut Graph) {
        for (index, module) in self.modules.iter().enumerate() {
            let files: BTreeSet<String> = module
                .source
                .paths
                .iter()
                .filter_map(|path| self.holder(index, path, FUEL))
                .filter(|holder| *holder != index)
                .map(|holder| self.modules[holder].path.to_owned())
                .collect();
            graph.entry(module.path.to_owned()).or_default().extend(files);
        }
    }

    /// The module that holds the item which `path` names, seen from `from`; `None` for a module
    /// itself and for names of other crates.
    fn holder(&self, from: usize, path: &[String], fuel: usize) -> Option<usize> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.walk(0, rest, fuel),
            "self" => self.walk(from, rest, fuel),
            "super" => self.walk(self.modules[from].parent, rest, fuel),
            _ => self.named(from, first, rest, fuel, true),
        }
    }

    /// Follows `path` from inside `module`.
    fn walk(&self, module: usize, path: &[String], fuel: usize) -> Option<usize> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "super" => self.walk(self.modules[module].parent, rest, fuel),
            "*" => Some(module),
            _ => self.named(module, first, rest, fuel, false),
        }
    }

    /// Looks `name` up in `module`. A path that only begins with a local item uses nothing.
    fn named(
        &self,
        module: usize,
        name: &str,
        rest: &[String],
        fuel: usize,
        local: bool,
    ) -> Option<usize> {
        let fuel = fuel.checked_sub(1)?;
        let Module { children, source, .. } = &self.modules[module];
        if let Some(child) = children.get(name) {
            return self.walk(*child, rest, fuel);
        }
        if source.items.iter().any(|item| item == name) {
            return Some(module);
        }
        let extended = |path: &Segments| [path.as_slice(), rest].concat();
        if let Some(path) = source.aliases.get(name) {
            let itself = path.len() == 1 && path[0] == name;
            return if itself { None } else { self.holder(module, &extended(path), fuel) };
        }
        if local {
            return None;
        }
        let through = |glob: &Segments| {
            let path: Segments = glob.iter().cloned().chain([name.to_owned()]).collect();
            self.holder(module, &path, fuel)
        };
        source.globs.iter().find_map(through)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(files: &[(&str, &str)]) -> Graph {
        let texts: Vec<Text> =
            files.iter().map(|(path, source)| Text::new(*path, *source)).collect();
        let by_path: BTreeMap<&str, &Text> =
            texts.iter().map(|text| (text.path.as_str(), text)).collect();
        let mut graph = Graph::new();
        Crate::read(&texts[0], &by_path).add_uses(&mut graph);
        graph
    }

    fn uses(graph: &Graph, file: &str) -> Vec<String> {
        graph[file].iter().cloned().collect()
    }

    #[test]
    fn an_item_is_found_behind_the_re_export() {
        let graph = graph(&[
            ("s/lib.rs", "mod a;\nmod b;\npub use b::B;"),
            ("s/a.rs", "use crate::B;\nuse std::path::Path;"),
            ("s/b/mod.rs", "mod c;\npub use c::B;"),
            ("s/b/c.rs", "pub struct B;"),
        ]);
        assert_eq!(uses(&graph, "s/a.rs"), ["s/b/c.rs"]);
        assert_eq!(uses(&graph, "s/lib.rs"), Vec::<String>::new());
        assert_eq!(uses(&graph, "s/b/mod.rs"), Vec::<String>::new());
    }

    #[test]
    fn a_child_that_uses_an_item_of_its_parent_counts() {
        let graph = graph(&[
            ("s/lib.rs", "mod a;"),
            ("s/a.rs", "mod b;\nuse b::f;\npub struct A;"),
            ("s/a/b.rs", "use super::A;\npub fn f() {}"),
        ]);
        assert_eq!(uses(&graph, "s/a.rs"), ["s/a/b.rs"]);
        assert_eq!(uses(&graph, "s/a/b.rs"), ["s/a.rs"]);
    }

    #[test]
    fn a_module_that_is_imported_counts_where_its_items_are_called() {
        let graph = graph(&[
            ("s/lib.rs", "mod a;\nmod b;\nmod c;"),
            ("s/a.rs", "use crate::b;\nfn f() { b::g(); }"),
            ("s/b.rs", "pub fn g() {}"),
            ("s/c.rs", "use crate::b;"),
        ]);
        assert_eq!(uses(&graph, "s/a.rs"), ["s/b.rs"]);
        assert_eq!(uses(&graph, "s/c.rs"), Vec::<String>::new());
    }
}
