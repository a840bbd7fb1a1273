//! A compiled entry of the catalogue: extracts facts from a message and renders its text.

use minijinja::{Environment, Value};

use super::condition::{Arguments, Condition};
use super::source::{MessageView, SourceItem, ValueSource};
use super::template::{self, Needs, Template};
use crate::facts::{Facts, Severity, Text};
use crate::limits;

/// How to read some topics of an application.
#[derive(Debug, Default)]
pub struct CatalogueEntry {
    pub when: Option<Condition>,
    pub usernames: Vec<ConditionalSource>,
    pub packages: Vec<ConditionalSource>,
    pub containers: Vec<ConditionalSource>,
    pub modules: Vec<ConditionalSource>,
    pub flatpaks: Vec<ConditionalSource>,
    pub groups: Vec<ConditionalSource>,
    pub agent: Option<ConditionalSource>,
    pub text: EntryTexts,
}

/// A source, with the condition under which it counts.
#[derive(Debug)]
pub struct ConditionalSource {
    pub source: ValueSource,
    pub when: Option<Condition>,
}

/// The templates of an entry.
#[derive(Debug, Default)]
pub struct EntryTexts {
    /// The sources that the templates name.
    pub names: Vec<(String, ValueSource)>,
    /// The parts of the message that the templates read.
    pub needs: Needs,
    pub title: Option<Template>,
    pub subtitle: Option<Template>,
    pub long_form: Option<Template>,
    pub link: Option<Template>,
    pub icon: Option<Template>,
    pub secondary_icon: Option<Template>,
    pub thread: Option<Template>,
    pub objects: Vec<(Option<Each>, Template)>,
}

/// The values for which an object's template is filled in.
#[derive(Debug)]
pub enum Each {
    Packages,
    Usernames,
    Source(ValueSource),
}

/// The names that a template may use besides those in `let`; `item` only with `each`, `subtitle` only after it is
/// rendered.
pub const NAMES: [&str; 12] = [
    "msg",
    "envelope",
    "topic",
    "usernames",
    "packages",
    "containers",
    "modules",
    "flatpaks",
    "groups",
    "agent",
    "item",
    "subtitle",
];

impl CatalogueEntry {
    /// Returns true if its `when` holds for this message; its topics are not checked.
    pub fn applies(&self, message: &MessageView<'_>) -> bool {
        self.when.as_ref().is_none_or(|when| holds(when, message))
    }

    /// Extracts the facts.
    pub fn facts(&self, message: &MessageView<'_>) -> Facts {
        Facts {
            usernames: collect(&self.usernames, message),
            packages: collect(&self.packages, message),
            containers: collect(&self.containers, message),
            modules: collect(&self.modules, message),
            flatpaks: collect(&self.flatpaks, message),
            groups: collect(&self.groups, message),
            agent: self
                .agent
                .as_ref()
                .filter(|agent| agent.when.as_ref().is_none_or(|when| holds(when, message)))
                .and_then(|agent| agent.source.first(message))
                .filter(|a| is_name(a))
                .map(|a| a.into_owned()),
            severity: severity(message),
            ..Facts::default()
        }
    }

    /// Renders the text. A template that fails leaves its fallback and a line in `problems`.
    pub fn text(&self, environment: &Environment<'static>, message: &MessageView<'_>, facts: &Facts) -> Text {
        let texts = &self.text;
        let mut context = texts.context(message, facts);
        let mut problems = Vec::new();
        let mut render = |name: &str, template: &Option<Template>, context: &Value| {
            let rendered = template.as_ref()?.render(environment, context);
            rendered.unwrap_or_else(|error| {
                problems.push(format!("{name}: {error}"));
                None
            })
        };
        let title = render("title", &texts.title, &context).map(line);
        let title = title.unwrap_or_else(|| message.rest.unwrap_or(message.topic).to_owned());
        let subtitle = render("subtitle", &texts.subtitle, &context).map(line).unwrap_or_else(|| title.clone());
        if texts.needs.names().any(|(name, _)| name == "subtitle") {
            context = minijinja::context! { subtitle => &subtitle, ..context };
        }
        let mut text = Text {
            long_form: render("long_form", &texts.long_form, &context).map(|text| cut(text, limits::LONG_FORM_CHARS)),
            link: render("link", &texts.link, &context).map(line),
            icon: render("icon", &texts.icon, &context).map(line),
            secondary_icon: render("secondary_icon", &texts.secondary_icon, &context).map(line),
            thread: render("thread", &texts.thread, &context).map(line),
            title,
            subtitle,
            ..Text::default()
        };
        text.objects = texts.objects(environment, message, facts, &context, &mut problems);
        text.problems = problems;
        text
    }
}

impl EntryTexts {
    fn context(&self, message: &MessageView<'_>, facts: &Facts) -> Value {
        let value = |name: &str, needs: &Needs| match name {
            "msg" => needs.of(Some(message.msg)),
            "envelope" => needs.of(Some(message.envelope)),
            "topic" => Value::from(message.rest.unwrap_or(message.topic)),
            "usernames" => Value::from(facts.usernames.clone()),
            "packages" => Value::from(facts.packages.clone()),
            "containers" => Value::from(facts.containers.clone()),
            "modules" => Value::from(facts.modules.clone()),
            "flatpaks" => Value::from(facts.flatpaks.clone()),
            "groups" => Value::from(facts.groups.clone()),
            "agent" => facts.agent.as_deref().map_or(Value::UNDEFINED, Value::from),
            name => match self.names.iter().find(|(known, _)| known == name) {
                Some((_, source)) => named(source, needs, message),
                None => Value::UNDEFINED,
            },
        };
        template::map(self.needs.names().map(|(name, needs)| (name.to_owned(), value(name, needs))))
    }

    fn objects(
        &self,
        environment: &Environment<'static>,
        message: &MessageView<'_>,
        facts: &Facts,
        context: &Value,
        problems: &mut Vec<String>,
    ) -> Vec<String> {
        let mut objects = Vec::new();
        let mut add = |template: &Template, context: &Value| match template.render(environment, context) {
            Ok(text) => {
                let text = text.unwrap_or_default();
                objects.extend(text.lines().map(str::trim).filter(|object| is_name(object)).map(str::to_owned));
            }
            Err(error) => problems.push(format!("objects: {error}")),
        };
        for (each, template) in &self.objects {
            let items = match each {
                None => {
                    add(template, context);
                    continue;
                }
                Some(Each::Packages) => facts.packages.clone(),
                Some(Each::Usernames) => facts.usernames.clone(),
                Some(Each::Source(source)) => strings(source, message),
            };
            for item in items {
                let context = minijinja::context! { item, ..context.clone() };
                add(template, &context);
            }
        }
        sorted(objects)
    }
}

/// The value of a name in `let` for a template: the array that the source leads to, a list if the source can have
/// several values, else the first scalar, else the part of the message that the source leads to.
fn named(source: &ValueSource, needs: &Needs, message: &MessageView<'_>) -> Value {
    let part = source.part(message);
    if part.is_some_and(serde_json::Value::is_array) {
        return needs.of(part);
    }
    if source.is_plural() {
        return Value::from(strings(source, message));
    }
    let mut first = None;
    source.values(message, &mut |item| {
        first.get_or_insert_with(|| match item {
            SourceItem::Json(json) => template::convert(json),
            SourceItem::Text(text) => Value::from(text.as_ref()),
        });
    });
    first.unwrap_or_else(|| needs.of(part))
}

/// The values of a source in their order.
fn strings(source: &ValueSource, message: &MessageView<'_>) -> Vec<String> {
    let mut found = Vec::new();
    source.values(message, &mut |item| push(&mut found, item));
    found
}

fn collect(sources: &[ConditionalSource], message: &MessageView<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for conditional in sources {
        if conditional.when.as_ref().is_none_or(|when| holds(when, message)) {
            conditional.source.values(message, &mut |item| push(&mut found, item));
        }
    }
    sorted(found)
}

fn push(found: &mut Vec<String>, item: SourceItem<'_>) {
    if found.len() < limits::FACT_ITEMS
        && let Some(text) = item.text().filter(|text| is_name(text))
    {
        found.push(text.into_owned());
    }
}

fn sorted(mut items: Vec<String>) -> Vec<String> {
    items.sort_unstable();
    items.dedup();
    items
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= limits::FACT_BYTES
}

/// Conditions of entries and sources have no arguments; one that fails with an error does not hold.
fn holds(condition: &Condition, message: &MessageView<'_>) -> bool {
    condition.holds(message, &Arguments::new()).unwrap_or(false)
}

/// The severity that fedora-messaging puts in a message's headers.
pub fn severity(message: &MessageView<'_>) -> Option<Severity> {
    Severity::from_number(message.envelope.get("headers")?.get("fedora_messaging_severity")?.as_u64()?)
}

/// A text of one line: line breaks become spaces.
pub fn line(text: String) -> String {
    let text = cut(text, limits::LINE_CHARS);
    if text.contains(char::is_control) { text.replace(char::is_control, " ") } else { text }
}

/// The first `length` characters.
fn cut(mut text: String, length: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(length) {
        text.truncate(end);
    }
    text
}
