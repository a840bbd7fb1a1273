//! Sources: where in a message a value is found, e.g. `msg.agent.username ?? msg.agent` or
//! `msg.update.builds[].nvr | nvr`. A path walks the JSON; `??` takes the first alternative that gives anything; `|` names
//! a transformation. Missing fields and unexpected shapes give nothing; nothing here fails on a message.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use super::transform::Transform;
use crate::aliases::Aliases;

/// What a source may look at.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub envelope: &'a Value,
    pub msg: &'a Value,
    /// The topic as it came.
    pub topic: &'a str,
    /// The topic without prefix and environment.
    pub rest: Option<&'a str>,
    pub aliases: &'a Aliases,
}

/// One value that a source gives.
#[derive(Clone, Debug)]
pub enum Item<'a> {
    /// A scalar of the message that is not a text, or a whole part of it.
    Json(&'a Value),
    Text(Cow<'a, str>),
}

impl<'a> Item<'a> {
    /// The value as text; numbers and booleans as JSON writes them, anything else not at all.
    pub fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Item::Text(text) => Some(text),
            Item::Json(Value::String(text)) => Some(Cow::Borrowed(text)),
            Item::Json(value @ (Value::Number(_) | Value::Bool(_))) => Some(Cow::Owned(value.to_string())),
            Item::Json(_) => None,
        }
    }
}

/// A compiled source: alternatives in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    pub(super) alternatives: Vec<Chain>,
}

/// A value and what is done to it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chain {
    pub head: Head,
    pub transforms: Vec<Transform>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Head {
    Literal(String),
    Path(Root, Vec<Step>),
    /// Another source, by its name in `let`.
    Named(Arc<Source>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    Msg,
    Envelope,
    /// The topic without prefix and environment.
    Topic,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Key(String),
    /// `[0]`
    Index(usize),
    /// `[]`: every element of an array.
    Each,
    /// `[key=value]`: only an object with this field; with `?=` also one without the field.
    Where {
        key: String,
        value: String,
        or_absent: bool,
    },
}

impl Source {
    /// Whether it may give several values.
    pub fn is_plural(&self) -> bool {
        self.alternatives.iter().any(|chain| {
            chain.transforms.iter().any(Transform::is_plural)
                || match &chain.head {
                    Head::Literal(_) => false,
                    Head::Path(_, steps) => steps.contains(&Step::Each),
                    Head::Named(source) => source.is_plural(),
                }
        })
    }

    /// Hands every value to `out`; true if there was any. Arrays give their elements, objects and nulls nothing.
    pub fn values<'a>(&self, message: &Message<'a>, out: &mut dyn FnMut(Item<'a>)) -> bool {
        self.alternatives.iter().any(|chain| chain.values(message, out))
    }

    /// The first value that is a text, number or boolean.
    pub fn first<'a>(&self, message: &Message<'a>) -> Option<Cow<'a, str>> {
        let mut first = None;
        self.values(message, &mut |item| {
            if first.is_none() {
                first = item.text();
            }
        });
        first
    }

    /// The part of the message that the source leads to, where it is a plain path.
    pub fn part<'a>(&self, message: &Message<'a>) -> Option<&'a Value> {
        self.alternatives.iter().find_map(|chain| match &chain.head {
            Head::Path(root, steps) if chain.transforms.is_empty() && !steps.contains(&Step::Each) => {
                let mut part = None;
                walk(root.of(message)?, steps, &mut |value| part = part.or(Some(value)));
                part.filter(|value| !value.is_null())
            }
            Head::Named(source) if chain.transforms.is_empty() => source.part(message),
            _ => None,
        })
    }
}

impl Chain {
    fn values<'a>(&self, message: &Message<'a>, out: &mut dyn FnMut(Item<'a>)) -> bool {
        let mut any = false;
        let keys = self.transforms.first() == Some(&Transform::Keys);
        let transforms = if keys { &self.transforms[1..] } else { &self.transforms[..] };
        let mut emit = |item: Item<'a>| any |= transformed(item, transforms, message.aliases, out);
        match &self.head {
            Head::Literal(text) => emit(Item::Text(Cow::Owned(text.clone()))),
            Head::Named(source) => {
                source.values(message, &mut emit);
            }
            Head::Path(Root::Topic, _) => {
                message.rest.into_iter().for_each(|rest| emit(Item::Text(Cow::Borrowed(rest))));
            }
            Head::Path(root, steps) => {
                if let Some(start) = root.of(message) {
                    walk(start, steps, &mut |value| {
                        if keys { each_key(value, &mut emit) } else { scalars(value, &mut emit) }
                    });
                }
            }
        }
        any
    }
}

impl Root {
    const fn of<'a>(self, message: &Message<'a>) -> Option<&'a Value> {
        match self {
            Root::Msg => Some(message.msg),
            Root::Envelope => Some(message.envelope),
            Root::Topic => None,
        }
    }
}

fn walk<'a>(value: &'a Value, steps: &[Step], out: &mut dyn FnMut(&'a Value)) {
    let Some((step, steps)) = steps.split_first() else { return out(value) };
    match step {
        Step::Key(key) => value.get(key).into_iter().for_each(|value| walk(value, steps, out)),
        Step::Index(index) => value.get(index).into_iter().for_each(|value| walk(value, steps, out)),
        Step::Each => value.as_array().into_iter().flatten().for_each(|value| walk(value, steps, out)),
        Step::Where { key, value: wanted, or_absent } => match value.get(key) {
            None if *or_absent && value.is_object() => walk(value, steps, out),
            Some(found) if Item::Json(found).text().is_some_and(|text| text == *wanted) => walk(value, steps, out),
            _ => {}
        },
    }
}

/// The texts, numbers and booleans of a value, arrays opened.
fn scalars<'a>(value: &'a Value, out: &mut dyn FnMut(Item<'a>)) {
    match value {
        Value::Null | Value::Object(_) => {}
        Value::Array(values) => values.iter().for_each(|value| scalars(value, out)),
        Value::String(text) if text.is_empty() => {}
        scalar => out(Item::Json(scalar)),
    }
}

fn each_key<'a>(value: &'a Value, out: &mut dyn FnMut(Item<'a>)) {
    for key in value.as_object().into_iter().flat_map(serde_json::Map::keys) {
        out(Item::Text(Cow::Borrowed(key)));
    }
}

/// Applies the transformations in order; true if anything came out.
fn transformed<'a>(
    item: Item<'a>,
    transforms: &[Transform],
    aliases: &'a Aliases,
    out: &mut dyn FnMut(Item<'a>),
) -> bool {
    let Some((transform, rest)) = transforms.split_first() else {
        out(item);
        return true;
    };
    let Some(text) = item.text() else { return false };
    let mut any = false;
    transform.apply(text, aliases, &mut |text| any |= transformed(Item::Text(text), rest, aliases, out));
    any
}
