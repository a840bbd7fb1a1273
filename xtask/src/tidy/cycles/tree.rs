//! The modules of one crate: which file each is in, what it declares and imports, and which paths it names.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use syn::{Expr, Item, ItemMod, Lit, Meta};

use super::names::{self, PathUse};
use crate::tidy::source::SourceFile;
use crate::tidy::syntax::{attributes, is_test_only};

/// A module. Inline modules are nodes of their own in the file of the module around them.
#[derive(Default)]
pub struct ModuleNode {
    /// The index of the file.
    pub file: usize,
    pub parent: Option<usize>,
    pub children: HashMap<String, usize>,
    /// Names that it declares: types, functions, constants, macros.
    pub items: BTreeSet<String>,
    /// Names that a `use` brings into it, with the path as it is written.
    pub imports: HashMap<String, Vec<String>>,
    /// Paths of `use path::*`.
    pub globs: Vec<Vec<String>>,
    pub uses: Vec<PathUse>,
}

/// All modules of a crate; the first is its root.
pub struct ModuleTree {
    pub modules: Vec<ModuleNode>,
    /// Files that have submodules in files of their own.
    parents: BTreeSet<usize>,
}

impl ModuleTree {
    /// Follows the `mod` items from the root file. Modules for tests are left out.
    pub fn read(files: &[SourceFile], root: usize) -> ModuleTree {
        let index = files.iter().enumerate().map(|(index, file)| (&*file.path, index)).collect();
        let tree = ModuleTree { modules: Vec::new(), parents: BTreeSet::new() };
        let mut reader = Reader { files, index, tree };
        reader.read_file(root, None, true);
        reader.tree
    }

    /// The folder that a file belongs to: its own, if it has submodules in one.
    pub fn folder<'a>(&self, files: &'a [SourceFile], file: usize) -> &'a str {
        let path = files.get(file).map_or("", |file| &*file.path);
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let own = self.parents.contains(&file) && !["mod.rs", "lib.rs", "main.rs"].contains(&name);
        if own { path.strip_suffix(".rs").unwrap_or(path) } else { folder }
    }
}

struct Reader<'a> {
    files: &'a [SourceFile],
    index: BTreeMap<&'a str, usize>,
    tree: ModuleTree,
}

impl Reader<'_> {
    /// Adds the module that is this file. The submodules of a root or a `mod.rs` are beside it, others' in its folder.
    fn read_file(&mut self, file: usize, parent: Option<usize>, beside: bool) -> usize {
        let Some(source) = self.files.get(file) else { return 0 };
        let (folder, _) = source.path.rsplit_once('/').unwrap_or_default();
        let folder = if beside { folder } else { source.path.strip_suffix(".rs").unwrap_or(folder) };
        let items = source.syntax.as_ref().map_or(&[][..], |syntax| &syntax.items);
        self.read_items(items, file, parent, folder)
    }

    fn read_items(&mut self, items: &[Item], file: usize, parent: Option<usize>, folder: &str) -> usize {
        let this = self.tree.modules.len();
        let mut module = ModuleNode { file, parent, ..ModuleNode::default() };
        let compiled = || items.iter().filter(|item| !is_test_only(attributes(item)));
        for item in compiled() {
            names::collect(item, &mut module);
        }
        self.tree.modules.push(module);
        for item in compiled() {
            if let Item::Mod(item) = item
                && let Some(child) = self.read_child(item, file, this, folder)
                && let Some(module) = self.tree.modules.get_mut(this)
            {
                module.children.insert(item.ident.to_string(), child);
            }
        }
        this
    }

    /// `None` where the file of the module is not there.
    fn read_child(&mut self, item: &ItemMod, file: usize, parent: usize, folder: &str) -> Option<usize> {
        let name = item.ident.to_string();
        if let Some((_, items)) = &item.content {
            return Some(self.read_items(items, file, Some(parent), &format!("{folder}/{name}")));
        }
        let (alone, with_folder) = (format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs"));
        let explicit = explicit_path(item).map(|path| format!("{folder}/{path}"));
        let path = [explicit.as_ref(), Some(&alone), Some(&with_folder)].into_iter().flatten();
        let child = path.filter_map(|path| self.index.get(&**path)).next().copied()?;
        self.tree.parents.insert(file);
        let beside = self.files.get(child).is_some_and(|file| file.path.ends_with("/mod.rs"));
        Some(self.read_file(child, Some(parent), beside))
    }
}

/// `#[path = "…"]`.
fn explicit_path(item: &ItemMod) -> Option<String> {
    item.attrs.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(value) if value.path.is_ident("path") => match &value.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    })
}
