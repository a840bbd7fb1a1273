//! The ten rules that are about no application in particular: by user, package, group or pattern.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use super::compiled::RuleTest;
use super::{ArgumentKind, RuleArgument, RuleInfo};
use crate::acl::Kinds;
use crate::catalogue::condition::list_items;
use crate::limits;

struct Generic {
    name: &'static str,
    title: &'static str,
    help: &'static str,
    argument: (&'static str, ArgumentKind),
    compile: fn(&str) -> Result<RuleTest, String>,
}

const TABLE: [Generic; 10] = [
    Generic {
        name: "user_filter",
        title: "A particular user",
        help: "Messages that name this user: as the one who acted, or as one who is concerned.",
        argument: ("fasnick", ArgumentKind::User),
        compile: |user| Ok(RuleTest::User(user.to_owned())),
    },
    Generic {
        name: "not_user_filter",
        title: "Everything except a particular user",
        help: "Messages that name none of these users.",
        argument: ("fasnick", ArgumentKind::Users),
        compile: |users| Ok(RuleTest::NotUsers(list_items(users).map(str::to_owned).collect())),
    },
    Generic {
        name: "fas_group_member_filter",
        title: "Messages regarding any member of a FAS group",
        help: "Messages that name at least one member of this group.",
        argument: ("group", ArgumentKind::Group),
        compile: |group| Ok(RuleTest::GroupMember(group.to_owned())),
    },
    Generic {
        name: "user_package_filter",
        title: "A particular user's packages (any acl)",
        help: "Messages about a package that this user maintains or watches, himself or by a group.",
        argument: ("fasnick", ArgumentKind::User),
        compile: |user| Ok(RuleTest::UserPackage(user.to_owned(), Kinds::Any)),
    },
    Generic {
        name: "user_package_commit_filter",
        title: "A particular user's packages (commit acl)",
        help: "Messages about a package that this user may commit to, himself or by a group.",
        argument: ("fasnick", ArgumentKind::User),
        compile: |user| Ok(RuleTest::UserPackage(user.to_owned(), Kinds::Commit)),
    },
    Generic {
        name: "user_package_watch_filter",
        title: "A particular user's packages (watchcommits flag)",
        help: "Messages about a package that this user watches, himself or by a group.",
        argument: ("fasnick", ArgumentKind::User),
        compile: |user| Ok(RuleTest::UserPackage(user.to_owned(), Kinds::Watch)),
    },
    Generic {
        name: "package_filter",
        title: "A particular package",
        help: "Messages about this package.",
        argument: ("package", ArgumentKind::Package),
        compile: |package| Ok(RuleTest::Package(package.to_owned())),
    },
    Generic {
        name: "package_regex_filter",
        title: "All packages matching a regular expression",
        help: "Messages about a package in whose name this regular expression is found.",
        argument: ("pattern", ArgumentKind::Pattern),
        compile: |pattern| regex(pattern).map(RuleTest::PackageMatches),
    },
    Generic {
        name: "regex_filter",
        title: "All messages matching a regular expression",
        help: "Messages in whose content this regular expression is found. The content is the payload as JSON without \
               blanks, keys sorted, characters outside ASCII as \\uXXXX.",
        argument: ("pattern", ArgumentKind::Pattern),
        compile: |pattern| regex(pattern).map(RuleTest::PayloadMatches),
    },
    Generic {
        name: "trac_hosted_filter",
        title: "Particular fedorahosted projects",
        help: "Messages whose link leads to one of these projects on fedorahosted.org.",
        argument: ("project", ArgumentKind::List),
        compile: |projects| {
            let links = list_items(projects).map(|project| format!("://fedorahosted.org/{project}/"));
            Ok(RuleTest::LinkContains(links.collect()))
        },
    },
];

/// The generic rules as a rule editor shows them.
pub fn generic() -> Vec<RuleInfo> {
    let info = |rule: &Generic| RuleInfo {
        name: rule.name.to_owned(),
        application: None,
        title: rule.title.to_owned(),
        help: rule.help.to_owned(),
        arguments: vec![RuleArgument {
            name: rule.argument.0.to_owned(),
            kind: rule.argument.1,
            help: String::new(),
            default: None,
        }],
    };
    TABLE.iter().map(info).collect()
}

/// The test of a generic rule; none where no generic rule has this name. Without its argument it never holds.
pub fn compile(name: &str, arguments: &BTreeMap<String, String>) -> Option<Result<RuleTest, String>> {
    let rule = TABLE.iter().find(|rule| rule.name == name)?;
    let argument = arguments.get(rule.argument.0).filter(|argument| !argument.is_empty());
    Some(argument.map_or(Ok(RuleTest::Never), |argument| (rule.compile)(argument)))
}

fn regex(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).size_limit(limits::REGEX_BYTES).dfa_size_limit(limits::REGEX_BYTES).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => {
            format!("the pattern is too complex: compiled, it has over {limit} bytes")
        }
        error => format!("the pattern cannot be read: {error}"),
    })
}
