//! Compiles a catalogue file. Every error is recorded with its line, and compilation continues, so that an author sees
//! all
//! of them at once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use toml::Spanned;

use super::application::{Application, CatalogueExample, NamedRule};
use super::conditions::Conditions;
use super::entry::{self, CatalogueEntry, Each, EntryTexts, Guarded};
use super::error::CatalogueReport;
use super::format;
use super::group::{self, DigestGroup, GroupExample};
use super::lint;
use super::parse;
use super::source::ValueSource;
use super::template::{Library, Needs, Template};
use super::topic::Pattern;
use crate::rule_info::{RuleArgument, RuleInfo};

/// Compiles one file. Templates go into the library that all files share.
pub fn file(name: &str, text: &str, library: &mut Library, report: &mut CatalogueReport<'_>) -> Option<Application> {
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

/// The expected results of an example, with their lines.
fn expectations(
    expect: &BTreeMap<String, Spanned<toml::Value>>,
    report: &CatalogueReport<'_>,
) -> BTreeMap<String, (usize, toml::Value)> {
    let line = |value: &Spanned<toml::Value>| report.line(value.span().start);
    expect.iter().map(|(key, value)| (key.clone(), (line(value), value.get_ref().clone()))).collect()
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

/// The sources named in `let`, compiled when they are first used.
pub struct NamedSources<'r> {
    raw: BTreeMap<&'r str, &'r Spanned<String>>,
    done: HashMap<String, Result<Arc<ValueSource>, String>>,
    open: Vec<String>,
}

impl<'r> NamedSources<'r> {
    /// Later maps override earlier ones.
    pub fn new(maps: impl IntoIterator<Item = &'r BTreeMap<String, Spanned<String>>>) -> NamedSources<'r> {
        let raw = maps.into_iter().flatten().map(|(name, source)| (name.as_str(), source)).collect();
        NamedSources { raw, done: HashMap::new(), open: Vec::new() }
    }

    /// The source with this name, if there is one.
    pub fn get(&mut self, name: &str) -> Result<Option<Arc<ValueSource>>, String> {
        if let Some(done) = self.done.get(name) {
            return done.clone().map(Some);
        }
        let Some(text) = self.raw.get(name) else { return Ok(None) };
        if self.open.iter().any(|open| open == name) {
            return Err(format!("`{name}` is defined by itself"));
        }
        self.open.push(name.to_owned());
        let compiled = self.source(text.get_ref()).map(Arc::new);
        self.open.pop();
        self.done.insert(name.to_owned(), compiled.clone());
        compiled.map(Some)
    }

    /// Compiles a source that may use the names.
    pub fn source(&mut self, text: &str) -> Result<ValueSource, String> {
        parse::source(text, &mut |name| self.get(name))
    }
}

/// Compiles one entry: its own keys, and those of the defaults that it does not have.
struct EntryCompiler<'c, 'r, 't> {
    raw: format::RawEntry,
    names: NamedSources<'c>,
    rules: &'c HashMap<&'c str, &'c format::RawCondition>,
    report: &'r mut CatalogueReport<'t>,
    /// What its templates may name besides the names in `let`.
    known: &'static [&'static str],
}

impl<'c, 'r, 't> EntryCompiler<'c, 'r, 't> {
    fn new(
        defaults: &'c format::RawEntry,
        own: Option<&'c format::RawEntry>,
        rules: &'c HashMap<&'c str, &'c format::RawCondition>,
        report: &'r mut CatalogueReport<'t>,
    ) -> EntryCompiler<'c, 'r, 't> {
        let raw = own.map_or_else(|| defaults.clone(), |own| own.clone().or(defaults));
        let names = NamedSources::new([Some(&defaults.names), own.map(|own| &own.names)].into_iter().flatten());
        EntryCompiler { raw, names, rules, report, known: &entry::NAMES }
    }

    fn for_group(
        defaults: &'c format::RawEntry,
        group: &'c format::RawGroup,
        rules: &'c HashMap<&'c str, &'c format::RawCondition>,
        report: &'r mut CatalogueReport<'t>,
    ) -> EntryCompiler<'c, 'r, 't> {
        let names = NamedSources::new([&defaults.names, &group.names]);
        EntryCompiler { raw: format::RawEntry::default(), names, rules, report, known: &group::NAMES }
    }

    fn group(mut self, spanned: &Spanned<format::RawGroup>, id: &str, library: &mut Library) -> Option<DigestGroup> {
        let raw = spanned.get_ref();
        let mut topics = Vec::new();
        for topic in &raw.topics {
            let pattern = Pattern::parse(topic.get_ref());
            topics.extend(pattern.map_err(|what| self.report.add(topic.span().start, what)));
        }
        if raw.by.is_empty() || raw.topics.is_empty() {
            self.report.add(
                spanned.span().start,
                "a `[[group]]` needs `topics` and `by`, lists that are not empty".to_owned(),
            );
        }
        let when = raw.when.as_ref().and_then(|when| self.condition(when.get_ref(), when.span().start));
        let mut by = Vec::new();
        for sources in &raw.by {
            let sources = sources.get_ref().as_slice().iter().map(|source| (source, sources.span().start));
            by.push(sources.filter_map(|(source, at)| self.source(source, at)).collect());
        }
        let mut needs = Needs::default();
        let mut template = |key: &str, raw: &Spanned<String>| {
            self.template(&format!("{id}/{key}"), raw.get_ref(), raw.span().start, library, &mut needs)
        };
        let subtitle = template("subtitle", &raw.subtitle);
        let subjective = raw.subjective.as_ref().and_then(|raw| template("subjective", raw));
        let link = raw.link.as_ref().and_then(|raw| template("link", raw));
        let secondary_icon = raw.secondary_icon.as_ref().and_then(|raw| template("secondary_icon", raw));
        let example = raw.example.get_ref();
        let example = GroupExample {
            line: self.report.line(raw.example.span().start),
            messages: example.messages.clone(),
            expect: expectations(&example.expect, self.report),
        };
        let names = self.needed(&needs);
        Some(DigestGroup {
            topics,
            when,
            by,
            names,
            needs,
            subtitle: subtitle?,
            subjective,
            link,
            secondary_icon,
            example,
        })
    }

    /// The sources in `let` that are needed.
    fn needed(&mut self, needs: &Needs) -> Vec<(String, ValueSource)> {
        let mut names = Vec::new();
        for (name, _) in needs.names() {
            if let Ok(Some(source)) = self.names.get(name) {
                names.push((name.to_owned(), source.as_ref().clone()));
            }
        }
        names
    }

    fn compile(mut self, id: &str, library: &mut Library) -> CatalogueEntry {
        for (name, text) in self.names.raw.clone() {
            if entry::NAMES.contains(&name) {
                self.report
                    .add(text.span().start, format!("`{name}` cannot be defined: every template has it already"));
            }
            if let Err(what) = self.names.get(name) {
                self.report.add(text.span().start, what);
            }
        }
        let raw = self.raw.clone();
        CatalogueEntry {
            when: raw.when.as_ref().and_then(|when| self.condition(when.get_ref(), when.span().start)),
            usernames: self.sources(raw.usernames.as_deref().unwrap_or_default()),
            packages: self.sources(raw.packages.as_deref().unwrap_or_default()),
            containers: self.sources(raw.containers.as_deref().unwrap_or_default()),
            modules: self.sources(raw.modules.as_deref().unwrap_or_default()),
            flatpaks: self.sources(raw.flatpaks.as_deref().unwrap_or_default()),
            groups: self.sources(raw.groups.as_deref().unwrap_or_default()),
            agent: self.sources(raw.agent.as_slice()).pop(),
            text: self.texts(&raw, id, library),
        }
    }

    fn condition(&mut self, raw: &format::RawCondition, at: usize) -> Option<super::condition::Condition> {
        let compiled = Conditions::new(&[], self.rules, &mut self.names).compile(raw);
        compiled.map_err(|what| self.report.add(at, what)).ok()
    }

    fn source(&mut self, text: &str, at: usize) -> Option<ValueSource> {
        self.names.source(text).map_err(|what| self.report.add(at, what)).ok()
    }

    fn sources(&mut self, raw: &[Spanned<format::Sourced>]) -> Vec<Guarded> {
        let mut compiled = Vec::new();
        for sourced in raw {
            let at = sourced.span().start;
            let when = sourced.get_ref().when.as_ref().and_then(|when| self.condition(when, at));
            compiled.extend(self.source(&sourced.get_ref().from, at).map(|source| Guarded { source, when }));
        }
        compiled
    }

    fn texts(&mut self, raw: &format::RawEntry, id: &str, library: &mut Library) -> EntryTexts {
        let mut needs = Needs::default();
        let mut template = |key: &str, raw: Option<&Spanned<String>>| {
            let raw = raw?;
            self.template(&format!("{id}/{key}"), raw.get_ref(), raw.span().start, library, &mut needs)
        };
        let mut texts = EntryTexts {
            title: template("title", raw.title.as_ref()),
            subtitle: template("subtitle", raw.subtitle.as_ref()),
            long_form: template("long_form", raw.long_form.as_ref()),
            link: template("link", raw.link.as_ref()),
            icon: template("icon", raw.icon.as_ref()),
            secondary_icon: template("secondary_icon", raw.secondary_icon.as_ref()),
            thread: template("thread", raw.thread.as_ref()),
            ..EntryTexts::default()
        };
        for (number, object) in raw.objects.iter().flatten().enumerate() {
            let at = object.span().start;
            let each = object.get_ref().each.as_deref().and_then(|each| match each {
                "packages" => Some(Each::Packages),
                "usernames" => Some(Each::Usernames),
                source => self.source(source, at).map(Each::Source),
            });
            let name = format!("{id}/objects/{number}");
            let template = self.template(&name, &object.get_ref().text, at, library, &mut needs);
            texts.objects.extend(template.map(|template| (each, template)));
        }
        texts.names = self.needed(&needs);
        texts.needs = needs;
        texts
    }

    fn template(
        &mut self,
        id: &str,
        text: &str,
        at: usize,
        library: &mut Library,
        needs: &mut Needs,
    ) -> Option<Template> {
        let (compiled, own) = match library.compile(id, text) {
            Ok(compiled) => compiled,
            Err(error) => {
                let line = error.line().map_or(0, |line| line.saturating_sub(1));
                self.report.add_below(at, line, format!("in the template `{text}`: {error}"));
                return None;
            }
        };
        if let Some(what) = lint::unknown(&library.environment, text) {
            self.report.add(at, what);
        }
        for (name, _) in own.names() {
            if !self.known.contains(&name) && !self.names.raw.contains_key(name) {
                let known = self.known.join(", ");
                self.report
                    .add(at, format!("unknown name `{name}` in a template: expected {known} or a name from `let`"));
            }
        }
        needs.merge(own);
        Some(compiled)
    }
}
