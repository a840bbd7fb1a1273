//! Tests of loading a catalogue: every error is reported with its file and line and the expected form.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use tidings_domain::aliases::Aliases;
use tidings_domain::catalogue::Catalogue;
use tidings_domain::event::Event;
use tidings_domain::message::{Envelope, Frame};
use tidings_domain::time::Timestamp;

fn load(files: &[(&str, &str)]) -> Result<Catalogue, Vec<String>> {
    let files: Vec<_> = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Catalogue::load(&files).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

#[test]
fn errors_name_their_line_and_what_was_expected() {
    let head = "application = \"shop\"\n\n";
    let table = [
        ("agent = ", "shop.toml:3: "),
        ("[defaults]\nusernames = [\"msg.buyer | nrv\"]", "shop.toml:4: unknown transformation `nrv`"),
        ("[defaults]\nusername = [\"msg.buyer\"]", "shop.toml:4: unknown field `username`, expected one of"),
        ("[defaults]\nagent = \"buyer\"", "shop.toml:4: unknown name `buyer`: expected `msg`"),
        ("[defaults]\nlet.a = \"b\"\nlet.b = \"a\"", "`a` is defined by itself"),
        ("[defaults]\nlet.agent = \"msg.a\"", "shop.toml:4: `agent` cannot be defined"),
        ("[defaults]\nsubtitle = \"{{ buyer }}\"", "shop.toml:4: unknown name `buyer` in a template: expected msg"),
        ("[defaults]\nsubtitle = \"{{ msg.buyer \"", "shop.toml:4: in the template"),
        ("[defaults]\nsubtitle = \"{{ msg.a | nosuch }}\"", "shop.toml:4: there is no filter `nosuch`"),
        ("[defaults]\ntopics = [\"a\"]", "`topics` is not possible in `[defaults]`"),
        ("[[topic]]\nsubtitle = \"x\"", "shop.toml:3: a `[[topic]]` needs `topics`"),
        ("[[topic]]\ntopics = [\"a..b\"]", "shop.toml:4: the topic pattern `a..b` has an empty segment"),
        ("[[topic]]\ntopics = [\"a\"]\npackages = [{ form = \"msg.a\" }]", "shop.toml:5: unknown field `form`"),
        ("[[topic]]\ntopics = [\"a\"]\npackages = [3]", "expected a source or `{ from = …, when = … }`"),
        (
            "[[rule]]\nname = \"r\"\ntitle = \"t\"\ntest = {}",
            "shop.toml:6: a condition without a test: expected one of",
        ),
        ("[[rule]]\nname = \"r\"\ntitle = \"t\"\ntest = { equals = 1 }", "shop.toml:6: `equals` needs a `field`"),
        (
            "[[rule]]\nname = \"r\"\ntitle = \"t\"\ntest = { field = \"msg.a\" }",
            "`field` with 0 tests: expected exactly one of equals",
        ),
        (
            "[[rule]]\nname = \"r\"\ntitle = \"t\"\ntest = { field = \"msg.a\", in_argument = \"x\" }",
            "the rule has no argument `x`",
        ),
        ("[[rule]]\nname = \"r\"\ntitle = \"t\"\ntest = { rule = \"r\" }", "the rule `r` refers to itself"),
        (
            "[[rule]]\nname = \"user_filter\"\ntitle = \"t\"\ntest = { category = \"shop\" }",
            "shop.toml:4: there is another rule",
        ),
        ("[[rule]]\nname = \"r\"\ntitle = \"t\"\ntest = { topik = \"a\" }", "unknown field `topik`"),
    ];
    for (body, expected) in table {
        let text = format!("{head}{body}\n");
        let errors = load(&[("shop.toml", &text)]).unwrap_err();
        assert!(errors.iter().any(|error| error.contains(expected)), "{body}\n{errors:#?}");
    }
}

#[test]
fn all_errors_of_all_files_are_reported_once() {
    let one =
        "application = \"one\"\n[defaults]\nagent = \"x\"\n[[topic]]\ntopics = [\"a\"]\n[[topic]]\ntopics = [\"b\"]\n";
    let two = "application = \"one\"\n[defaults]\nlink = \"{{\"\n";
    let errors = load(&[("one.toml", one), ("two.toml", two)]).unwrap_err();
    assert_eq!(errors.len(), 3, "{errors:#?}");
    assert!(errors[0].starts_with("one.toml:3: "), "{errors:#?}");
    assert!(errors.iter().any(|error| error.contains("the category `one` is also in one.toml")), "{errors:#?}");
}

const SHOP: &str = r#"
application = "shop"

[defaults]
usernames = ["msg.buyer", { from = "msg.seller", when = { field = "msg.public", is = "true" } }]
agent = "msg.buyer"
subtitle = "{{ msg.buyer }} did something"
thread = "orders/{{ msg.order }}"

[[topic]]
topics = ["order.*"]
when = { field = "msg.goods", is = "present" }
packages = ["msg.goods[].name | lower"]
let.count = "msg.count"
subtitle = "{{ msg.buyer }} ordered {{ count }} of {{ packages | series }}"
objects = [{ each = "msg.goods[].name", text = "goods/{{ item }}" }, "orders/{{ msg.order }}"]

[[topic]]
topics = ["order.new"]
subtitle = "{{ msg.buyer }} ordered something"

[[example]]
message = '{"topic": "org.example.prod.shop.order.new", "msg": {"buyer": "ann", "order": 1}}'
expect = { subtitle = "ann ordered something", usernames = ["ann"], packages = false, thread = "orders/1" }

[[example]]
message = '{"topic": "org.example.prod.shop.order.new", "msg": {"buyer": "ann"}}'
expect = { subtitle = "ann ordered nothing" }

[[example]]
message = 'not JSON'
expect = { nosuch = "x" }

[[example]]
message = '{"topic": "org.example.prod.shop.sold", "msg": {"buyer": "ann", "order": 2}}'
expect.subtitle = "ann did something"
expect.packages = ["tea"]
expect.nosuch = "x"
"#;

#[test]
fn the_first_entry_with_matching_topics_and_condition_applies() {
    let catalogue = load(&[("shop.toml", SHOP)]).unwrap();
    let aliases = Aliases::default();
    let table = [
        (
            r#"{"topic": "org.example.prod.shop.order.new", "msg": {"buyer": "ann", "seller": "sue", "public": true,
             "goods": [{"name": "Tea"}, {"name": "Cup"}, {"name": "Pot"}], "count": 3, "order": 7}}"#,
            "ann ordered 3 of cup, pot, and tea",
            vec!["ann", "sue"],
            vec!["goods/Cup", "goods/Pot", "goods/Tea", "orders/7"],
        ),
        (
            r#"{"topic": "org.example.prod.shop.order.new", "msg": {"buyer": "ann", "seller": "sue"}}"#,
            "ann ordered something",
            vec!["ann"],
            vec![],
        ),
        (
            r#"{"topic": "org.example.prod.shop.closed", "msg": {"buyer": "ann"}}"#,
            "ann did something",
            vec!["ann"],
            vec![],
        ),
        (r#"{"topic": "org.example.prod.shop.closed", "msg": {}}"#, "shop.closed", vec![], vec![]),
    ];
    for (message, subtitle, usernames, objects) in table {
        let envelope = Envelope::read(&Frame { topic: None, body: message.as_bytes().to_vec() }).unwrap();
        let event = Event::new(&catalogue, &aliases, &envelope);
        assert_eq!(event.text().subtitle, subtitle);
        assert_eq!(event.facts().usernames, usernames);
        assert_eq!(event.text().objects, objects);
    }
}

#[test]
fn a_failing_template_gives_its_fallback_and_is_reported() {
    let catalogue = load(&[("shop.toml", SHOP)]).unwrap();
    let aliases = Aliases::default();
    let message = br#"{"topic": "org.example.prod.shop.closed", "msg": {}}"#;
    let envelope = Envelope::read(&Frame { topic: None, body: message.to_vec() }).unwrap();
    let event = Event::new(&catalogue, &aliases, &envelope);
    let problems = &event.text().problems;
    assert!(problems.iter().any(|problem| problem.starts_with("subtitle: ")), "{problems:?}");
    let stored = event.stored(Timestamp::from_millis(5));
    assert_eq!((&*stored.subtitle, &*stored.long_form, stored.link), ("shop.closed", "shop.closed", None));
    assert_eq!((stored.timestamp, &*stored.body), (Timestamp::from_millis(5), "{}"));
}

#[test]
fn examples_with_other_results_are_errors() {
    let catalogue = load(&[("shop.toml", SHOP)]).unwrap();
    let errors: Vec<String> =
        tidings_domain::examples::check_examples(&catalogue).iter().map(ToString::to_string).collect();
    let expected = [
        "shop.toml:10: no valid example covers this `[[topic]]`",
        "shop.toml:26: a template fails on the example: thread",
        "shop.toml:30: the message of the example is invalid: the body is not JSON",
        "shop.toml:37: `packages`: expected [\"tea\"], found []",
        "shop.toml:38: a message has no fact or text `nosuch`",
    ];
    assert_eq!(errors.len(), expected.len(), "{errors:#?}");
    for (error, expected) in errors.iter().zip(expected) {
        assert!(error.starts_with(expected), "{error}");
    }
}
