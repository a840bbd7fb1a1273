//! Rule `type-names`: a type name that other modules can see stands for one type. In the main workspace (`host/`,
//! `tests/src/`, `xtask/src/`) it is unique; in `plugins/` it is unique within each plugin and the SDK together.
//!
//! Private types, types of tests, associated types and what macros make do not count.

use std::collections::BTreeMap;

use syn::{Ident, Item, Visibility};

use super::source::{LintFinding, SourceFile};
use super::syntax::{attributes, is_test_only, line};

const SDK: &str = "plugins/sdk/";

/// Where a name is declared.
struct Declaration<'a> {
    name: String,
    path: &'a str,
    line: usize,
}

pub fn check(files: &[SourceFile]) -> Vec<LintFinding> {
    let scopes = ["host/", "tests/src/", "xtask/src/"];
    let main = files.iter().filter(|file| scopes.iter().any(|scope| file.path.starts_with(scope)));
    let mut found = repeated(main.flat_map(declarations));
    let sdk = || files.iter().filter(|file| file.path.starts_with(SDK));
    found.extend(repeated(sdk().flat_map(declarations)));
    for plugin in plugins(files) {
        let own = files.iter().filter(|file| file.path.starts_with(&plugin));
        let declared = sdk().chain(own).flat_map(declarations);
        // What the SDK has twice was reported once.
        found.extend(repeated(declared).into_iter().filter(|finding| finding.path.starts_with(&plugin)));
    }
    found
}

/// The folders of the plugins, each with `/` at its end.
fn plugins(files: &[SourceFile]) -> Vec<String> {
    let manifests = files.iter().filter(|file| file.in_plugins() && file.path.ends_with("/Cargo.toml"));
    let folders = manifests.filter_map(|file| file.path.strip_suffix("Cargo.toml"));
    folders.filter(|folder| *folder != SDK && *folder != "plugins/").map(str::to_owned).collect()
}

/// One finding for each declaration but the first of a name.
fn repeated<'a>(declarations: impl Iterator<Item = Declaration<'a>>) -> Vec<LintFinding> {
    let mut first: BTreeMap<String, (&str, usize)> = BTreeMap::new();
    let mut found = Vec::new();
    for Declaration { name, path, line } in declarations {
        if let Some((other, other_line)) = first.get(&name) {
            found.push(LintFinding::new(path, line, format!("`{name}` is also declared at {other}:{other_line}")));
        } else {
            first.insert(name, (path, line));
        }
    }
    found
}

fn declarations(file: &SourceFile) -> Vec<Declaration<'_>> {
    let mut declared = Vec::new();
    if let Some(syntax) = file.syntax.as_ref().filter(|_| !file.is_test()) {
        collect(&syntax.items, &file.path, &mut declared);
    }
    declared
}

fn collect<'a>(items: &[Item], path: &'a str, declared: &mut Vec<Declaration<'a>>) {
    for item in items.iter().filter(|item| !is_test_only(attributes(item))) {
        if let Item::Mod(module) = item {
            let (_, items) = module.content.as_ref().map_or((None, &[][..]), |(brace, items)| (Some(brace), items));
            collect(items, path, declared);
        } else if let Some((visibility, name)) = type_of(item)
            && !matches!(visibility, Visibility::Inherited)
        {
            declared.push(Declaration { name: name.to_string(), path, line: line(name.span()) });
        }
    }
}

fn type_of(item: &Item) -> Option<(&Visibility, &Ident)> {
    match item {
        Item::Enum(item) => Some((&item.vis, &item.ident)),
        Item::Struct(item) => Some((&item.vis, &item.ident)),
        Item::Trait(item) => Some((&item.vis, &item.ident)),
        Item::TraitAlias(item) => Some((&item.vis, &item.ident)),
        Item::Type(item) => Some((&item.vis, &item.ident)),
        Item::Union(item) => Some((&item.vis, &item.ident)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<(String, usize)> {
        let files: Vec<_> = files.iter().map(|(path, text)| SourceFile::new(path, (*text).to_owned())).collect();
        check(&files).into_iter().map(|finding| (finding.path, finding.line)).collect()
    }

    #[test]
    fn a_name_in_two_crates_of_the_main_workspace_is_found_whatever_its_kind() {
        let two = [("host/a/src/lib.rs", "pub struct Engine;"), ("xtask/src/b.rs", "\npub(crate) enum Engine {}")];
        assert_eq!(found(&two), [("xtask/src/b.rs".to_owned(), 2)]);
        let nested = [("host/a/src/lib.rs", "pub struct Engine; mod b { pub(super) type Engine = u8; }")];
        assert_eq!(found(&nested).len(), 1);
    }

    #[test]
    fn private_types_types_of_tests_and_associated_types_do_not_count() {
        let first = ("host/a/src/lib.rs", "pub struct Engine;");
        assert!(found(&[first, ("host/a/src/b.rs", "struct Engine;")]).is_empty());
        assert!(found(&[first, ("host/a/src/b.rs", "#[cfg(test)] mod tests { pub struct Engine; }")]).is_empty());
        assert!(found(&[first, ("host/a/tests/b.rs", "pub struct Engine;")]).is_empty());
        assert!(found(&[first, ("host/a/src/b.rs", "impl A for B { type Engine = u8; }")]).is_empty());
    }

    #[test]
    fn a_plugin_shares_names_with_other_plugins_but_not_with_the_sdk() {
        let plugin = |name: &str| (format!("plugins/{name}/Cargo.toml"), format!("plugins/{name}/src/lib.rs"));
        let ((irc, irc_lib), (ntfy, ntfy_lib)) = (plugin("irc"), plugin("ntfy"));
        let both =
            [(&*irc, ""), (&*ntfy, ""), (&*irc_lib, "pub struct Settings;"), (&*ntfy_lib, "pub struct Settings;")];
        assert!(found(&both).is_empty());
        let sdk = [(&*irc, ""), (&*irc_lib, "pub struct Host;"), ("plugins/sdk/src/lib.rs", "pub trait Host {}")];
        assert_eq!(found(&sdk), [(irc_lib.clone(), 1)]);
    }
}
