//! Sources: where in a message a value is found, e.g. `msg.agent.username ?? msg.agent` or `msg.update.builds[].nvr |
//! nvr`. A path walks the JSON; `??` takes the first alternative with a value; `|` names a transformation. Missing
//! fields and unexpected shapes have no value; no message causes an error.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use super::topic;
use super::transform::Transform;
use crate::aliases::Aliases;

/// The parts of a message that a source can read.
#[derive(Clone, Copy, Debug)]
pub struct MessageView<'a> {
    pub envelope: &'a Value,
    pub msg: &'a Value,
    /// The topic as received.
    pub topic: &'a str,
    /// The topic without prefix and environment.
    pub rest: Option<&'a str>,
    pub aliases: &'a Aliases,
}

impl<'a> MessageView<'a> {
    /// The first segment of its topic after prefix and environment.
    pub fn category(&self) -> Option<&'a str> {
        self.rest.map(topic::category)
    }
}

/// One value of a source.
#[derive(Clone, Debug)]
pub enum SourceItem<'a> {
    /// A scalar of the message that is not a text, or a whole part of it.
    Json(&'a Value),
    Text(Cow<'a, str>),
}

impl<'a> SourceItem<'a> {
    /// The value as text; numbers and booleans as JSON writes them, anything else not at all.
    pub fn text(self) -> Option<Cow<'a, str>> {
        match self {
            SourceItem::Text(text) => Some(text),
            SourceItem::Json(Value::String(text)) => Some(Cow::Borrowed(text)),
            SourceItem::Json(value @ (Value::Number(_) | Value::Bool(_))) => Some(Cow::Owned(value.to_string())),
            SourceItem::Json(_) => None,
        }
    }
}

/// A compiled source: alternatives in order.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueSource {
    pub(super) alternatives: Vec<Chain>,
}

/// A value and its transformations.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chain {
    pub head: Head,
    pub transforms: Vec<Transform>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Head {
    Literal(String),
    Path(Root, Vec<PathStep>),
    /// Another source, by its name in `let`.
    Named(Arc<ValueSource>),
    /// What is below the part of the message that a name leads to.
    Below(Arc<ValueSource>, Vec<PathStep>),
    /// `a + b`: the first values of all parts, concatenated; no value if a part has none.
    Sum(Vec<Chain>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    Msg,
    Envelope,
    /// The topic without prefix and environment.
    Topic,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum PathStep {
    Key(String),
    /// `[0]`
    Index(usize),
    /// `[-1]`
    Last,
    /// `[]`: every element of an array or value of an object.
    Each,
    /// `[(name)]`: the value under the key that is the first value of another source.
    KeyOf(Arc<ValueSource>),
    /// `[key]`: only an object with a value there that is not null, false or empty.
    Having(String),
    /// `[key=value]`: only an object with this field; with `?=` also one without the field.
    Where {
        key: String,
        value: String,
        or_absent: bool,
    },
    /// `[key~=text]`: only where this text is in that field, or in the element with that number.
    Containing {
        key: String,
        part: String,
    },
}

impl ValueSource {
    /// Returns true if it may have several values.
    pub fn is_plural(&self) -> bool {
        self.alternatives.iter().any(|chain| {
            chain.transforms.iter().any(Transform::is_plural)
                || match &chain.head {
                    Head::Literal(_) | Head::Sum(_) => false,
                    Head::Path(_, steps) | Head::Below(_, steps) => steps.contains(&PathStep::Each),
                    Head::Named(source) => source.is_plural(),
                }
        })
    }

    /// Passes every value to `out`; returns true if there was any. The values of an array are its elements; objects and
    /// null have none.
    pub fn values<'a>(&self, message: &MessageView<'a>, out: &mut dyn FnMut(SourceItem<'a>)) -> bool {
        self.alternatives.iter().any(|chain| chain.values(message, out))
    }

    /// The first value that is a text, number or boolean.
    pub fn first<'a>(&self, message: &MessageView<'a>) -> Option<Cow<'a, str>> {
        self.alternatives.iter().find_map(|chain| chain.first(message))
    }

    /// The part of the message that the source leads to, where it is a plain path.
    pub fn part<'a>(&self, message: &MessageView<'a>) -> Option<&'a Value> {
        let below = |start: Option<&'a Value>, steps: &[PathStep]| {
            let mut part = None;
            walk(start?, steps, message, &mut |value| part = part.or(Some(value)));
            part.filter(|value| !value.is_null() && !steps.contains(&PathStep::Each))
        };
        let plain = self.alternatives.iter().filter(|chain| chain.transforms.is_empty());
        plain.into_iter().find_map(|chain| match &chain.head {
            Head::Path(root, steps) => below(root.of(message), steps),
            Head::Below(source, steps) => below(source.part(message), steps),
            Head::Named(source) => source.part(message),
            Head::Literal(_) | Head::Sum(_) => None,
        })
    }
}

impl Chain {
    fn values<'a>(&self, message: &MessageView<'a>, out: &mut dyn FnMut(SourceItem<'a>)) -> bool {
        let mut any = false;
        let keys = self.transforms.first() == Some(&Transform::Keys);
        let transforms = if keys { &self.transforms[1..] } else { &self.transforms[..] };
        let mut emit = |item: SourceItem<'a>| any |= transformed(item, transforms, message.aliases, out);
        match &self.head {
            Head::Literal(text) => emit(SourceItem::Text(Cow::Owned(text.clone()))),
            Head::Named(source) => {
                source.values(message, &mut emit);
            }
            Head::Sum(parts) => {
                let sum: Option<String> = parts.iter().map(|part| part.first(message)).collect();
                sum.into_iter().for_each(|sum| emit(SourceItem::Text(Cow::Owned(sum))));
            }
            Head::Path(Root::Topic, _) => {
                message.rest.into_iter().for_each(|rest| emit(SourceItem::Text(Cow::Borrowed(rest))));
            }
            Head::Path(root, steps) => below(root.of(message), steps, keys, message, &mut emit),
            Head::Below(source, steps) => below(source.part(message), steps, keys, message, &mut emit),
        }
        any
    }

    fn first<'a>(&self, message: &MessageView<'a>) -> Option<Cow<'a, str>> {
        let mut first = None;
        self.values(message, &mut |item| {
            if first.is_none() {
                first = item.text();
            }
        });
        first
    }
}

impl Root {
    const fn of<'a>(self, message: &MessageView<'a>) -> Option<&'a Value> {
        match self {
            Root::Msg => Some(message.msg),
            Root::Envelope => Some(message.envelope),
            Root::Topic => None,
        }
    }
}

/// The scalars, or the keys, that the steps lead to.
fn below<'a>(
    start: Option<&'a Value>,
    steps: &[PathStep],
    keys: bool,
    message: &MessageView<'a>,
    out: &mut dyn FnMut(SourceItem<'a>),
) {
    let Some(start) = start else { return };
    walk(start, steps, message, &mut |value| if keys { each_key(value, out) } else { scalars(value, out) });
}

fn walk<'a>(value: &'a Value, steps: &[PathStep], message: &MessageView<'a>, out: &mut dyn FnMut(&'a Value)) {
    let Some((step, steps)) = steps.split_first() else { return out(value) };
    let mut go = |value: &'a Value| walk(value, steps, message, out);
    match step {
        PathStep::Key(key) => value.get(key).into_iter().for_each(go),
        PathStep::Index(index) => value.get(index).into_iter().for_each(go),
        PathStep::Last => value.as_array().and_then(|values| values.last()).into_iter().for_each(go),
        PathStep::Each => match value {
            Value::Array(values) => values.iter().for_each(go),
            Value::Object(entries) => entries.values().for_each(go),
            _ => {}
        },
        PathStep::KeyOf(source) => {
            source.first(message).and_then(|key| value.get(key.as_ref())).into_iter().for_each(go)
        }
        PathStep::Having(key) => {
            if value.get(key).is_some_and(is_set) {
                go(value);
            }
        }
        PathStep::Containing { key, part } => {
            let element = || key.parse::<usize>().ok().and_then(|index| value.get(index));
            let found = value.get(key).or_else(element).and_then(Value::as_str);
            if found.is_some_and(|text| text.contains(part.as_str())) {
                go(value);
            }
        }
        PathStep::Where { key, value: wanted, or_absent } => match value.get(key) {
            None if *or_absent && value.is_object() => go(value),
            Some(found) if SourceItem::Json(found).text().is_some_and(|text| text == *wanted) => go(value),
            _ => {}
        },
    }
}

fn is_set(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => !values.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    }
}

/// The texts, numbers and booleans of a value, arrays opened.
fn scalars<'a>(value: &'a Value, out: &mut dyn FnMut(SourceItem<'a>)) {
    match value {
        Value::Null | Value::Object(_) => {}
        Value::Array(values) => values.iter().for_each(|value| scalars(value, out)),
        Value::String(text) if text.is_empty() => {}
        scalar => out(SourceItem::Json(scalar)),
    }
}

fn each_key<'a>(value: &'a Value, out: &mut dyn FnMut(SourceItem<'a>)) {
    for key in value.as_object().into_iter().flat_map(serde_json::Map::keys) {
        out(SourceItem::Text(Cow::Borrowed(key)));
    }
}

/// Applies the transformations in order; returns true if there was any result.
fn transformed<'a>(
    item: SourceItem<'a>,
    transforms: &[Transform],
    aliases: &'a Aliases,
    out: &mut dyn FnMut(SourceItem<'a>),
) -> bool {
    let Some((transform, rest)) = transforms.split_first() else {
        out(item);
        return true;
    };
    let Some(text) = item.text() else { return false };
    let mut any = false;
    transform.apply(text, aliases, &mut |text| any |= transformed(SourceItem::Text(text), rest, aliases, out));
    any
}
