//! Runs the examples of a catalogue: a message, and its expected facts, texts and rules. Every entry of a catalogue
//! needs one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::aliases::Aliases;
use crate::catalogue::application::{Application, CatalogueExample};
use crate::catalogue::group::GroupExample;
use crate::catalogue::{Catalogue, CatalogueError};
use crate::digest::{self, DigestItem};
use crate::event::Event;
use crate::message::{Envelope, Frame};
use crate::rules;
use crate::time::Timestamp;

/// Runs every example of every file. Each difference is an error with its file and line.
pub fn check_examples(catalogue: &Catalogue) -> Vec<CatalogueError> {
    catalogue.applications().iter().flat_map(|application| check(catalogue, application)).collect()
}

/// The errors in the examples of an application, in the order of the file.
fn check(catalogue: &Catalogue, application: &Application) -> Vec<CatalogueError> {
    let error = |line: usize, what: String| CatalogueError { file: application.file.clone(), line, what };
    let mut errors = Vec::new();
    let mut covered = BTreeSet::new();
    for example in &application.examples {
        match run(catalogue, example) {
            Err(what) => errors.push(error(example.line, what)),
            Ok((entry, found)) => {
                covered.extend(entry);
                for (key, (line, expected)) in &example.expect {
                    errors.extend(difference(key, expected, &found).map(|what| error(*line, what)));
                }
            }
        }
    }
    for group in &application.groups {
        errors.extend(check_group(catalogue, &group.example).into_iter().map(|(line, what)| error(line, what)));
    }
    let without_example = application.lines.iter().enumerate().filter(|(entry, _)| !covered.contains(entry));
    errors.extend(without_example.map(|(_, line)| error(*line, "no valid example covers this `[[topic]]`".to_owned())));
    errors.sort();
    errors
}

/// The entry of an example's message, and its facts, texts and rules by name.
fn run(catalogue: &Catalogue, example: &CatalogueExample) -> Result<(Option<usize>, Value), String> {
    let frame = Frame { topic: None, body: example.message.clone().into_bytes() };
    let envelope =
        Envelope::read(&frame).map_err(|refusal| format!("the message of the example is invalid: {refusal}"))?;
    let aliases = Aliases::default();
    let event = Event::new(catalogue, &aliases, &envelope);
    let (facts, text) = (event.facts(), event.text());
    if let Some(problem) = text.problems.first() {
        return Err(format!("a template fails on the example: {problem}"));
    }
    let found = json!({
        "application": facts.application,
        "usernames": facts.usernames,
        "packages": facts.packages,
        "containers": facts.containers,
        "modules": facts.modules,
        "flatpaks": facts.flatpaks,
        "groups": facts.groups,
        "agent": facts.agent,
        "severity": facts.severity,
        "title": text.title,
        "subtitle": text.subtitle,
        "long_form": text.long_form,
        "link": text.link,
        "icon": text.icon,
        "secondary_icon": text.secondary_icon,
        "objects": text.objects,
        "thread": text.thread,
        "rules": rules::holding(&event),
    });
    Ok((facts.entry.and_then(|id| id.entry), found))
}

/// The errors in a group's example: its messages must make one line with the expected values.
fn check_group(catalogue: &Catalogue, example: &GroupExample) -> Vec<(usize, String)> {
    let aliases = Aliases::default();
    let mut items = Vec::new();
    for message in &example.messages {
        let frame = Frame { topic: None, body: message.clone().into_bytes() };
        match Envelope::read(&frame) {
            Err(refusal) => return vec![(example.line, format!("a message of the example is invalid: {refusal}"))],
            Ok(envelope) => {
                items.push(DigestItem::of_event(&Event::new(catalogue, &aliases, &envelope), Timestamp::default()));
            }
        }
    }
    let (lines, problems) = digest::try_fold(catalogue, &aliases, &items, None);
    if let Some(problem) = problems.first() {
        return vec![(example.line, format!("a template fails on the example: {problem}"))];
    }
    let [line] = lines.as_slice() else {
        let subtitles: Vec<&String> = lines.iter().map(|line| &line.subtitle).collect();
        return vec![(example.line, format!("the example's messages make {} lines: {subtitles:?}", lines.len()))];
    };
    let found = json!({
        "subtitle": line.subtitle,
        "link": line.link,
        "icon": line.icon,
        "secondary_icon": line.secondary_icon,
        "usernames": line.usernames,
        "packages": line.packages,
    });
    let different = |(key, (at, expected)): (&String, &(usize, toml::Value))| {
        difference(key, expected, &found).map(|what| (*at, what))
    };
    example.expect.iter().filter_map(different).collect()
}

fn difference(key: &str, expected: &toml::Value, found: &Value) -> Option<String> {
    let Some(found) = found.get(key) else {
        let known: Vec<&String> = found.as_object().into_iter().flat_map(serde_json::Map::keys).collect();
        return Some(format!("a message has no fact or text `{key}`: expected one of {known:?}"));
    };
    let same = match expected {
        toml::Value::Boolean(false) => found.is_null() || *found == json!([]),
        toml::Value::String(text) => found == text,
        toml::Value::Array(items) => {
            let expected: Option<BTreeSet<&str>> = items.iter().map(toml::Value::as_str).collect();
            let found: Option<BTreeSet<&str>> = found.as_array().and_then(|a| a.iter().map(Value::as_str).collect());
            expected.is_some() && expected == found
        }
        _ => false,
    };
    (!same).then(|| format!("`{key}`: expected {expected}, found {found}"))
}
