//! Rule `cycles`: within a crate, files of different folders do not depend on each other in a circle.
//!
//! A node is a file. An arrow goes from a file to the file that declares what it names, in a `use` or inline, through
//! re-exports. No arrow: `mod`, a re-export of a file's own submodules, the import of a module as such, and all that is
//! compiled for tests only. A file `x.rs` with submodules belongs to the folder `x/`, as they do.

mod graph;
mod names;
mod resolve;
mod tree;

use std::collections::BTreeMap;

use super::source::{LintFinding, SourceFile};
use graph::FileGraph;
use tree::ModuleTree;

/// The crates that are read. Plugins are too small to have folders that matter.
const SCOPES: [&str; 3] = ["host/", "tests/src/", "xtask/src/"];

pub fn check(files: &[SourceFile]) -> Vec<LintFinding> {
    roots(files).flat_map(|root| check_crate(files, root)).collect()
}

/// The files that crates begin with; a library and the programs beside it are crates of their own.
fn roots(files: &[SourceFile]) -> impl Iterator<Item = usize> {
    let is_root = |path: &str| {
        let inside = SCOPES.iter().any(|scope| path.starts_with(scope));
        let (folder, _) = path.rsplit_once('/').unwrap_or_default();
        let main = path.ends_with("src/lib.rs") || path.ends_with("src/main.rs");
        inside && (main || folder.ends_with("src/bin"))
    };
    (0..files.len()).filter(move |index| files.get(*index).is_some_and(|file| is_root(&file.path)))
}

fn check_crate(files: &[SourceFile], root: usize) -> Vec<LintFinding> {
    let tree = ModuleTree::read(files, root);
    let arrows = resolve::arrows(&tree);
    let graph = FileGraph::new(arrows.keys().copied());
    let folder = |file: usize| tree.folder(files, file);
    let cycles = graph.cycles(|from, to| folder(from) != folder(to));
    cycles.iter().map(|cycle| describe(files, &arrows, cycle)).collect()
}

/// One finding with every arrow of the cycle, at the first of them.
fn describe(files: &[SourceFile], arrows: &BTreeMap<(usize, usize), usize>, cycle: &[usize]) -> LintFinding {
    let path = |file: &usize| files.get(*file).map_or("", |file| &*file.path);
    let targets = cycle.iter().skip(1).chain(cycle.first());
    let steps = cycle.iter().zip(targets).map(|(from, to)| {
        let line = arrows.get(&(*from, *to)).copied().unwrap_or_default();
        (path(from), line, path(to))
    });
    let steps: Vec<_> = steps.collect();
    let shown: Vec<_> = steps.iter().map(|(from, line, to)| format!("\n    {from}:{line} -> {to}")).collect();
    let (first, line, _) = steps.first().copied().unwrap_or_default();
    LintFinding::new(first, line, format!("these files depend on each other in a circle:{}", shown.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> = files.iter().map(|(path, text)| SourceFile::new(path, (*text).to_owned())).collect();
        check(&files).into_iter().map(|finding| finding.display("cycles")).collect()
    }

    const ROOT: (&str, &str) = ("host/src/lib.rs", "mod a; mod b;");

    #[test]
    fn a_cycle_between_files_of_different_folders_is_found_with_its_lines() {
        let found = messages(&[
            ROOT,
            ("host/src/a/mod.rs", "\nuse crate::b::Beta;\npub struct Alpha;"),
            ("host/src/b/mod.rs", "pub struct Beta;\nfn f() { crate::a::Alpha; }"),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("host/src/a/mod.rs:2: cycles: "), "{}", found[0]);
        assert!(found[0].contains("host/src/a/mod.rs:2 -> host/src/b/mod.rs"), "{}", found[0]);
        assert!(found[0].contains("host/src/b/mod.rs:2 -> host/src/a/mod.rs"), "{}", found[0]);
    }

    #[test]
    fn a_cycle_within_one_folder_is_allowed() {
        let file = ("host/src/a.rs", "mod c; use c::Gamma; pub struct Alpha;");
        let child = ("host/src/a/c.rs", "use super::Alpha; pub struct Gamma;");
        assert!(messages(&[ROOT, file, child, ("host/src/b.rs", "")]).is_empty());
    }

    #[test]
    fn a_cycle_through_a_re_export_is_found_and_the_re_export_itself_is_no_arrow() {
        let facade = ("host/src/a/mod.rs", "mod c; pub use c::Gamma;");
        let child = ("host/src/a/c.rs", "use crate::b::Beta; pub struct Gamma;");
        let found = messages(&[ROOT, facade, child, ("host/src/b/mod.rs", "use crate::a::Gamma; pub struct Beta;")]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("host/src/b/mod.rs:1 -> host/src/a/c.rs"), "{}", found[0]);
        let harmless = ("host/src/a/c.rs", "pub struct Gamma;");
        let other = ("host/src/b/mod.rs", "use crate::a::Gamma; pub struct Beta;");
        assert!(messages(&[ROOT, facade, harmless, other]).is_empty());
    }

    #[test]
    fn a_path_behind_an_imported_module_and_one_in_a_macro_are_arrows() {
        let found = messages(&[
            ROOT,
            ("host/src/a/mod.rs", "use crate::b; fn f() { b::g() } pub fn h() {}"),
            ("host/src/b/mod.rs", "pub fn g() { assert!(crate::a::h() == ()); }"),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn tests_and_the_mere_import_of_a_module_are_no_arrows() {
        let other = ("host/src/b/mod.rs", "pub struct Beta; pub fn g() {}");
        let users =
            ["use crate::b::Beta;", "#[cfg(test)] mod tests { use crate::a::Alpha; } use crate::b; pub struct Alpha;"];
        let back = ("host/src/b/mod.rs", "#[cfg(test)] mod tests { use crate::a::Alpha; } pub struct Beta;");
        assert!(messages(&[ROOT, ("host/src/a/mod.rs", users[0]), back]).is_empty());
        assert!(messages(&[ROOT, ("host/src/a/mod.rs", users[1]), other]).is_empty());
    }
}
