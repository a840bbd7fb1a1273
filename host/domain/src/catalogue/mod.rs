//! The catalogue: how to read each application's messages, as data. One TOML file for each application defines where a
//! message has its facts, how its text reads, and which named rules users may choose. Compiled once at load; reads no
//! file and no clock.

pub(crate) mod application;
mod compile;
pub(crate) mod condition;
mod conditions;
mod defaults;
mod embedded;
mod entry;
mod entry_compiler;
mod error;
mod filters;
mod format;
pub(crate) mod group;
mod lint;
mod named_sources;
mod parse;
pub(crate) mod requirements;
pub(crate) mod source;
mod template;
mod topic;
mod transform;

use std::collections::HashMap;

use minijinja::Environment;

pub use embedded::EMBEDDED;
pub use error::CatalogueError;

use crate::aliases::Aliases;
use crate::facts::{EntryId, Facts, Text};
use crate::message::Envelope;
use crate::rule_info::{GenericRule, RuleInfo};
use crate::subscription::Filter;
use application::{Application, NamedRule};
use error::CatalogueReport;
use group::DigestGroup;
use source::MessageView;
use template::TemplateLibrary;

/// All applications, compiled.
#[derive(Debug)]
pub struct Catalogue {
    applications: Vec<Application>,
    by_category: HashMap<String, usize>,
    by_schema: HashMap<String, usize>,
    environment: Environment<'static>,
    /// All rules sorted by name, and where the named ones are.
    infos: Vec<RuleInfo>,
    /// The default filters of a new user.
    defaults: Vec<Filter>,
    named: HashMap<String, (usize, usize)>,
}

impl Catalogue {
    /// Compiles a catalogue from files given as (name, text). Returns the errors of all files.
    pub fn load(files: &[(String, String)]) -> Result<Catalogue, Vec<CatalogueError>> {
        let mut library = TemplateLibrary::new();
        let mut catalogue = Catalogue {
            applications: Vec::new(),
            by_category: HashMap::new(),
            by_schema: HashMap::new(),
            environment: Environment::empty(),
            infos: GenericRule::infos(),
            defaults: Vec::new(),
            named: HashMap::new(),
        };
        let mut errors = Vec::new();
        let (default_files, application_files): (Vec<_>, Vec<_>) =
            files.iter().partition(|(name, _)| name == defaults::FILE);
        for (name, text) in application_files {
            let mut report = CatalogueReport::new(name, text);
            let application = compile::file(name, text, &mut library, &mut report);
            if let Some(application) = application {
                catalogue.add(application, &mut report);
            }
            errors.append(&mut report.errors);
        }
        catalogue.environment = library.environment;
        catalogue.infos.sort_by(|one, other| one.name.cmp(&other.name));
        for (name, text) in default_files {
            let mut report = CatalogueReport::new(name, text);
            catalogue.defaults = defaults::read(text, |name| catalogue.rule(name), &mut report);
            errors.append(&mut report.errors);
        }
        // An error in `[defaults]` appears again in every entry.
        errors.sort();
        errors.dedup();
        if errors.is_empty() { Ok(catalogue) } else { Err(errors) }
    }

    /// The catalogue that ships with the program.
    pub fn embedded() -> Result<Catalogue, Vec<CatalogueError>> {
        let files: Vec<_> = EMBEDDED.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Catalogue::load(&files)
    }

    fn add(&mut self, application: Application, report: &mut CatalogueReport<'_>) {
        let number = self.applications.len();
        for category in &application.categories {
            if let Some(taken) = self.by_category.insert(category.clone(), number) {
                let other = self.applications.get(taken).map_or(report.file(), |other| other.file.as_str()).to_owned();
                report.add(0, format!("the category `{category}` is also in {other}"));
            }
        }
        for schema in application.schemas.keys() {
            if let Some(taken) = self.by_schema.insert(schema.clone(), number) {
                let other = self.applications.get(taken).map_or(report.file(), |other| other.file.as_str()).to_owned();
                report.add(0, format!("the schema `{schema}` is also in {other}"));
            }
        }
        for (position, rule) in application.rules.iter().enumerate() {
            let name = &rule.info.name;
            if self.infos.iter().any(|info| info.name == *name) {
                report.add_below(0, rule.line - 1, format!("there is another rule `{name}`"));
            }
            self.infos.push(rule.info.clone());
            self.named.insert(name.clone(), (number, position));
        }
        self.applications.push(application);
    }

    /// The facts of a message. Never fails: missing facts and those of unexpected shape are empty.
    pub fn facts(&self, envelope: &Envelope, aliases: &Aliases) -> Facts {
        let message = self.message(envelope, aliases);
        let Some((number, entry)) = self.find(&message) else {
            return Facts { severity: entry::severity(&message), ..Facts::default() };
        };
        let application = &self.applications[number];
        Facts {
            application: Some(application.name.clone()),
            entry: Some(EntryId { application: number, entry }),
            ..application.entry(entry).facts(&message)
        }
    }

    /// The text of a message; `facts` must come from this catalogue. A template that fails leaves its fallback and is
    /// named in `problems`.
    pub fn text(&self, envelope: &Envelope, facts: &Facts, aliases: &Aliases) -> Text {
        let message = self.message(envelope, aliases);
        let application = facts.entry.and_then(|id| Some((self.applications.get(id.application)?, id.entry)));
        match application {
            Some((application, entry)) => application.entry(entry).text(&self.environment, &message, facts),
            None => entry::CatalogueEntry::default().text(&self.environment, &message, facts),
        }
    }

    /// All rules that users may choose, the generic ones included, by name.
    pub fn rules(&self) -> &[RuleInfo] {
        &self.infos
    }

    /// The default filters of a new user, for every channel.
    pub fn defaults(&self, user: &str) -> Vec<Filter> {
        defaults::for_user(&self.defaults, user)
    }

    /// The description of one rule.
    pub fn rule(&self, name: &str) -> Option<&RuleInfo> {
        let position = self.infos.binary_search_by(|info| info.name.as_str().cmp(name)).ok()?;
        self.infos.get(position)
    }

    /// The applications, in the order of their files.
    pub(crate) fn applications(&self) -> &[Application] {
        &self.applications
    }

    /// The named rule, if there is one.
    pub(crate) fn named(&self, name: &str) -> Option<&NamedRule> {
        let (application, position) = self.named.get(name)?;
        self.applications.get(*application)?.rules.get(*position)
    }

    /// The message as sources and conditions see it.
    pub(crate) fn message<'a>(&self, envelope: &'a Envelope, aliases: &'a Aliases) -> MessageView<'a> {
        let topic = envelope.topic();
        MessageView { envelope: envelope.value(), msg: envelope.msg(), topic, rest: self.rest(topic), aliases }
    }

    /// A topic without prefix and environment.
    pub(crate) fn rest<'t>(&self, topic: &'t str) -> Option<&'t str> {
        topic::rest(topic, |category| self.by_category.contains_key(category))
    }

    /// All groups that digests fold by, each with the categories of its application.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&[String], &DigestGroup)> {
        self.applications.iter().flat_map(|app| app.groups.iter().map(|group| (app.categories.as_slice(), group)))
    }

    pub(crate) const fn environment(&self) -> &Environment<'static> {
        &self.environment
    }

    /// The application of a message, and its entry: by the schema that the message names, else by its topic.
    fn find(&self, message: &MessageView<'_>) -> Option<(usize, Option<usize>)> {
        let schema =
            message.envelope.get("headers").and_then(|headers| headers.get("fedora_messaging_schema")?.as_str());
        if let Some(schema) = schema
            && let Some(number) = self.by_schema.get(schema)
        {
            return Some((*number, self.applications[*number].find_schema(schema, message)));
        }
        let number = *self.by_category.get(topic::category(message.rest?))?;
        Some((number, self.applications[number].find(message)))
    }
}
