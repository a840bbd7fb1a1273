//! The catalogue file as it is written: serde's view of the TOML, with the position of everything that may be invalid.
//! Unknown keys are errors. `compile` decides what the keys mean.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use toml::{Spanned, Value};

use crate::rule_info::ArgumentKind;

/// One file: one application.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawFile {
    pub application: Spanned<String>,
    /// The segments after prefix and environment in its topics; by default the name of the application.
    pub categories: Option<Vec<Spanned<String>>>,
    /// Applies to every topic that does not override it.
    #[serde(default)]
    pub defaults: RawEntry,
    #[serde(default, rename = "topic")]
    pub topics: Vec<Spanned<RawEntry>>,
    #[serde(default, rename = "group")]
    pub groups: Vec<Spanned<RawGroup>>,
    #[serde(default, rename = "rule")]
    pub rules: Vec<RawRule>,
    #[serde(default, rename = "example")]
    pub examples: Vec<Spanned<RawExample>>,
}

/// How to read some topics.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawEntry {
    /// Patterns for what follows the category. Not in `defaults`.
    pub topics: Option<Vec<Spanned<String>>>,
    /// Names in the `fedora_messaging_schema` header; such a message belongs to this entry under any topic. Not in
    /// `defaults`.
    pub schemas: Option<Vec<Spanned<String>>>,
    /// Only for messages that meet this condition. Not in `defaults`.
    pub when: Option<Spanned<RawCondition>>,
    /// Sources with a name, for use in other sources and in templates.
    #[serde(default, rename = "let")]
    pub names: BTreeMap<String, Spanned<String>>,
    pub usernames: Option<Vec<Spanned<Sourced>>>,
    pub packages: Option<Vec<Spanned<Sourced>>>,
    pub containers: Option<Vec<Spanned<Sourced>>>,
    pub modules: Option<Vec<Spanned<Sourced>>>,
    pub flatpaks: Option<Vec<Spanned<Sourced>>>,
    pub groups: Option<Vec<Spanned<Sourced>>>,
    pub agent: Option<Spanned<Sourced>>,
    pub title: Option<Spanned<String>>,
    pub subtitle: Option<Spanned<String>>,
    pub long_form: Option<Spanned<String>>,
    pub link: Option<Spanned<String>>,
    pub icon: Option<Spanned<String>>,
    pub secondary_icon: Option<Spanned<String>>,
    pub thread: Option<Spanned<String>>,
    pub objects: Option<Vec<Spanned<RawObject>>>,
}

/// A source, optionally with a condition: `"msg.agent"` or `{ from = "msg.agent", when = { … } }`.
#[derive(Clone)]
pub struct Sourced {
    pub from: String,
    pub when: Option<RawCondition>,
}

/// The path of an object: a template, or one for each value of a source: `{ each = "packages", text = "packages/{{ item
/// }}" }`.
#[derive(Clone)]
pub struct RawObject {
    pub text: String,
    pub each: Option<String>,
}

/// Tests joined by AND.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawCondition {
    pub topic: Option<String>,
    pub topic_ends: Option<String>,
    pub topic_contains: Option<String>,
    pub category: Option<String>,
    /// A source; needs one of the tests below.
    pub field: Option<String>,
    pub equals: Option<Value>,
    pub one_of: Option<Vec<Value>>,
    pub contains: Option<String>,
    /// The name of an argument that is a list.
    pub in_argument: Option<String>,
    /// With `in_argument`: upper and lower case are the same.
    pub ignore_case: Option<bool>,
    /// Another source.
    pub differs_from: Option<String>,
    /// `present` or `true`.
    pub is: Option<String>,
    pub all: Option<Vec<RawCondition>>,
    pub any: Option<Vec<RawCondition>>,
    pub not: Option<Box<RawCondition>>,
    /// The name of another rule of this file that must hold too.
    pub rule: Option<String>,
}

/// Messages of a digest that fold into one line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawGroup {
    /// Patterns for what follows the category.
    pub topics: Vec<Spanned<String>>,
    pub when: Option<Spanned<RawCondition>>,
    /// Sources that must each have a value in common; a list of sources has the values of all of them.
    pub by: Vec<Spanned<Sources>>,
    /// Sources with a name; templates have the values of all messages.
    #[serde(default, rename = "let")]
    pub names: BTreeMap<String, Spanned<String>>,
    pub subtitle: Spanned<String>,
    /// The same for a reader who is the `subject`.
    pub subjective: Option<Spanned<String>>,
    pub link: Option<Spanned<String>>,
    pub secondary_icon: Option<Spanned<String>>,
    pub example: Spanned<RawGroupExample>,
}

/// One source or several.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a source or a list of sources")]
pub enum Sources {
    One(String),
    Several(Vec<String>),
}

impl Sources {
    pub const fn as_slice(&self) -> &[String] {
        match self {
            Sources::One(source) => std::slice::from_ref(source),
            Sources::Several(sources) => sources.as_slice(),
        }
    }
}

/// Messages that fold, and the expected line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawGroupExample {
    /// Whole envelopes, as JSON.
    pub messages: Vec<String>,
    pub expect: BTreeMap<String, Spanned<Value>>,
}

/// A named rule.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRule {
    pub name: Spanned<String>,
    pub title: String,
    #[serde(default)]
    pub help: String,
    #[serde(default)]
    pub arguments: Vec<RawArgument>,
    pub test: Spanned<RawCondition>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawArgument {
    pub name: String,
    pub kind: ArgumentKind,
    #[serde(default)]
    pub help: String,
    pub default: Option<String>,
}

/// A message and the expected facts and texts.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawExample {
    /// The whole envelope, as JSON.
    pub message: String,
    /// Expected fact or text by its name; `false`: it must be absent.
    pub expect: BTreeMap<String, Spanned<Value>>,
}

impl RawEntry {
    /// This entry, completed from the defaults. Names are not: they are looked up in both.
    pub fn or(self, defaults: &RawEntry) -> RawEntry {
        RawEntry {
            topics: self.topics,
            schemas: self.schemas,
            when: self.when,
            names: self.names,
            usernames: self.usernames.or_else(|| defaults.usernames.clone()),
            packages: self.packages.or_else(|| defaults.packages.clone()),
            containers: self.containers.or_else(|| defaults.containers.clone()),
            modules: self.modules.or_else(|| defaults.modules.clone()),
            flatpaks: self.flatpaks.or_else(|| defaults.flatpaks.clone()),
            groups: self.groups.or_else(|| defaults.groups.clone()),
            agent: self.agent.or_else(|| defaults.agent.clone()),
            title: self.title.or_else(|| defaults.title.clone()),
            subtitle: self.subtitle.or_else(|| defaults.subtitle.clone()),
            long_form: self.long_form.or_else(|| defaults.long_form.clone()),
            link: self.link.or_else(|| defaults.link.clone()),
            icon: self.icon.or_else(|| defaults.icon.clone()),
            secondary_icon: self.secondary_icon.or_else(|| defaults.secondary_icon.clone()),
            thread: self.thread.or_else(|| defaults.thread.clone()),
            objects: self.objects.or_else(|| defaults.objects.clone()),
        }
    }
}

impl<'de> Deserialize<'de> for Sourced {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Sourced, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            from: String,
            when: RawCondition,
        }
        let read = text_or_table(deserializer, "a source or `{ from = …, when = … }`")?;
        Ok(match read {
            TextOr::Text(from) => Sourced { from, when: None },
            TextOr::Table(Table { from, when }) => Sourced { from, when: Some(when) },
        })
    }
}

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawObject, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            each: String,
            text: String,
        }
        let read = text_or_table(deserializer, "a template or `{ each = …, text = … }`")?;
        Ok(match read {
            TextOr::Text(text) => RawObject { text, each: None },
            TextOr::Table(Table { each, text }) => RawObject { text, each: Some(each) },
        })
    }
}

enum TextOr<T> {
    Text(String),
    Table(T),
}

/// Reads a text or a table, without losing the error of the table as serde's untagged enums do.
fn text_or_table<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
    expecting: &'static str,
) -> Result<TextOr<T>, D::Error> {
    struct Either<T>(&'static str, std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
        type Value = TextOr<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E>(self, text: &str) -> Result<TextOr<T>, E> {
            Ok(TextOr::Text(text.to_owned()))
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TextOr<T>, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map)).map(TextOr::Table)
        }
    }
    deserializer.deserialize_any(Either(expecting, std::marker::PhantomData))
}
