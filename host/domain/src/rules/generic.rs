//! Compiles the generic rules to tests.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use super::compiled::RuleTest;
use crate::acl::Kinds;
use crate::catalogue::condition::list_items;
use crate::limits;
use crate::rule_info::GenericRule;

/// The test of a generic rule; none if no generic rule has this name. Without its argument the rule never holds.
pub fn compile(name: &str, arguments: &BTreeMap<String, String>) -> Option<Result<RuleTest, String>> {
    let (rule, argument) = GenericRule::by_name(name)?;
    let argument = arguments.get(argument).filter(|argument| !argument.is_empty());
    Some(argument.map_or(Ok(RuleTest::Never), |argument| test(rule, argument)))
}

fn test(rule: GenericRule, argument: &str) -> Result<RuleTest, String> {
    match rule {
        GenericRule::User => Ok(RuleTest::User(argument.to_owned())),
        GenericRule::NotUsers => Ok(RuleTest::NotUsers(list_items(argument).map(str::to_owned).collect())),
        GenericRule::GroupMember => Ok(RuleTest::GroupMember(argument.to_owned())),
        GenericRule::UserPackage => Ok(RuleTest::UserPackage(argument.to_owned(), Kinds::Any)),
        GenericRule::UserPackageCommit => Ok(RuleTest::UserPackage(argument.to_owned(), Kinds::Commit)),
        GenericRule::UserPackageWatch => Ok(RuleTest::UserPackage(argument.to_owned(), Kinds::Watch)),
        GenericRule::Package => Ok(RuleTest::Package(argument.to_owned())),
        GenericRule::PackageRegex => regex(argument).map(RuleTest::PackageMatches),
        GenericRule::PayloadRegex => regex(argument).map(RuleTest::PayloadMatches),
        GenericRule::TracHosted => {
            let links = list_items(argument).map(|project| format!("://fedorahosted.org/{project}/"));
            Ok(RuleTest::LinkContains(links.collect()))
        }
    }
}

fn regex(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).size_limit(limits::REGEX_BYTES).dfa_size_limit(limits::REGEX_BYTES).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => {
            format!("the pattern is too complex: compiled, it has over {limit} bytes")
        }
        error => format!("the pattern is invalid: {error}"),
    })
}
