//! What several rules ask of a syntax tree.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{Attribute, Expr, ImplItem, Item, Lit, Meta, TraitItem};

/// The line on which the span begins.
pub fn line(span: Span) -> usize {
    span.start().line
}

/// Whether the item is compiled for tests only: `#[cfg(test)]`, alone or as a part of `all`.
pub fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let negated = list.tokens.clone().into_iter().next().is_some_and(|token| is_word(&token, "not"));
            !negated && contains_word(list.tokens.clone(), "test")
        }
        _ => false,
    })
}

/// The attributes of any item.
pub fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The attributes of a member of an `impl` block.
pub fn impl_item_attributes(item: &ImplItem) -> &[Attribute] {
    match item {
        ImplItem::Const(item) => &item.attrs,
        ImplItem::Fn(item) => &item.attrs,
        ImplItem::Type(item) => &item.attrs,
        ImplItem::Macro(item) => &item.attrs,
        _ => &[],
    }
}

/// The attributes of a member of a trait.
pub fn trait_item_attributes(item: &TraitItem) -> &[Attribute] {
    match item {
        TraitItem::Const(item) => &item.attrs,
        TraitItem::Fn(item) => &item.attrs,
        TraitItem::Type(item) => &item.attrs,
        TraitItem::Macro(item) => &item.attrs,
        _ => &[],
    }
}

/// The lines of the documentation (`///`), without the space behind the slashes.
pub fn documentation(attributes: &[Attribute]) -> Vec<String> {
    let mut lines = Vec::new();
    for attribute in attributes {
        if let Meta::NameValue(doc) = &attribute.meta
            && doc.path.is_ident("doc")
            && let Expr::Lit(literal) = &doc.value
            && let Lit::Str(text) = &literal.lit
        {
            let text = text.value();
            lines.extend(text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned()));
            if text.is_empty() {
                lines.push(String::new());
            }
        }
    }
    lines
}

fn contains_word(tokens: TokenStream, word: &str) -> bool {
    tokens.into_iter().any(|token| match &token {
        TokenTree::Group(group) => contains_word(group.stream(), word),
        token => is_word(token, word),
    })
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_compiled_for_tests_alone_is_test_only() {
        let test_only = |text: &str| is_test_only(attributes(&syn::parse_str(text).unwrap()));
        assert!(test_only("#[cfg(test)] mod a {}"));
        assert!(test_only("#[cfg(all(test, unix))] mod a {}"));
        assert!(!test_only("#[cfg(not(test))] mod a {}"));
        assert!(!test_only("#[cfg(unix)] mod a {}"));
    }

    #[test]
    fn documentation_keeps_its_lines() {
        let item: Item = syn::parse_str("/// One.\n///\n/// Two.\nstruct A;").unwrap();
        assert_eq!(documentation(attributes(&item)), ["One.", "", "Two."]);
    }
}
