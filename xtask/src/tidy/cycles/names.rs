//! What one item adds to its module: the name that it declares, what it imports, and every path in it.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Ident, ImplItem, Item, TraitItem, UseTree, Visibility};

use super::tree::ModuleNode;
use crate::tidy::syntax::{attributes, impl_item_attributes, is_test_only, line, trait_item_attributes};

/// A path that a module names.
pub struct PathUse {
    pub segments: Vec<String>,
    pub line: usize,
    pub kind: UseKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum UseKind {
    /// `use a::b`.
    Import,
    /// `use a::*`.
    Glob,
    /// `pub use a::b` or `pub use a::*`, with any visibility.
    ReExport,
    /// A path in a type, an expression, a pattern or a macro.
    Inline,
}

/// Adds what the item declares and names. The content of a module is not its own.
pub fn collect(item: &Item, module: &mut ModuleNode) {
    if let Some(name) = declared(item) {
        module.items.insert(name.to_string());
    }
    NameVisitor { module }.visit_item(item);
}

fn declared(item: &Item) -> Option<&Ident> {
    match item {
        Item::Const(item) => Some(&item.ident),
        Item::Enum(item) => Some(&item.ident),
        Item::Fn(item) => Some(&item.sig.ident),
        Item::Macro(item) => item.ident.as_ref(),
        Item::Static(item) => Some(&item.ident),
        Item::Struct(item) => Some(&item.ident),
        Item::Trait(item) => Some(&item.ident),
        Item::TraitAlias(item) => Some(&item.ident),
        Item::Type(item) => Some(&item.ident),
        Item::Union(item) => Some(&item.ident),
        _ => None,
    }
}

struct NameVisitor<'a> {
    module: &'a mut ModuleNode,
}

impl NameVisitor<'_> {
    fn add(&mut self, segments: Vec<String>, line: usize, kind: UseKind) {
        self.module.uses.push(PathUse { segments, line, kind });
    }

    fn import(&mut self, tree: &UseTree, mut prefix: Vec<String>, public: bool) {
        let kind = if public { UseKind::ReExport } else { UseKind::Import };
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.import(&path.tree, prefix, public);
            }
            UseTree::Name(name) => self.bind(prefix, &name.ident, &name.ident, kind),
            UseTree::Rename(rename) => self.bind(prefix, &rename.ident, &rename.rename, kind),
            UseTree::Glob(glob) => {
                let kind = if public { UseKind::ReExport } else { UseKind::Glob };
                self.module.globs.push(prefix.clone());
                self.add(prefix, line(glob.star_token.span), kind);
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree, prefix.clone(), public)),
        }
    }

    fn bind(&mut self, mut path: Vec<String>, ident: &Ident, name: &Ident, kind: UseKind) {
        let mut name = name.to_string();
        if ident != "self" {
            path.push(ident.to_string());
        } else if name == "self" {
            name = path.last().cloned().unwrap_or(name);
        }
        self.module.imports.insert(name, path.clone());
        self.add(path, line(ident.span()), kind);
    }

    /// Paths among tokens that have no syntax of their own.
    fn scan(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let (mut at, mut colons) = (0, 0);
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end_of_path(&mut path, at);
                        at = line(ident.span());
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.end_of_path(&mut path, at);
                    colons = 0;
                    self.scan(group.stream());
                }
                _ => {
                    self.end_of_path(&mut path, at);
                    colons = 0;
                }
            }
        }
        self.end_of_path(&mut path, at);
    }

    fn end_of_path(&mut self, path: &mut Vec<String>, line: usize) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.add(path, line, UseKind::Inline);
        }
    }
}

impl<'ast> Visit<'ast> for NameVisitor<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !matches!(item, Item::Mod(_)) && !is_test_only(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if !is_test_only(impl_item_attributes(item)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        if !is_test_only(trait_item_attributes(item)) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let public = !matches!(item.vis, Visibility::Inherited);
        self.import(&item.tree, Vec::new(), public);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let (Some(first), true) = (path.segments.first(), segments.len() > 1) {
            self.add(segments, line(first.ident.span()), UseKind::Inline);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.scan(called.tokens.clone());
        visit::visit_macro(self, called);
    }

    /// `pub(in path)` and attributes name no dependency.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
}
