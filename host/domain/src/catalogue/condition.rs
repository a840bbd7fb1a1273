//! Conditions: what the named rules test, and when an entry or a source applies. One compiled condition is all of its
//! tests joined by AND.

use std::collections::BTreeMap;

use serde_json::Value;

use super::source::{MessageView, SourceItem, ValueSource};
use super::topic;

/// The arguments of a rule by name; a missing one makes the test that needs it false.
pub type Arguments = BTreeMap<String, String>;

/// Why a condition has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// The test needs a category, and the topic has none.
    #[error("the topic is too short to have a category")]
    NoCategory,
}

/// Tests joined by AND, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub(super) tests: Vec<ConditionTest>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum ConditionTest {
    /// The topic without prefix and environment is this one.
    Topic(String),
    /// The topic ends with this text.
    TopicEnds(String),
    /// The topic contains this text.
    TopicContains(String),
    Category(String),
    Field(ValueSource, FieldTest),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
}

/// The test of a field; one matching value is enough.
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
    DiffersFrom(ValueSource),
    Present,
    True,
}

impl Condition {
    /// Whether all tests hold; an error if a test before the first false one fails.
    pub fn holds(&self, message: &MessageView<'_>, arguments: &Arguments) -> Result<bool, ConditionError> {
        for test in &self.tests {
            if !test.holds(message, arguments)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl ConditionTest {
    fn holds(&self, message: &MessageView<'_>, arguments: &Arguments) -> Result<bool, ConditionError> {
        Ok(match self {
            ConditionTest::Topic(topic) => message.rest == Some(topic),
            ConditionTest::TopicEnds(end) => message.topic.ends_with(end.as_str()),
            ConditionTest::TopicContains(part) => message.topic.contains(part.as_str()),
            ConditionTest::Category(category) => {
                topic::category(message.rest.ok_or(ConditionError::NoCategory)?) == category
            }
            ConditionTest::Field(source, test) => test.holds(source, message, arguments),
            ConditionTest::All(conditions) => {
                for condition in conditions {
                    if !condition.holds(message, arguments)? {
                        return Ok(false);
                    }
                }
                true
            }
            ConditionTest::Any(conditions) => {
                for condition in conditions {
                    if condition.holds(message, arguments)? {
                        return Ok(true);
                    }
                }
                false
            }
            ConditionTest::Not(condition) => !condition.holds(message, arguments)?,
        })
    }
}

impl FieldTest {
    fn holds(&self, source: &ValueSource, message: &MessageView<'_>, arguments: &Arguments) -> bool {
        let any = |test: &dyn Fn(SourceItem<'_>) -> bool| {
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

fn equals(item: &SourceItem<'_>, wanted: &Value) -> bool {
    match (item, wanted) {
        (SourceItem::Text(text), Value::String(wanted)) => text == wanted,
        (SourceItem::Json(Value::Number(number)), Value::Number(wanted)) => number.as_f64() == wanted.as_f64(),
        (SourceItem::Json(value), wanted) => *value == wanted,
        _ => false,
    }
}

/// Whether a flag is set: true, a number other than zero, a text that is not empty.
fn is_true(item: &SourceItem<'_>) -> bool {
    match item {
        SourceItem::Json(Value::Bool(flag)) => *flag,
        SourceItem::Json(Value::Number(number)) => number.as_f64() != Some(0.0),
        SourceItem::Json(Value::String(text)) => !text.is_empty(),
        SourceItem::Text(text) => !text.is_empty(),
        SourceItem::Json(_) => false,
    }
}
