//! JSON as fedmsg writes and signs it: Python's `json.dumps(…, sort_keys=True, separators=(",", ":"))` with all
//! characters outside ASCII escaped. Users' patterns are written for this text, and signatures cover it, so it must be
//! the same byte for byte.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// The canonical text of `value`.
pub fn to_string(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => out.push_str(&self::number(number)),
        Value::String(text) => string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            // UTF-8 sorts by code point, as Python does.
            fields.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (n, (key, value)) in fields.into_iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                string(key, out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

fn string(text: &str, out: &mut String) {
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
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

/// Python's repr of a number: the shortest digits that read back the same, with an exponent below 1e-4 and from 1e16.
fn number(number: &Number) -> String {
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else {
        return number.to_string();
    };
    let scientific = format!("{float:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    match exponent.parse::<i32>() {
        Ok(-4..=15) => format!("{float:?}"),
        Ok(exponent) => format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.unsigned_abs()),
        Err(_) => scientific,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_equals_the_output_of_python() {
        // Each right side was printed by Python 3.11's json.dumps with the options above.
        let cases = [
            (
                r#"{"b": [1, -2, null, true], "a": {"z": "", "A": false}}"#,
                r#"{"a":{"A":false,"z":""},"b":[1,-2,null,true]}"#,
            ),
            (
                r#"{"é": "☃ 😀", "e": 1, "￿": 2, "😀": 3}"#,
                r#"{"e":1,"\u00e9":"\u2603 \ud83d\ude00","\uffff":2,"\ud83d\ude00":3}"#,
            ),
            (r#""\u0000\u0007\b\t\n\f\r\u001f \"\\\/\u007f""#, r#""\u0000\u0007\b\t\n\f\r\u001f \"\\/\u007f""#),
            (r"[1.0, 0.1, -0.0, 1e-4, 1e-5, 1.5e-7]", r"[1.0,0.1,-0.0,0.0001,1e-05,1.5e-07]"),
            (
                r"[1e15, 123456789012345680.0, 1e16, 1.5e22]",
                r"[1000000000000000.0,1.2345678901234568e+17,1e+16,1.5e+22]",
            ),
            (r"[18446744073709551615, -9223372036854775808]", r"[18446744073709551615,-9223372036854775808]"),
            (r"[1344350850.886738, 0.5]", r"[1344350850.886738,0.5]"),
            (r"[[], {}]", r"[[],{}]"),
        ];
        for (json, canonical) in cases {
            let value: Value = serde_json::from_str(json).unwrap();
            assert_eq!(to_string(&value), canonical);
            assert_eq!(serde_json::from_str::<Value>(canonical).unwrap(), value, "the text parses to the same value");
        }
        assert_eq!(to_string(&serde_json::json!([1.25e300, 5e-324])), "[1.25e+300,5e-324]");
    }
}
