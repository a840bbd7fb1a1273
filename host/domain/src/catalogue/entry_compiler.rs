//! Compiles one entry or one group of a catalogue file: its sources, conditions and templates. Every error is recorded
//! with its line, and compilation continues.

use std::collections::{BTreeMap, HashMap};

use toml::Spanned;

use super::condition::Condition;
use super::conditions::Conditions;
use super::entry::{self, CatalogueEntry, ConditionalSource, Each, EntryTexts};
use super::error::CatalogueReport;
use super::format;
use super::group::{self, DigestGroup, GroupExample};
use super::lint;
use super::named_sources::NamedSources;
use super::source::ValueSource;
use super::template::{Needs, Template, TemplateLibrary};
use super::topic::Pattern;

/// Compiles one entry: its own keys, and those of the defaults that it does not have.
pub struct EntryCompiler<'c, 'r, 't> {
    raw: format::RawEntry,
    names: NamedSources<'c>,
    rules: &'c HashMap<&'c str, &'c format::RawCondition>,
    report: &'r mut CatalogueReport<'t>,
    /// What its templates may name besides the names in `let`.
    known: &'static [&'static str],
}

impl<'c, 'r, 't> EntryCompiler<'c, 'r, 't> {
    pub fn new(
        defaults: &'c format::RawEntry,
        own: Option<&'c format::RawEntry>,
        rules: &'c HashMap<&'c str, &'c format::RawCondition>,
        report: &'r mut CatalogueReport<'t>,
    ) -> EntryCompiler<'c, 'r, 't> {
        let raw = own.map_or_else(|| defaults.clone(), |own| own.clone().or(defaults));
        let names = NamedSources::new([Some(&defaults.names), own.map(|own| &own.names)].into_iter().flatten());
        EntryCompiler { raw, names, rules, report, known: &entry::NAMES }
    }

    pub fn for_group(
        defaults: &'c format::RawEntry,
        group: &'c format::RawGroup,
        rules: &'c HashMap<&'c str, &'c format::RawCondition>,
        report: &'r mut CatalogueReport<'t>,
    ) -> EntryCompiler<'c, 'r, 't> {
        let names = NamedSources::new([&defaults.names, &group.names]);
        EntryCompiler { raw: format::RawEntry::default(), names, rules, report, known: &group::NAMES }
    }

    /// Compiles a group of digest lines.
    pub fn group(
        mut self,
        spanned: &Spanned<format::RawGroup>,
        id: &str,
        library: &mut TemplateLibrary,
    ) -> Option<DigestGroup> {
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

    /// Compiles an entry.
    pub fn compile(mut self, id: &str, library: &mut TemplateLibrary) -> CatalogueEntry {
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

    fn condition(&mut self, raw: &format::RawCondition, at: usize) -> Option<Condition> {
        let compiled = Conditions::new(&[], self.rules, &mut self.names).compile(raw);
        compiled.map_err(|what| self.report.add(at, what)).ok()
    }

    fn source(&mut self, text: &str, at: usize) -> Option<ValueSource> {
        self.names.source(text).map_err(|what| self.report.add(at, what)).ok()
    }

    fn sources(&mut self, raw: &[Spanned<format::Sourced>]) -> Vec<ConditionalSource> {
        let mut compiled = Vec::new();
        for sourced in raw {
            let at = sourced.span().start;
            let when = sourced.get_ref().when.as_ref().and_then(|when| self.condition(when, at));
            compiled.extend(self.source(&sourced.get_ref().from, at).map(|source| ConditionalSource { source, when }));
        }
        compiled
    }

    fn texts(&mut self, raw: &format::RawEntry, id: &str, library: &mut TemplateLibrary) -> EntryTexts {
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
        library: &mut TemplateLibrary,
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

/// The expected results of an example, with their lines.
pub fn expectations(
    expect: &BTreeMap<String, Spanned<toml::Value>>,
    report: &CatalogueReport<'_>,
) -> BTreeMap<String, (usize, toml::Value)> {
    let line = |value: &Spanned<toml::Value>| report.line(value.span().start);
    expect.iter().map(|(key, value)| (key.clone(), (line(value), value.get_ref().clone()))).collect()
}
