//! Reads the limits of one file: constants and the fields of a struct of defaults, with their documentation.

use std::collections::BTreeMap;

use syn::{Expr, Fields, ImplItem, Item, ItemImpl, ItemStruct, Member, Stmt, Visibility};

use super::value::{Constants, LimitValue};
use crate::tidy::source::SourceFile;
use crate::tidy::syntax::{documentation, line};

/// One limit, or several that share their documentation.
pub struct LimitEntry {
    /// Names and defaults, in the order of the source.
    pub values: Vec<(String, LimitValue)>,
    pub line: usize,
    /// What it bounds.
    pub text: String,
    /// As documented, in the order of the values; the last one is that of all further values. Empty where types or names
    /// tell the units.
    pub units: Vec<String>,
    pub when_hit: String,
}

impl LimitEntry {
    fn new(name: String, value: LimitValue, line: usize, documentation: &[String]) -> LimitEntry {
        let [mut text, mut unit, mut when_hit] = [const { String::new() }; 3];
        let mut paragraph = &mut text;
        for line in documentation.iter().map(|line| line.trim()) {
            let rest = if let Some(rest) = line.strip_prefix("Unit:") {
                paragraph = &mut unit;
                rest
            } else if let Some(rest) = line.strip_prefix("When hit:") {
                paragraph = &mut when_hit;
                rest
            } else {
                line
            };
            if !paragraph.is_empty() && !rest.is_empty() {
                paragraph.push(' ');
            }
            paragraph.push_str(rest.trim());
        }
        let units = unit.split(';').map(str::trim).filter(|unit| !unit.is_empty()).map(str::to_owned).collect();
        LimitEntry { values: vec![(name, value)], line, text, units, when_hit }
    }

    /// The unit of the value at this place, where it is documented.
    pub fn unit(&self, index: usize) -> &str {
        self.units.get(index).or(self.units.last()).map_or("", |unit| unit)
    }

    pub fn name(&self) -> &str {
        self.values.first().map_or("", |(name, _)| name)
    }
}

/// The limits of the file, in the order of the source. Values that name other constants are looked up in `constants`.
pub fn entries(file: &SourceFile, constants: &Constants<'_>) -> Vec<LimitEntry> {
    let mut entries: Vec<LimitEntry> = Vec::new();
    let items = file.syntax.as_ref().map_or(&[][..], |syntax| &syntax.items);
    for item in items {
        match item {
            Item::Const(item) if !matches!(item.vis, Visibility::Inherited) => {
                let (name, docs) = (item.ident.to_string(), documentation(&item.attrs));
                let value = LimitValue::new(&name, &item.expr, constants);
                match entries.last_mut() {
                    Some(above) if docs.is_empty() => above.values.push((name, value)),
                    _ => entries.push(LimitEntry::new(name, value, line(item.ident.span()), &docs)),
                }
            }
            Item::Struct(item) if !matches!(item.vis, Visibility::Inherited) => {
                entries.extend(fields(item, &defaults(items, &item.ident.to_string()), constants));
            }
            _ => {}
        }
    }
    entries
}

/// The public fields that have a default.
fn fields(item: &ItemStruct, defaults: &BTreeMap<String, &Expr>, constants: &Constants<'_>) -> Vec<LimitEntry> {
    let Fields::Named(fields) = &item.fields else { return Vec::new() };
    let mut entries: Vec<LimitEntry> = Vec::new();
    for field in &fields.named {
        let Some((ident, name)) = field.ident.as_ref().map(|ident| (ident, ident.to_string())) else { continue };
        let Some(default) = defaults.get(&name) else { continue };
        let docs = documentation(&field.attrs);
        let value = LimitValue::new(&name, default, constants);
        let name = format!("{}::{name}", item.ident);
        match entries.last_mut() {
            Some(above) if docs.is_empty() => above.values.push((name, value)),
            _ => entries.push(LimitEntry::new(name, value, line(ident.span()), &docs)),
        }
    }
    entries
}

/// The values of the struct that `Default::default` makes.
fn defaults<'a>(items: &'a [Item], name: &str) -> BTreeMap<String, &'a Expr> {
    let is_default = |item: &ItemImpl| {
        let of_trait = item.trait_.as_ref().is_some_and(|(path, _)| path.is_ident("Default"));
        of_trait && matches!(&*item.self_ty, syn::Type::Path(path) if path.path.is_ident(name))
    };
    let members = items.iter().find_map(|item| match item {
        Item::Impl(item) if is_default(item) => Some(&item.items),
        _ => None,
    });
    let function = members.into_iter().flatten().find_map(|item| match item {
        ImplItem::Fn(function) => Some(function),
        _ => None,
    });
    let literal = function.and_then(|function| function.block.stmts.last()).and_then(|statement| match statement {
        Stmt::Expr(Expr::Struct(literal), None) => Some(literal),
        _ => None,
    });
    let values = literal.into_iter().flat_map(|literal| &literal.fields);
    values
        .filter_map(|field| match &field.member {
            Member::Named(name) => Some((name.to_string(), &field.expr)),
            Member::Unnamed(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<LimitEntry> {
        let file = SourceFile::new("host/src/limits.rs", text.to_owned());
        let constants = Constants::collect([&file]);
        entries(&file, &constants)
    }

    #[test]
    fn documentation_is_split_into_its_parts() {
        let entries = read(
            "/// What waits\n/// here.\n///\n/// Unit: frames\n///\n/// When hit: it\n/// fails.\npub const A: u8 = 1;",
        );
        let entry = &entries[0];
        assert_eq!((&*entry.text, entry.unit(0), &*entry.when_hit), ("What waits here.", "frames", "it fails."));
    }

    #[test]
    fn a_constant_without_documentation_belongs_to_the_one_above() {
        let entries = read("/// Both.\npub const MIN: u8 = 1;\npub const MAX: u8 = 2;\nconst OWN: u8 = 3;");
        assert_eq!(entries.len(), 1);
        let names: Vec<_> = entries[0].values.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["MIN", "MAX"]);
    }

    #[test]
    fn several_units_belong_to_several_values() {
        let entries = read("/// Both.\n///\n/// Unit: members; pages\npub const PAGE: u8 = 1;\npub const MAX: u8 = 2;");
        assert_eq!([0, 1, 2].map(|index| entries[0].unit(index)), ["members", "pages", "pages"]);
    }

    #[test]
    fn the_fields_of_a_struct_have_the_values_of_its_default() {
        let text = "pub struct Limits { /// Lines.\n pub log_lines: u32, other: u8 }
            impl Default for Limits { fn default() -> Self { Limits { log_lines: 2 * HUNDRED, other: 1 } } }
            /// A.\npub const HUNDRED: u32 = 100;";
        let entries = read(text);
        assert_eq!(entries[0].name(), "Limits::log_lines");
        assert_eq!(entries[0].values[0].1.display(""), "200 lines");
    }
}
