//! From paths to files: which file declares what a path names. Names from outside of the crate are skipped.

use std::collections::BTreeMap;

use super::names::{PathUse, UseKind};
use super::tree::{ModuleNode, ModuleTree};

/// Imports of imports that are followed; a longer chain is a circle of re-exports.
const DEPTH: usize = 8;

/// What a path leads to.
#[derive(Clone, Copy)]
enum Target {
    Module(usize),
    /// A name that is declared in this module.
    Item(usize),
}

/// Every arrow of the crate, from file to file, with the first line that makes it.
pub fn arrows(tree: &ModuleTree) -> BTreeMap<(usize, usize), usize> {
    let mut arrows = BTreeMap::new();
    for (from, module) in tree.modules.iter().enumerate() {
        for path_use in &module.uses {
            let target = tree.target_of(from, path_use).and_then(|target| tree.modules.get(target));
            if let Some(target) = target.filter(|target| target.file != module.file) {
                let first = arrows.entry((module.file, target.file)).or_insert(path_use.line);
                *first = path_use.line.min(*first);
            }
        }
    }
    arrows
}

impl ModuleTree {
    /// The module that the use depends on, if it makes an arrow.
    fn target_of(&self, from: usize, path_use: &PathUse) -> Option<usize> {
        let target = self.resolve(from, &path_use.segments, 0)?;
        match (path_use.kind, target) {
            (UseKind::Import | UseKind::Inline, Target::Module(_)) => None,
            (UseKind::ReExport, Target::Module(module) | Target::Item(module)) => {
                (!self.is_within(module, from)).then_some(module)
            }
            (_, Target::Module(module) | Target::Item(module)) => Some(module),
        }
    }

    /// Whether the module is `ancestor` or below it.
    fn is_within(&self, module: usize, ancestor: usize) -> bool {
        let parent = |module: &usize| self.modules.get(*module).and_then(|module| module.parent);
        std::iter::successors(Some(module), parent).any(|module| module == ancestor)
    }

    fn resolve(&self, from: usize, path: &[String], depth: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let module = self.modules.get(from)?;
        match first.as_str() {
            "crate" => self.descend(0, rest, depth),
            "self" => self.descend(from, rest, depth),
            "super" => {
                let parent = module.parent?;
                // `super::super` goes on from there; any other name is looked up in it.
                let again = rest.first().is_some_and(|next| next == "super");
                if again { self.resolve(parent, rest, depth) } else { self.descend(parent, rest, depth) }
            }
            name => self.lookup(from, module, name, rest, depth),
        }
    }

    /// Follows names downwards from a module. A name that is not known, e.g. one that a macro declares, is the module's.
    fn descend(&self, module: usize, path: &[String], depth: usize) -> Option<Target> {
        let Some((name, rest)) = path.split_first() else { return Some(Target::Module(module)) };
        let node = self.modules.get(module)?;
        let known = self.lookup(module, node, name, rest, depth);
        // An import from outside of the crate leads nowhere; everything else that is not found is declared here somehow.
        known.or_else(|| (!node.imports.contains_key(name)).then_some(Target::Item(module)))
    }

    /// What a name means in a module, without a guess.
    fn lookup(&self, at: usize, module: &ModuleNode, name: &str, rest: &[String], depth: usize) -> Option<Target> {
        if depth > DEPTH {
            return None;
        }
        if let Some(child) = module.children.get(name) {
            return self.descend(*child, rest, depth);
        }
        if module.items.contains(name) {
            return Some(Target::Item(at));
        }
        if let Some(import) = module.imports.get(name) {
            // `use name::…` of another crate with the name that it binds would lead back here.
            let itself = import.first().is_some_and(|first| first == name);
            let path: Vec<_> = import.iter().chain(rest).cloned().collect();
            return if itself { None } else { self.resolve(at, &path, depth + 1) };
        }
        module.globs.iter().find_map(|glob| self.lookup_in_glob(at, glob, name, rest, depth + 1))
    }

    fn lookup_in_glob(&self, at: usize, glob: &[String], name: &str, rest: &[String], depth: usize) -> Option<Target> {
        if depth > DEPTH {
            return None;
        }
        match self.resolve(at, glob, depth)? {
            Target::Module(module) if module != at => self.lookup(module, self.modules.get(module)?, name, rest, depth),
            // `use Enum::*`.
            _ => None,
        }
    }
}
