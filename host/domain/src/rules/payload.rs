//! The payload as the text that users' patterns see: JSON without blanks, keys sorted, and everything outside ASCII
//! escaped. It is what fedmsg puts on the wire, and what patterns have always been written for.

use std::fmt::Write as _;

use serde_json::Value;

/// The text of a payload.
pub fn text(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => quoted(text, out),
        Value::Array(values) => {
            out.push('[');
            for (position, value) in values.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write(value, out);
            }
            out.push(']');
        }
        Value::Object(values) => {
            // Whether the map is sorted depends on a feature of serde_json that any crate may switch on.
            let mut entries: Vec<_> = values.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (position, (key, value)) in entries.into_iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                quoted(key, out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    // Writing to a String does not fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_payload_is_compact_sorted_and_ascii() {
        let payload = json!({"b": [1, 2.5, null, true], "a": "é \u{1F600} \"x\\\"\n\u{7f}", "c": {}});
        let expected = r#"{"a":"\u00e9 \ud83d\ude00 \"x\\\"\n\u007f","b":[1,2.5,null,true],"c":{}}"#;
        assert_eq!(text(&payload), expected);
    }
}
