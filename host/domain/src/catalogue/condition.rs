//! Conditions: what the named rules test, and when an entry or a source applies. One compiled condition is all of its
//! tests joined by AND.

use std::collections::BTreeMap;

use serde_json::Value;

use super::source::{Item, Message, Source};
use super::topic;

/// The arguments of a rule by name; a missing one makes the test that needs it false.
pub type Arguments = BTreeMap<String, String>;

/// Why a condition has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A category was asked of a topic that has none.
    #[error("the topic is too short to have a category")]
    NoCategory,
}

/// Tests joined by AND, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub(super) tests: Vec<Test>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    /// The topic without prefix and environment is this one.
    Topic(String),
    /// The topic ends with this text.
    TopicEnds(String),
    /// The topic contains this text.
    TopicContains(String),
    Category(String),
    Field(Source, FieldTest),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
}

/// What is asked of a field; one of its values is enough.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum FieldTest {
    Equals(Value),
    OneOf(Vec<Value>),
    Contains(String),
    /// In the comma-separated list that is this argument, without regard to case where `fold`.
    InArgument {
        argument: String,
        fold: bool,
    },
    /// It has a value, and none that this source has.
    DiffersFrom(Source),
    Present,
    True,
}

impl Condition {
    /// Whether all tests hold; broken if one of those before the first that fails is.
    pub fn holds(&self, message: &Message<'_>, arguments: &Arguments) -> Result<bool, Broken> {
        for test in &self.tests {
            if !test.holds(message, arguments)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Test {
    fn holds(&self, message: &Message<'_>, arguments: &Arguments) -> Result<bool, Broken> {
        Ok(match self {
            Test::Topic(topic) => message.rest == Some(topic),
            Test::TopicEnds(end) => message.topic.ends_with(end.as_str()),
            Test::TopicContains(part) => message.topic.contains(part.as_str()),
            Test::Category(category) => topic::category(message.rest.ok_or(Broken::NoCategory)?) == category,
            Test::Field(source, test) => test.holds(source, message, arguments),
            Test::All(conditions) => {
                for condition in conditions {
                    if !condition.holds(message, arguments)? {
                        return Ok(false);
                    }
                }
                true
            }
            Test::Any(conditions) => {
                for condition in conditions {
                    if condition.holds(message, arguments)? {
                        return Ok(true);
                    }
                }
                false
            }
            Test::Not(condition) => !condition.holds(message, arguments)?,
        })
    }
}

impl FieldTest {
    fn holds(&self, source: &Source, message: &Message<'_>, arguments: &Arguments) -> bool {
        let any = |test: &dyn Fn(Item<'_>) -> bool| {
            let mut found = false;
            source.values(message, &mut |item| found = found || test(item));
            found
        };
        match self {
            FieldTest::Equals(wanted) => any(&|item| equals(&item, wanted)),
            FieldTest::OneOf(wanted) => any(&|item| wanted.iter().any(|wanted| equals(&item, wanted))),
            FieldTest::Contains(part) => any(&|item| item.text().is_some_and(|text| text.contains(part.as_str()))),
            FieldTest::DiffersFrom(other) => {
                let Some(value) = source.first(message) else { return false };
                let mut same = false;
                other.values(message, &mut |item| same = same || item.text().is_some_and(|text| text == value));
                !same
            }
            FieldTest::Present => source.part(message).is_some() || any(&|_| true),
            FieldTest::True => any(&|item| is_true(&item)),
            FieldTest::InArgument { argument, fold } => {
                let Some(list) = arguments.get(argument) else { return false };
                any(&|item| item.text().is_some_and(|text| list_items(list).any(|word| same(word, &text, *fold))))
            }
        }
    }
}

/// The items of a list given as text: separated by commas, blanks around them dropped, empty ones left out.
pub fn list_items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn same(word: &str, text: &str, fold: bool) -> bool {
    if fold { word.to_lowercase() == text.to_lowercase() } else { word == text }
}

fn equals(item: &Item<'_>, wanted: &Value) -> bool {
    match (item, wanted) {
        (Item::Text(text), Value::String(wanted)) => text == wanted,
        (Item::Json(Value::Number(number)), Value::Number(wanted)) => number.as_f64() == wanted.as_f64(),
        (Item::Json(value), wanted) => *value == wanted,
        _ => false,
    }
}

/// What people mean by a flag that is set: true, a number other than zero, a text that is not empty.
fn is_true(item: &Item<'_>) -> bool {
    match item {
        Item::Json(Value::Bool(flag)) => *flag,
        Item::Json(Value::Number(number)) => number.as_f64() != Some(0.0),
        Item::Json(Value::String(text)) => !text.is_empty(),
        Item::Text(text) => !text.is_empty(),
        Item::Json(_) => false,
    }
}
