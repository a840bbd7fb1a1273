//! Compiles conditions: which keys may be combined, and what they require.

use std::collections::HashMap;

use serde_json::Value;

use super::condition::{Condition, ConditionTest, FieldTest};
use super::format;
use super::named_sources::NamedSources;

/// The names that the conditions of one entry or rule may refer to.
pub struct Conditions<'c, 'r> {
    arguments: &'c [&'c str],
    rules: &'c HashMap<&'c str, &'c format::RawCondition>,
    names: &'c mut NamedSources<'r>,
    open: Vec<String>,
}

impl<'c, 'r> Conditions<'c, 'r> {
    pub const fn new(
        arguments: &'c [&'c str],
        rules: &'c HashMap<&'c str, &'c format::RawCondition>,
        names: &'c mut NamedSources<'r>,
    ) -> Conditions<'c, 'r> {
        Conditions { arguments, rules, names, open: Vec::new() }
    }

    /// A condition that never holds.
    pub fn never() -> Condition {
        Condition { tests: vec![ConditionTest::Any(Vec::new())] }
    }

    /// Compiles one condition.
    pub fn compile(&mut self, raw: &format::RawCondition) -> Result<Condition, String> {
        let mut tests = Vec::new();
        tests.extend(raw.category.clone().map(ConditionTest::Category));
        tests.extend(raw.topic.clone().map(ConditionTest::Topic));
        tests.extend(raw.topic_ends.clone().map(ConditionTest::TopicEnds));
        tests.extend(raw.topic_contains.clone().map(ConditionTest::TopicContains));
        if let Some(rule) = &raw.rule {
            tests.push(ConditionTest::All(vec![self.rule(rule)?]));
        }
        match &raw.field {
            Some(field) => {
                let test = match &raw.differs_from {
                    Some(other) if Self::field_tests(raw).len() == 1 => {
                        FieldTest::DiffersFrom(self.names.source(other)?)
                    }
                    _ => self.field(raw)?,
                };
                tests.push(ConditionTest::Field(self.names.source(field)?, test));
            }
            None if Self::field_tests(raw).is_empty() => {}
            None => return Err(format!("`{}` needs a `field`", Self::field_tests(raw)[0])),
        }
        if let Some(all) = &raw.all {
            tests.push(ConditionTest::All(self.list(all)?));
        }
        if let Some(any) = &raw.any {
            tests.push(ConditionTest::Any(self.list(any)?));
        }
        if let Some(not) = &raw.not {
            tests.push(ConditionTest::Not(Box::new(self.compile(not)?)));
        }
        if tests.is_empty() {
            return Err(
                "a condition without a test: expected one of category, topic, topic_ends, topic_contains, field, \
                        rule, all, any, not"
                    .to_owned(),
            );
        }
        Ok(Condition { tests })
    }

    fn list(&mut self, raw: &[format::RawCondition]) -> Result<Vec<Condition>, String> {
        raw.iter().map(|raw| self.compile(raw)).collect()
    }

    fn rule(&mut self, name: &str) -> Result<Condition, String> {
        let Some(raw) = self.rules.get(name) else { return Err(format!("no rule `{name}` in this file")) };
        if self.open.iter().any(|open| open == name) {
            return Err(format!("the rule `{name}` refers to itself"));
        }
        self.open.push(name.to_owned());
        let compiled = self.compile(raw);
        self.open.pop();
        compiled
    }

    /// The tests of a field that are present.
    fn field_tests(raw: &format::RawCondition) -> Vec<&'static str> {
        let field_tests = [
            ("equals", raw.equals.is_some()),
            ("one_of", raw.one_of.is_some()),
            ("contains", raw.contains.is_some()),
            ("in_argument", raw.in_argument.is_some()),
            ("differs_from", raw.differs_from.is_some()),
            ("is", raw.is.is_some()),
        ];
        field_tests.into_iter().filter(|(_, present)| *present).map(|(name, _)| name).collect()
    }

    fn field(&self, raw: &format::RawCondition) -> Result<FieldTest, String> {
        const EXPECTED: &str = "expected exactly one of equals, one_of, contains, in_argument, differs_from, is";
        if Self::field_tests(raw).len() != 1 {
            return Err(format!("`field` with {} tests: {EXPECTED}", Self::field_tests(raw).len()));
        }
        if raw.ignore_case.is_some() && raw.in_argument.is_none() {
            return Err("`ignore_case` is only possible with `in_argument`".to_owned());
        }
        if let Some(value) = &raw.equals {
            return Ok(FieldTest::Equals(scalar(value)?));
        }
        if let Some(values) = &raw.one_of {
            return Ok(FieldTest::OneOf(values.iter().map(scalar).collect::<Result<_, _>>()?));
        }
        if let Some(part) = &raw.contains {
            return Ok(FieldTest::Contains(part.clone()));
        }
        if let Some(argument) = &raw.in_argument {
            if !self.arguments.contains(&argument.as_str()) {
                return Err(format!("`in_argument`: the rule has no argument `{argument}`"));
            }
            let fold = raw.ignore_case.unwrap_or(false);
            return Ok(FieldTest::InArgument { argument: argument.clone(), fold });
        }
        match raw.is.as_deref() {
            Some("present") => Ok(FieldTest::Present),
            Some("true") => Ok(FieldTest::True),
            other => Err(format!("`is = {other:?}`: expected `present` or `true`")),
        }
    }
}

fn scalar(value: &toml::Value) -> Result<Value, String> {
    match value {
        toml::Value::String(text) => Ok(Value::from(text.as_str())),
        toml::Value::Integer(number) => Ok(Value::from(*number)),
        toml::Value::Float(number) => Ok(Value::from(*number)),
        toml::Value::Boolean(flag) => Ok(Value::from(*flag)),
        other => Err(format!("`{other}`: expected a text, number or boolean")),
    }
}
