//! Necessary properties of a message for a condition to hold, found without testing it: the last segment or the
//! category of its topic, a word in one of its fields. The match index uses them for named rules. Unknown cases return
//! none.

use super::condition::{Condition, ConditionTest, FieldTest};
use super::source::ValueSource;

/// A part of a topic that a condition needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TopicKey {
    /// The last of the words between dots.
    LastWord(String),
    Category(String),
}

/// A field that a condition compares with the words of an argument.
#[derive(Clone, Debug, PartialEq)]
pub struct RequiredWords {
    pub source: ValueSource,
    pub argument: String,
    /// Without regard to case.
    pub fold: bool,
}

impl Condition {
    /// Keys of which a message must have one; none if it may have any topic.
    pub fn topics(&self) -> Option<Vec<TopicKey>> {
        let of_each = self.tests.iter().filter_map(ConditionTest::topics);
        of_each.min_by_key(|keys| keys.iter().any(|key| matches!(key, TopicKey::Category(_))))
    }

    /// Fields of which one must have a word of its argument; none if the condition can hold without one.
    pub fn words(&self) -> Option<Vec<RequiredWords>> {
        self.tests.iter().find_map(ConditionTest::words)
    }
}

impl ConditionTest {
    fn topics(&self) -> Option<Vec<TopicKey>> {
        match self {
            ConditionTest::Topic(topic) => Some(vec![last_word(topic)]),
            // Without a dot it may be the end of a word.
            ConditionTest::TopicEnds(end) => end.contains('.').then(|| vec![last_word(end)]),
            ConditionTest::Category(category) => Some(vec![TopicKey::Category(category.clone())]),
            ConditionTest::All(conditions) => {
                let of_each = conditions.iter().filter_map(Condition::topics);
                of_each.min_by_key(|keys| keys.iter().any(|key| matches!(key, TopicKey::Category(_))))
            }
            ConditionTest::Any(conditions) => each(conditions, Condition::topics),
            ConditionTest::TopicContains(_) | ConditionTest::Field(..) | ConditionTest::Not(_) => None,
        }
    }

    fn words(&self) -> Option<Vec<RequiredWords>> {
        match self {
            ConditionTest::Field(source, FieldTest::InArgument { argument, fold }) => {
                Some(vec![RequiredWords { source: source.clone(), argument: argument.clone(), fold: *fold }])
            }
            ConditionTest::All(conditions) => conditions.iter().find_map(Condition::words),
            ConditionTest::Any(conditions) => each(conditions, Condition::words),
            _ => None,
        }
    }
}

/// The needs of all alternatives together; none if one of them needs nothing.
fn each<T>(conditions: &[Condition], needs: impl Fn(&Condition) -> Option<Vec<T>>) -> Option<Vec<T>> {
    let of_each: Option<Vec<Vec<T>>> = conditions.iter().map(needs).collect();
    Some(of_each?.into_iter().flatten().collect())
}

fn last_word(topic: &str) -> TopicKey {
    TopicKey::LastWord(topic.rsplit('.').next().unwrap_or(topic).to_owned())
}
