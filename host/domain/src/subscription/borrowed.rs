//! Subscriptions as the ruleset reads them: borrowed, from the model or straight from the text that the store keeps, so
//! that a million filters are compiled without building each of them first.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::subscription::{DigestOptions, Filter, Rule, Style, Subscription};

/// A user's filters for one channel.
#[derive(Clone, Debug)]
pub struct SubscriptionRef<'a> {
    pub channel: &'a str,
    pub enabled: bool,
    pub addresses: &'a [String],
    pub digest: Option<DigestOptions>,
    pub style: Style,
    pub filters: Vec<FilterRef<'a>>,
}

/// Rules joined by AND.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct FilterRef<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(default)]
    pub oneshot: bool,
    #[serde(default = "yes")]
    pub active: bool,
    #[serde(borrow, default)]
    pub rules: Vec<RuleRef<'a>>,
}

/// One test.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct RuleRef<'a> {
    #[serde(borrow)]
    pub rule: Cow<'a, str>,
    #[serde(borrow, default)]
    pub arguments: ArgumentsRef<'a>,
    #[serde(default)]
    pub negated: bool,
}

/// Names and values; sorted by name, as the model and the store have them.
#[derive(Clone, Debug, Default)]
pub struct ArgumentsRef<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl ArgumentsRef<'_> {
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

impl RuleRef<'_> {
    pub fn to_owned(&self) -> Rule {
        let arguments = self.arguments.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Rule { rule: self.rule.as_ref().to_owned(), arguments, negated: self.negated }
    }
}

impl<'a> FilterRef<'a> {
    /// Reads a JSON array of filters.
    pub fn read_all(json: &'a str) -> Result<Vec<FilterRef<'a>>, serde_json::Error> {
        serde_json::from_str(json)
    }
}

impl<'a> From<&'a Subscription> for SubscriptionRef<'a> {
    fn from(subscription: &'a Subscription) -> Self {
        let Subscription { user: _, channel, enabled, addresses, digest, style, filters } = subscription;
        let filters = filters.iter().map(FilterRef::from).collect();
        SubscriptionRef { channel, enabled: *enabled, addresses, digest: *digest, style: *style, filters }
    }
}

impl<'a> From<&'a Filter> for FilterRef<'a> {
    fn from(filter: &'a Filter) -> Self {
        let Filter { name, oneshot, active, rules } = filter;
        let rules = rules.iter().map(RuleRef::from).collect();
        FilterRef { name: name.into(), oneshot: *oneshot, active: *active, rules }
    }
}

impl<'a> From<&'a Rule> for RuleRef<'a> {
    fn from(Rule { rule, arguments, negated }: &'a Rule) -> Self {
        let arguments = arguments.iter().map(|(name, value)| (name.into(), value.into())).collect();
        RuleRef { rule: rule.into(), arguments: ArgumentsRef(arguments), negated: *negated }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for ArgumentsRef<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Arguments;
        #[derive(serde::Deserialize)]
        struct Text<'t>(#[serde(borrow)] Cow<'t, str>);
        impl<'de> Visitor<'de> for Arguments {
            type Value = ArgumentsRef<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the arguments of a rule")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut arguments = Vec::new();
                while let Some((Text(name), Text(value))) = map.next_entry()? {
                    arguments.push((name, value));
                }
                arguments.sort();
                Ok(ArgumentsRef(arguments))
            }
        }
        deserializer.deserialize_map(Arguments)
    }
}

const fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_text_and_the_model_give_the_same_filter() {
        let filter = Filter {
            name: "büro \"1\"".to_owned(),
            oneshot: true,
            active: false,
            rules: vec![
                Rule {
                    rule: "user_filter".to_owned(),
                    arguments: [("fasnick".to_owned(), "a\\n".to_owned())].into(),
                    negated: true,
                },
                Rule { rule: "git_receive".to_owned(), arguments: [].into(), negated: false },
            ],
        };
        let text = serde_json::to_string(&[&filter]).unwrap();
        let read = FilterRef::read_all(&text).unwrap();
        let [read] = read.as_slice() else { panic!("one filter") };
        assert_eq!((&*read.name, read.oneshot, read.active), (&*filter.name, true, false));
        assert_eq!(read.rules.iter().map(RuleRef::to_owned).collect::<Vec<_>>(), filter.rules);
        assert_eq!(FilterRef::from(&filter).rules[0].to_owned(), filter.rules[0]);
    }

    #[test]
    fn absent_fields_have_the_defaults_of_the_model() {
        let read = FilterRef::read_all(r#"[{"name":"f"},{"name":"g","rules":[{"rule":"x"}]}]"#).unwrap();
        assert!(read[0].active && !read[0].oneshot && read[0].rules.is_empty());
        assert!(!read[1].rules[0].negated && read[1].rules[0].arguments.iter().next().is_none());
    }
}
