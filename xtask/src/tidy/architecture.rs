//! The allowed imports: the table of docs/architecture.md against `cargo metadata`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

use super::tree::{Tree, Violation};
use crate::workspace::{Package, Role, Workspace};

const DOCUMENT: &str = "docs/architecture.md";

/// The heading of the table's last column, by which the table is found.
const COLUMN: &str = "may import of ours";

/// The development-only package: every library may test with it, none may ship it.
const TESTKIT: &str = "testkit";

/// The list of shared features: whoever builds may share it, no published package may need it.
const UNIFIED: &str = "unified";

/// The example whose library holds the arguments of all programs.
const COMMAND: &str = "cifake-cli";

/// Package name -> the packages of ours that it may import.
type Table = BTreeMap<String, Vec<String>>;

pub(crate) fn check(tree: &Tree) -> Result<Vec<Violation>> {
    let document = tree.texts.iter().find(|text| text.path == DOCUMENT);
    let table = table(&document.with_context(|| format!("{DOCUMENT} is missing"))?.text)?;
    Ok(violations(&table, tree.workspace))
}

/// Reads the table whose last column is headed "may import of ours".
fn table(document: &str) -> Result<Table> {
    let rows = document.lines().skip_while(|line| !line.contains(COLUMN));
    let mut table = Table::new();
    for row in rows.skip(2).take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let names = |cell: &str| -> Vec<String> {
            cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
        };
        let (Some(first), Some(last)) = (cells.first(), cells.last()) else { continue };
        let name = names(first).into_iter().next().with_context(|| format!("no name in {row}"))?;
        table.insert(name, names(last));
    }
    ensure!(!table.is_empty(), "{DOCUMENT} has no table with the column `{COLUMN}`");
    Ok(table)
}

fn violations(table: &Table, workspace: &Workspace) -> Vec<Violation> {
    let mut found = Vec::new();
    for package in &workspace.packages {
        let manifest = workspace.relative(&package.manifest_path);
        found.extend(
            breaches(table, workspace, package).map(|what| Violation::new(&manifest, what)),
        );
    }
    found
}

/// The packages of ours that `package` imports and may not.
fn breaches<'a>(
    table: &'a Table,
    workspace: &'a Workspace,
    package: &'a Package,
) -> impl Iterator<Item = String> + 'a {
    let role = workspace.role(package);
    let unlisted = (role == Role::Library && !table.contains_key(&package.name))
        .then(|| format!("{} has no row in the table of {DOCUMENT}", package.name));
    let imports = package.dependencies.iter().filter_map(move |dependency| {
        let imported = workspace.packages.iter().find(|p| p.name == dependency.name)?;
        if imported.name == UNIFIED && (role == Role::Example || !package.is_published()) {
            return None;
        }
        if [TESTKIT, UNIFIED].contains(&imported.name.as_str()) {
            let development = dependency.kind.as_deref() == Some("dev") && dependency.req == "*";
            let what = "may only be a development dependency, by path without version";
            return (!development).then(|| format!("{} {what}", imported.name));
        }
        let allowed = match role {
            Role::Library => {
                table.get(&package.name).is_some_and(|names| names.contains(&imported.name))
            }
            Role::Example => workspace.role(imported) == Role::Library || imported.name == COMMAND,
            Role::Task => false,
        };
        (!allowed).then(|| format!("{} may not import {}", package.name, imported.name))
    });
    unlisted.into_iter().chain(imports)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::tests::{package, workspace};

    const DOC: &str = "# A\n\n| package | holds | may import of ours |\n|---|---|---|\n\
                       | `cifake` | a | nothing |\n| `tinyvit` | b | `cifake`, `cifake-kernels` |\n\
                       | `testkit` | c | `cifake` |\n\n| other | table |\n";

    fn found(packages: Vec<Package>) -> Vec<String> {
        let table = table(DOC).expect("the document has a table");
        let whats = violations(&table, &workspace(packages)).into_iter();
        whats.map(|violation| violation.what).collect()
    }

    #[test]
    fn the_table_is_read_from_the_document() {
        let table = table(DOC).expect("the document has a table");
        assert_eq!(table.len(), 3);
        assert_eq!(table["tinyvit"], ["cifake", "cifake-kernels"]);
        assert!(table["cifake"].is_empty());
    }

    #[test]
    fn a_document_without_the_table_is_an_error() {
        assert!(table("# Nothing").is_err());
    }

    #[test]
    fn allowed_imports_pass() {
        let packages = vec![
            package(
                "crates/cifake",
                "cifake",
                &[("testkit", Some("dev"), "*"), ("zip", None, "^8")],
            ),
            package("crates/testkit", "testkit", &[("cifake", None, "^0.1.0")]),
            package("crates/tinyvit", "tinyvit", &[("cifake", None, "^0.1.0")]),
            package("examples/cifake", "cifake-cli", &[("tinyvit", None, "^0.1.0")]),
            package("xtask", "xtask", &[("clap", None, "^4")]),
        ];
        assert_eq!(found(packages), Vec::<String>::new());
    }

    #[test]
    fn forbidden_imports_are_named() {
        let packages = vec![
            package("crates/cifake", "cifake", &[("tinyvit", None, "^0.1.0")]),
            package("crates/tinyvit", "tinyvit", &[("testkit", None, "*")]),
            package("crates/testkit", "testkit", &[]),
            package("xtask", "xtask", &[("cifake", None, "^0.1.0")]),
            package("crates/gradcam", "gradcam", &[]),
        ];
        assert_eq!(
            found(packages),
            [
                "cifake may not import tinyvit",
                "testkit may only be a development dependency, by path without version",
                "xtask may not import cifake",
                "gradcam has no row in the table of docs/architecture.md",
            ]
        );
    }

    #[test]
    fn whoever_builds_may_share_the_list_of_features() {
        let packages = |kind| {
            vec![
                package("crates/cifake", "cifake", &[("unified", kind, "*")]),
                package("crates/unified", "unified", &[]),
                package("examples/cifake", "cifake-cli", &[("unified", None, "*")]),
            ]
        };
        assert_eq!(
            found(packages(Some("dev"))),
            ["unified has no row in the table of docs/architecture.md"]
        );
        assert_eq!(found(packages(None)).len(), 2);
    }

    #[test]
    fn testkit_with_a_version_could_not_be_published() {
        let packages = vec![
            package("crates/cifake", "cifake", &[("testkit", Some("dev"), "^0.1.0")]),
            package("crates/testkit", "testkit", &[]),
        ];
        assert_eq!(found(packages).len(), 1);
    }
}
