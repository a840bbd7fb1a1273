//! Rule `function-length`: a function has at most [`LINES`] lines from `fn` to its closing brace. Tests and benchmarks are
//! no exception: none of them needs one.

use proc_macro2::Span;
use syn::visit::{self, Visit};
use syn::{Block, Signature};

use super::source::{LintFinding, SourceFile};
use super::syntax::line;

const LINES: usize = 70;

pub fn check(files: &[SourceFile]) -> Vec<LintFinding> {
    files.iter().flat_map(check_file).collect()
}

fn check_file(file: &SourceFile) -> Vec<LintFinding> {
    let mut visitor = FunctionVisitor { path: &file.path, found: Vec::new() };
    if let Some(syntax) = &file.syntax {
        visitor.visit_file(syntax);
    }
    visitor.found
}

struct FunctionVisitor<'a> {
    path: &'a str,
    found: Vec<LintFinding>,
}

impl FunctionVisitor<'_> {
    fn measure(&mut self, signature: &Signature, block: &Block) {
        let start = line(signature.fn_token.span);
        let close: Span = block.brace_token.span.close();
        let length = close.end().line + 1 - start;
        if length > LINES {
            let message = format!("`{}` has {length} lines, at most {LINES} are allowed", signature.ident);
            self.found.push(LintFinding::new(self.path, start, message));
        }
    }
}

impl<'ast> Visit<'ast> for FunctionVisitor<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.measure(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function of so many lines in all.
    fn function(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    work();\n".repeat(lines - 2))
    }

    #[test]
    fn a_function_may_have_all_its_lines_and_not_one_more() {
        let file = |text: String| SourceFile::new("a.rs", text);
        assert!(check(&[file(function(LINES))]).is_empty());
        let found = check(&[file(format!("\n\n{}", function(LINES + 1)))]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 3);
        assert!(found[0].message.contains("`long` has 71 lines"), "{}", found[0].message);
    }

    #[test]
    fn methods_and_default_methods_count_too() {
        let method = SourceFile::new("a.rs", format!("impl A {{\n{}}}\n", function(LINES + 1)));
        let default = SourceFile::new("b.rs", format!("trait A {{\n{}}}\n", function(LINES + 1)));
        assert_eq!(check(&[method, default]).len(), 2);
    }
}
