//! Values of a channel's configuration and limits, as arguments give them.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use serde_json::{Map, Value};
use tidings_domain::limits::PluginLimits;

/// Configuration values by field; none removes one.
pub(super) fn assignments(pairs: &[String]) -> anyhow::Result<BTreeMap<String, Option<String>>> {
    pairs.iter().map(|pair| assignment(pair)).collect()
}

fn assignment(pair: &str) -> anyhow::Result<(String, Option<String>)> {
    let (key, value) = pair.split_once('=').ok_or_else(|| anyhow!("`{pair}` is not KEY=VALUE"))?;
    let value = match value.strip_prefix('@') {
        Some(file) => {
            let text = std::fs::read_to_string(file).with_context(|| format!("{key}: cannot read {file}"))?;
            // Editors end files with a line break that is not meant.
            Some(text.strip_suffix('\n').unwrap_or(&text).to_owned())
        }
        None if value.is_empty() => None,
        None => Some(value.to_owned()),
    };
    Ok((key.to_owned(), value))
}

/// The present limits with these values. The daemon refuses names that it does not know.
pub(super) fn limits(present: &PluginLimits, pairs: &[String]) -> anyhow::Result<Map<String, Value>> {
    let Value::Object(mut limits) = serde_json::to_value(present)? else { return Ok(Map::new()) };
    for pair in pairs {
        let (key, value) = pair.split_once('=').ok_or_else(|| anyhow!("`{pair}` is not KEY=NUMBER"))?;
        let value: u64 = value.parse().with_context(|| format!("{key}: `{value}` is not a number"))?;
        limits.insert(key.to_owned(), value.into());
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_values_are_set_read_from_files_and_removed() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), "s3cret\n").expect("it can be written");
        let from_file = format!("password=@{}", file.path().display());
        for (pair, expected) in [
            ("host=mail.example.org", Some(("host", Some("mail.example.org")))),
            ("note=a=b", Some(("note", Some("a=b")))),
            ("host=", Some(("host", None))),
            (from_file.as_str(), Some(("password", Some("s3cret")))),
            ("key=@/nonexistent", None),
            ("host", None),
        ] {
            let read = assignment(pair).ok();
            assert_eq!(read, expected.map(|(key, value)| (key.to_owned(), value.map(str::to_owned))), "{pair}");
        }
    }

    #[test]
    fn limits_are_changed_by_name_and_the_others_stay() {
        let present = PluginLimits::default();
        let changed = limits(&present, &["deadline_ms=1234".to_owned()]).expect("a number");
        let changed: PluginLimits = serde_json::from_value(Value::Object(changed)).expect("limits");
        assert_eq!(changed, PluginLimits { deadline_ms: 1234, ..present });
        assert!(limits(&present, &["deadline_ms=soon".to_owned()]).is_err());
        assert!(limits(&present, &["deadline_ms".to_owned()]).is_err());
    }
}
