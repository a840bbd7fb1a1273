//! Compiles a catalogue file. Every error is recorded with its line, and compilation continues, so that an author sees
//! all of them at once.

use std::collections::HashMap;
use std::sync::Arc;

use toml::Spanned;

use super::application::{Application, CatalogueExample, NamedRule};
use super::conditions::Conditions;
use super::entry_compiler::{EntryCompiler, expectations};
use super::error::CatalogueReport;
use super::format;
use super::named_sources::NamedSources;
use super::template::TemplateLibrary;
use super::topic::Pattern;
use crate::rule_info::{RuleArgument, RuleInfo};

/// Compiles one file. Templates go into the library that all files share.
pub fn file(
    name: &str,
    text: &str,
    library: &mut TemplateLibrary,
    report: &mut CatalogueReport<'_>,
) -> Option<Application> {
    let file: format::RawFile = match toml::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            report.add(error.span().map_or(0, |span| span.start), error.message().to_owned());
            return None;
        }
    };
    let defaults = &file.defaults;
    let misplaced = [
        ("topics", defaults.topics.is_some()),
        ("schemas", defaults.schemas.is_some()),
        ("when", defaults.when.is_some()),
    ];
    for (key, given) in misplaced {
        if given {
            report.add(0, format!("`{key}` is not possible in `[defaults]`"));
        }
    }
    let mut application = Application::new(file.application.get_ref(), name);
    application.categories = match &file.categories {
        Some(categories) => categories.iter().map(|category| category.get_ref().clone()).collect(),
        None => vec![file.application.get_ref().clone()],
    };
    let rules: HashMap<&str, &format::RawCondition> =
        file.rules.iter().map(|rule| (rule.name.get_ref().as_str(), rule.test.get_ref())).collect();
    for (number, raw) in file.topics.iter().enumerate() {
        let entry = EntryCompiler::new(&file.defaults, Some(raw.get_ref()), &rules, report);
        let entry = entry.compile(&format!("{name}/{number}"), library);
        patterns(&mut application, raw, report);
        application.entries.push(entry);
        application.lines.push(report.line(raw.span().start));
    }
    let defaults = EntryCompiler::new(&file.defaults, None, &rules, report);
    application.defaults = defaults.compile(&format!("{name}/defaults"), library);
    for raw in &file.rules {
        application.rules.push(rule(&application.name, raw, &file.defaults, &rules, report));
    }
    for raw in &file.examples {
        let line = report.line(raw.span().start);
        let expect = expectations(&raw.get_ref().expect, report);
        application.examples.push(CatalogueExample { line, message: raw.get_ref().message.clone(), expect });
    }
    for (number, raw) in file.groups.iter().enumerate() {
        let group = EntryCompiler::for_group(&file.defaults, raw.get_ref(), &rules, report);
        application.groups.extend(group.group(raw, &format!("{name}/group/{number}"), library));
    }
    Some(application)
}

/// Registers an entry under its schemas and topic patterns.
fn patterns(application: &mut Application, raw: &Spanned<format::RawEntry>, report: &mut CatalogueReport<'_>) {
    let number = application.entries.len();
    let schemas = raw.get_ref().schemas.as_deref().unwrap_or_default();
    let topics = raw.get_ref().topics.as_deref().unwrap_or_default();
    if schemas.is_empty() && topics.is_empty() {
        let what = "a `[[topic]]` needs `topics`, a list of patterns, or `schemas`, a list of names";
        report.add(raw.span().start, what.to_owned());
    }
    for schema in schemas {
        application.schemas.entry(schema.get_ref().clone()).or_default().push(number);
    }
    for topic in topics {
        match Pattern::parse(topic.get_ref()) {
            Err(what) => report.add(topic.span().start, what),
            Ok(pattern) => match pattern.literal() {
                Some(literal) => application.literal.entry(literal).or_default().push(number),
                None => application.patterns.push((pattern, number)),
            },
        }
    }
}

fn rule(
    application: &str,
    raw: &format::RawRule,
    defaults: &format::RawEntry,
    rules: &HashMap<&str, &format::RawCondition>,
    report: &mut CatalogueReport<'_>,
) -> NamedRule {
    let arguments: Vec<&str> = raw.arguments.iter().map(|argument| argument.name.as_str()).collect();
    let mut names = NamedSources::new([&defaults.names]);
    let compiled = Conditions::new(&arguments, rules, &mut names).compile(raw.test.get_ref());
    let condition = compiled.unwrap_or_else(|what| {
        report.add(raw.test.span().start, what);
        Conditions::never()
    });
    let argument = |a: &format::RawArgument| RuleArgument {
        name: a.name.clone(),
        kind: a.kind,
        help: a.help.clone(),
        default: a.default.clone(),
    };
    let info = RuleInfo {
        name: raw.name.get_ref().clone(),
        application: Some(application.to_owned()),
        title: raw.title.clone(),
        help: raw.help.clone(),
        arguments: raw.arguments.iter().map(argument).collect(),
    };
    NamedRule { info, condition: Arc::new(condition), line: report.line(raw.name.span().start) }
}
