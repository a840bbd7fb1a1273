//! Groups: which messages of a digest fold into one line, and its text. An entry is for one message, a group for
//! several.

use std::collections::BTreeMap;

use minijinja::{Environment, Error, Value};

use super::condition::{Arguments, Condition};
use super::entry;
use super::source::{MessageView, SourceItem, ValueSource};
use super::template::{self, Needs, Template};
use super::topic::Pattern;

/// The names that a group's templates may use besides those in `let`.
pub const NAMES: [&str; 7] = ["msg", "topic", "count", "usernames", "packages", "icon", "subject"];

/// One rule of folding.
#[derive(Debug)]
pub struct DigestGroup {
    pub topics: Vec<Pattern>,
    pub when: Option<Condition>,
    /// Messages belong together if each of these lists has a value in common with the first message's.
    pub by: Vec<Vec<ValueSource>>,
    /// The sources that the templates name, and the parts of the messages that the templates read.
    pub names: Vec<(String, ValueSource)>,
    pub needs: Needs,
    pub subtitle: Template,
    pub subjective: Option<Template>,
    pub link: Option<Template>,
    pub secondary_icon: Option<Template>,
    pub example: GroupExample,
}

/// Messages that fold, to be checked.
#[derive(Debug)]
pub struct GroupExample {
    pub line: usize,
    pub messages: Vec<String>,
    /// By the name of a text or fact of the line: its line in the file and value.
    pub expect: BTreeMap<String, (usize, toml::Value)>,
}

/// What the members of a group have in common, for its templates.
pub struct GroupContext<'c> {
    pub usernames: &'c [String],
    pub packages: &'c [String],
    /// Of the first message.
    pub icon: Option<&'c str>,
    /// The reader of the line; an empty name in templates if there is none.
    pub subject: Option<&'c str>,
}

/// How a folded line reads.
#[derive(Debug)]
pub struct GroupText {
    pub subtitle: String,
    /// As its reader, `subject`, is addressed.
    pub subjective: Option<String>,
    pub link: Option<String>,
    pub secondary_icon: Option<String>,
}

impl DigestGroup {
    /// The keys that must meet another message's keys to fold, by source; none if the group does not apply to this
    /// message.
    pub fn keys(&self, message: &MessageView<'_>) -> Option<Vec<Vec<String>>> {
        let tail = message.rest?.split_once('.').map_or("", |(_, tail)| tail);
        let applies = self.topics.iter().any(|pattern| pattern.matches(tail))
            && self.when.as_ref().is_none_or(|when| when.holds(message, &Arguments::new()).unwrap_or(false));
        applies.then(|| self.by.iter().map(|sources| texts(sources, message)).collect())
    }

    /// The text of messages that belong together, the first of them first; none if there is no subtitle.
    pub fn text(
        &self,
        environment: &Environment<'static>,
        messages: &[MessageView<'_>],
        common: &GroupContext<'_>,
    ) -> Result<Option<GroupText>, Error> {
        let context = self.context(messages, common);
        let Some(subtitle) = self.subtitle.render(environment, &context)?.map(entry::line) else { return Ok(None) };
        let render = |template: &Option<Template>| -> Result<Option<String>, Error> {
            let Some(template) = template else { return Ok(None) };
            Ok(template.render(environment, &context)?.map(entry::line))
        };
        Ok(Some(GroupText {
            subtitle,
            subjective: render(&self.subjective)?,
            link: render(&self.link)?,
            secondary_icon: render(&self.secondary_icon)?,
        }))
    }

    fn context(&self, messages: &[MessageView<'_>], common: &GroupContext<'_>) -> Value {
        let text = |text: Option<&str>| text.map_or(Value::UNDEFINED, Value::from);
        let value = |name: &str, needs: &Needs| match name {
            "msg" => needs.of(messages.first().map(|message| message.msg)),
            "topic" => text(messages.first().and_then(|message| message.rest)),
            "count" => Value::from(messages.len()),
            "usernames" => Value::from(common.usernames.to_vec()),
            "packages" => Value::from(common.packages.to_vec()),
            "icon" => text(common.icon),
            "subject" => Value::from(common.subject.unwrap_or_default()),
            name => match self.names.iter().find(|(known, _)| known == name) {
                Some((_, source)) => messages.iter().flat_map(|message| values(source, message)).collect(),
                None => Value::UNDEFINED,
            },
        };
        template::map(self.needs.names().map(|(name, needs)| (name.to_owned(), value(name, needs))))
    }
}

fn texts(sources: &[ValueSource], message: &MessageView<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        source.values(message, &mut |item| found.extend(item.text().map(|text| text.into_owned())));
    }
    found
}

fn values(source: &ValueSource, message: &MessageView<'_>) -> Vec<Value> {
    let mut found = Vec::new();
    source.values(message, &mut |item| {
        found.push(match item {
            SourceItem::Json(json) => template::convert(json),
            SourceItem::Text(text) => Value::from(text.as_ref()),
        });
    });
    found
}
