//! The value of a limit, computed from its expression as far as numbers and durations go, and how people read it.

use std::collections::HashMap;
use std::time::Duration;

use syn::{BinOp, Expr, Item, Lit};

use crate::tidy::source::SourceFile;

/// Constants that refer to each other are followed no further than this.
const DEPTH: usize = 16;

/// The expressions of all constants, by name.
#[derive(Default)]
pub struct Constants<'a>(HashMap<String, &'a Expr>);

impl<'a> Constants<'a> {
    pub fn collect(files: impl IntoIterator<Item = &'a SourceFile>) -> Constants<'a> {
        let items = files.into_iter().filter_map(|file| file.syntax.as_ref()).flat_map(|syntax| &syntax.items);
        let constants = items.filter_map(|item| match item {
            Item::Const(item) => Some((item.ident.to_string(), &*item.expr)),
            _ => None,
        });
        Constants(constants.collect())
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Number {
    Int(i128),
    Float(f64),
    Time(Duration),
}

/// The default of a limit.
pub struct LimitValue {
    /// `None` where the expression is more than arithmetic.
    number: Option<Number>,
    /// The last word of the name, in lower case: often the unit.
    last_word: String,
}

impl LimitValue {
    pub fn new(name: &str, expression: &Expr, constants: &Constants<'_>) -> LimitValue {
        let name = name.to_lowercase();
        let name = ["_min", "_max", "_each", "_ceiling"]
            .iter()
            .fold(&*name, |name, end| name.strip_suffix(end).unwrap_or(name));
        let last_word = name.rsplit('_').next().unwrap_or(name).to_owned();
        LimitValue { number: evaluate(expression, constants, 0), last_word }
    }

    /// The unit that the type or the name tells. A plural at the end of the name is one: `log_lines`, `MAX_CRASHES`.
    pub fn unit(&self) -> Option<&str> {
        match (&self.number, &*self.last_word) {
            (Some(Number::Time(_)), _) => Some(""),
            (_, "chars") => Some("characters"),
            (_, "ms") => Some("ms"),
            (_, "percent") => Some("%"),
            (_, word) => word.ends_with('s').then_some(word),
        }
    }

    /// The value with its unit; `documented` is used where it is not empty.
    pub fn display(&self, documented: &str) -> String {
        let unit = if documented.is_empty() { self.unit().unwrap_or_default() } else { documented };
        let (shown, binary) = match self.number {
            Some(Number::Int(value)) => (grouped(value), if unit == "bytes" { binary(value) } else { String::new() }),
            Some(Number::Float(value)) => (value.to_string(), String::new()),
            Some(Number::Time(value)) => return duration(value),
            None => ("computed".to_owned(), String::new()),
        };
        format!("{shown} {unit}{binary}").trim_end().to_owned()
    }
}

fn evaluate(expression: &Expr, constants: &Constants<'_>, depth: usize) -> Option<Number> {
    if depth > DEPTH {
        return None;
    }
    let inner = |expression| evaluate(expression, constants, depth + 1);
    match expression {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(value) => value.base10_parse().ok().map(Number::Int),
            Lit::Float(value) => value.base10_parse().ok().map(Number::Float),
            _ => None,
        },
        Expr::Paren(paren) => inner(&paren.expr),
        Expr::Group(group) => inner(&group.expr),
        Expr::Cast(cast) => inner(&cast.expr),
        Expr::Path(path) => inner(constants.0.get(&path.path.segments.last()?.ident.to_string())?),
        Expr::Binary(binary) => combine(inner(&binary.left)?, &binary.op, inner(&binary.right)?),
        Expr::Call(call) => match (&*call.func, call.args.first(), call.args.len()) {
            (Expr::Path(function), Some(argument), 1) => {
                let Number::Int(value) = inner(argument)? else { return None };
                time(&function.path.segments.last()?.ident.to_string(), value)
            }
            _ => None,
        },
        Expr::MethodCall(call) => match (inner(&call.receiver)?, &*call.method.to_string()) {
            (Number::Time(value), "as_secs") => Some(Number::Int(value.as_secs().into())),
            (Number::Time(value), "as_millis") => i128::try_from(value.as_millis()).ok().map(Number::Int),
            _ => None,
        },
        _ => None,
    }
}

fn combine(left: Number, operation: &BinOp, right: Number) -> Option<Number> {
    let (Number::Int(left), Number::Int(right)) = (left, right) else { return None };
    let result = match operation {
        BinOp::Add(_) => left.checked_add(right),
        BinOp::Sub(_) => left.checked_sub(right),
        BinOp::Mul(_) => left.checked_mul(right),
        BinOp::Div(_) => left.checked_div(right),
        BinOp::Shl(_) => u32::try_from(right).ok().and_then(|right| left.checked_shl(right)),
        _ => None,
    };
    result.map(Number::Int)
}

/// The constructors of `Duration`.
fn time(constructor: &str, value: i128) -> Option<Number> {
    let value = u64::try_from(value).ok()?;
    let duration = match constructor {
        "from_hours" => Duration::from_secs(value.checked_mul(3600)?),
        "from_mins" => Duration::from_secs(value.checked_mul(60)?),
        "from_secs" => Duration::from_secs(value),
        "from_millis" => Duration::from_millis(value),
        "from_micros" => Duration::from_micros(value),
        _ => return None,
    };
    Some(Number::Time(duration))
}

/// `1,048,576`.
fn grouped(value: i128) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut shown = if value < 0 { "-".to_owned() } else { String::new() };
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// ` (1 MiB)`, for a whole number of the largest unit that fits.
fn binary(bytes: i128) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let fitting = units.iter().find(|(size, _)| bytes >= *size && bytes % size == 0);
    fitting.map_or(String::new(), |(size, unit)| format!(" ({} {unit})", bytes / size))
}

/// `1 min 30 s`, `100 ms`.
fn duration(value: Duration) -> String {
    let seconds = value.as_secs();
    let units = [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let mut parts: Vec<_> =
        units.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count} {unit}")).collect();
    if value.subsec_millis() > 0 {
        parts.push(format!("{} ms", value.subsec_millis()));
    }
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, expression: &str) -> String {
        LimitValue::new(name, &syn::parse_str(expression).unwrap(), &Constants::default()).display("")
    }

    #[test]
    fn values_are_computed_and_shown_with_their_unit() {
        assert_eq!(shown("BODY_BYTES", "64 * 1024 * 1024"), "67,108,864 bytes (64 MiB)");
        assert_eq!(shown("NAME_BYTES", "200"), "200 bytes");
        assert_eq!(shown("REASON_CHARS", "500"), "500 characters");
        assert_eq!(shown("ROWS_MAX", "1_000"), "1,000 rows");
        assert_eq!(shown("SHARE", "0.8"), "0.8");
        assert_eq!(shown("WAIT", "Duration::from_secs(5 * 24 * 3600)"), "5 d");
        assert_eq!(shown("TICK", "Duration::from_millis(1_500)"), "1 s 500 ms");
        assert_eq!(shown("OTHER_CALLS", "some::function()"), "computed calls");
    }

    #[test]
    fn constants_that_refer_to_themselves_have_no_value() {
        let file = SourceFile::new("host/src/limits.rs", "const A: u8 = B; const B: u8 = A;".to_owned());
        let constants = Constants::collect([&file]);
        assert_eq!(LimitValue::new("A_CALLS", &syn::parse_str("A").unwrap(), &constants).display(""), "computed calls");
    }
}
