//! Templates for texts: minijinja without loader, auto-escape or I/O, and with fuel, so that every template ends. A
//! template sees only the parts of the message that it names, which are found at compilation.

use std::collections::{BTreeMap, HashMap};

use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, Value};
use serde_json::Value as Json;

use super::filters;
use super::transform::{address, package_of_nvr};
use crate::limits;

/// The environment of all templates.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_fuel(Some(limits::TEMPLATE_FUEL));
    // Functions that no template here needs, with names that authors use themselves.
    for function in ["range", "dict", "namespace", "debug"] {
        environment.remove_global(function);
    }
    environment.add_filter("avatar", avatar);
    environment.add_filter("email_avatar", email_avatar);
    environment.add_filter("openid_avatar", openid_avatar);
    environment.add_filter("ellipsis", ellipsis);
    environment.add_filter("nvr", |nvr: &str| package_of_nvr(nvr).to_owned());
    environment.add_filter("series", series);
    environment.add_filter("query", query);
    environment.add_filter("quoted", filters::quoted);
    environment.add_filter("folded", filters::folded);
    environment.add_filter("address", |header: &str| address(header).to_owned());
    environment.add_filter("mail_date", filters::mail_date);
    environment
}

/// All templates of a catalogue while it is compiled: the same text is compiled once.
pub struct TemplateLibrary {
    pub environment: Environment<'static>,
    /// Name and needs by the template's text.
    known: HashMap<String, (String, Needs)>,
}

impl TemplateLibrary {
    pub fn new() -> TemplateLibrary {
        TemplateLibrary { environment: environment(), known: HashMap::new() }
    }

    /// Compiles `source`, under `name` if it is new, and returns the parts that it reads.
    pub fn compile(&mut self, name: &str, source: &str) -> Result<(Template, Needs), Error> {
        if !source.contains('{') {
            return Ok((Template::Constant(source.to_owned()), Needs::default()));
        }
        if let Some((name, needs)) = self.known.get(source) {
            return Ok((Template::Compiled(name.clone()), needs.clone()));
        }
        self.environment.add_template_owned(name.to_owned(), source.to_owned())?;
        let mut needs = Needs::default();
        let paths = self.environment.template_from_str(&without_cuts(source))?.undeclared_variables(true);
        paths.iter().for_each(|path| needs.add(path));
        self.known.insert(source.to_owned(), (name.to_owned(), needs.clone()));
        Ok((Template::Compiled(name.to_owned()), needs))
    }
}

/// A template without its slices such as `[:8]`: minijinja does not report what a slice reads.
fn without_cuts(source: &str) -> String {
    let mut kept = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((before, behind)) = rest.split_once('[') {
        kept.push_str(before);
        let inside = behind.split(']').next().unwrap_or(behind);
        let is_cut = inside.contains(':') && inside.chars().all(|c| c.is_ascii_digit() || " :-".contains(c));
        rest = match behind.get(inside.len() + 1..) {
            Some(rest) if is_cut => rest,
            _ => {
                kept.push('[');
                behind
            }
        };
    }
    kept + rest
}

/// A text with or without placeholders.
#[derive(Clone, Debug)]
pub enum Template {
    Constant(String),
    /// By its name in the environment.
    Compiled(String),
}

impl Template {
    /// Renders it; none if the result is blank.
    pub fn render(&self, environment: &Environment<'static>, context: &Value) -> Result<Option<String>, Error> {
        let text = match self {
            Template::Constant(text) => text.clone(),
            Template::Compiled(name) => environment.get_template(name)?.render(context)?,
        };
        Ok((!text.trim().is_empty()).then_some(text))
    }
}

/// The parts of a value that templates read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    whole: bool,
    parts: BTreeMap<String, Needs>,
}

impl Needs {
    /// Adds a dotted path, e.g. `msg.update.title`.
    pub fn add(&mut self, path: &str) {
        let mut needs = self;
        for key in path.split('.') {
            needs = needs.parts.entry(key.to_owned()).or_default();
        }
        needs.whole = true;
    }

    /// Adds all needs of another.
    pub fn merge(&mut self, other: Needs) {
        self.whole |= other.whole;
        for (key, needs) in other.parts {
            self.parts.entry(key).or_default().merge(needs);
        }
    }

    /// The names at its root, each with what is needed of it.
    pub fn names(&self) -> impl Iterator<Item = (&str, &Needs)> {
        self.parts.iter().map(|(name, needs)| (name.as_str(), needs))
    }

    /// The needed parts of a JSON value. Missing values and null are undefined; on the way to a part they are empty, so
    /// that a template can read `msg.a.b` of a message without `a`.
    pub fn of(&self, json: Option<&Json>) -> Value {
        match json {
            None if self.whole => Value::UNDEFINED,
            Some(json) if self.whole || !(json.is_object() || json.is_null()) => convert(json),
            json => map(self.parts.iter().map(|(key, needs)| (key.clone(), needs.of(json.and_then(|j| j.get(key)))))),
        }
    }
}

/// A JSON value for templates; null is undefined.
pub fn convert(json: &Json) -> Value {
    match json {
        Json::Null => Value::UNDEFINED,
        Json::Bool(flag) => Value::from(*flag),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(values) => values.iter().map(convert).collect(),
        Json::Object(values) => map(values.iter().map(|(key, value)| (key.clone(), convert(value)))),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (_, Some(number)) => Value::from(number),
            _ => number.as_f64().map_or(Value::UNDEFINED, Value::from),
        },
    }
}

/// A map for templates.
pub fn map(entries: impl Iterator<Item = (String, Value)>) -> Value {
    Value::from(entries.collect::<BTreeMap<String, Value>>())
}

/// The libravatar picture of a Fedora account, by its OpenID. Services that act under their own name have another.
fn avatar(account: &str) -> String {
    if ["bodhi", "koschei", "taskotron"].contains(&account) {
        return format!("https://apps.fedoraproject.org/img/icons/{account}-64.png");
    }
    openid_avatar(&format!("http://{account}.id.fedoraproject.org/"))
}

/// The libravatar picture of an OpenID.
fn openid_avatar(openid: &str) -> String {
    use sha2::Digest as _;
    libravatar(&hex::encode(sha2::Sha256::digest(openid)))
}

/// The libravatar picture of an e-mail address, in its original case, as in the old system.
fn email_avatar(address: &str) -> String {
    use md5::Digest as _;
    libravatar(&hex::encode(md5::Md5::digest(address.trim())))
}

fn libravatar(digest: &str) -> String {
    format!("https://seccdn.libravatar.org/avatar/{digest}?s=64&d=retro")
}

/// At most `length` characters, with dots (or another sign) if something was cut or nearly was.
fn ellipsis(text: &str, length: usize, dots: Option<&str>) -> String {
    match text.char_indices().nth(length.saturating_sub(1)) {
        None => text.to_owned(),
        Some((last, character)) => format!("{}{}", &text[..last + character.len_utf8()], dots.unwrap_or("...")),
    }
}

/// A text as part of a URL's query: a blank is `+`.
fn query(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// `a`, `a and b`, `a, b, and c`; with a limit, those over it are counted: `a, b, and 2 others`.
fn series(mut items: Vec<String>, limit: Option<usize>) -> String {
    if let Some(limit) = limit.filter(|limit| (1..items.len()).contains(limit)) {
        let others = items.split_off(limit - 1).len();
        items.push(format!("{others} others"));
    }
    match items.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [most @ .., last] => format!("{}, and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn render(source: &str, msg: &Json) -> Result<Option<String>, Error> {
        let mut library = TemplateLibrary::new();
        let (template, needs) = library.compile("test", source)?;
        let context = map(needs.names().map(|(name, needs)| (name.to_owned(), needs.of(Some(msg)))));
        template.render(&library.environment, &context)
    }

    #[test]
    fn templates_print_the_values_of_the_message() {
        let msg = json!({
            "who": "<ann>", "count": 3, "null": null, "list": ["a", "b", "c"], "user": {"name": "bob"},
            "long": "é".repeat(40), "short": "é".repeat(39),
        });
        let table = [
            ("{{ msg.who }} did {{ msg.count }}", Some("<ann> did 3".to_owned())),
            ("{{ msg.user.name or msg.who }}", Some("bob".to_owned())),
            ("{{ msg.missing.deep or msg.who }}", Some("<ann>".to_owned())),
            ("{{ msg.null | default('none') }}", Some("none".to_owned())),
            ("{{ msg.list | series }}", Some("a, b, and c".to_owned())),
            ("{{ msg.who[1:] }}{{ msg.user.name[:-1] }}", Some("ann>bo".to_owned())),
            ("{{ msg.list | series(2) }}", Some("a and 2 others".to_owned())),
            ("{{ msg.list | series(3) }}", Some("a, b, and c".to_owned())),
            ("{% if msg.missing %}x{% endif %} ", None),
            ("{{ msg.long | ellipsis(40) }}", Some(format!("{}...", "é".repeat(40)))),
            ("{{ msg.short | ellipsis(40) }}", Some("é".repeat(39))),
            ("{{ 'bash-5.2-1.fc40' | nvr }}", Some("bash".to_owned())),
            ("{{ 'gtk+-3~rc é/1' | query }}", Some("gtk%2B-3~rc+%C3%A9%2F1".to_owned())),
            ("{{ 'bodhi' | avatar }}", Some("https://apps.fedoraproject.org/img/icons/bodhi-64.png".to_owned())),
            ("plain", Some("plain".to_owned())),
        ];
        for (source, expected) in table {
            let rendered = render(source, &msg).unwrap_or_else(|error| panic!("{source}: {error}"));
            assert_eq!(rendered, expected, "{source}");
        }
    }

    #[test]
    fn a_missing_value_is_an_error() {
        for source in ["{{ msg.missing }}", "{{ msg.missing | avatar }}", "{% include 'other' %}"] {
            assert!(render(source, &json!({})).is_err(), "{source}");
        }
    }

    #[test]
    fn fuel_ends_a_template() {
        let msg = json!({"list": vec![1; 1000]});
        let source = "{% for a in msg.list %}{% for b in msg.list %}{% for c in msg.list %}x{% endfor %}{% endfor %}{% endfor %}";
        assert_eq!(render(source, &msg).unwrap_err().kind(), minijinja::ErrorKind::OutOfFuel);
    }
}
