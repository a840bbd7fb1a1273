//! The ten rules that belong to no application: by user, package, group or pattern.

use super::{ArgumentKind, RuleArgument, RuleInfo};

/// A generic rule. Each has one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenericRule {
    User,
    NotUsers,
    GroupMember,
    UserPackage,
    UserPackageCommit,
    UserPackageWatch,
    Package,
    PackageRegex,
    PayloadRegex,
    TracHosted,
}

/// What a rule editor shows of a generic rule.
struct Row {
    rule: GenericRule,
    name: &'static str,
    title: &'static str,
    help: &'static str,
    argument: (&'static str, ArgumentKind),
}

const TABLE: [Row; 10] = [
    Row {
        rule: GenericRule::User,
        name: "user_filter",
        title: "A particular user",
        help: "Messages that name this user: as the one who acted, or as one who is concerned.",
        argument: ("fasnick", ArgumentKind::User),
    },
    Row {
        rule: GenericRule::NotUsers,
        name: "not_user_filter",
        title: "Everything except a particular user",
        help: "Messages that name none of these users.",
        argument: ("fasnick", ArgumentKind::Users),
    },
    Row {
        rule: GenericRule::GroupMember,
        name: "fas_group_member_filter",
        title: "Messages regarding any member of a FAS group",
        help: "Messages that name at least one member of this group.",
        argument: ("group", ArgumentKind::Group),
    },
    Row {
        rule: GenericRule::UserPackage,
        name: "user_package_filter",
        title: "A particular user's packages (any acl)",
        help: "Messages about a package that this user maintains or watches, directly or through a group.",
        argument: ("fasnick", ArgumentKind::User),
    },
    Row {
        rule: GenericRule::UserPackageCommit,
        name: "user_package_commit_filter",
        title: "A particular user's packages (commit acl)",
        help: "Messages about a package that this user may commit to, directly or through a group.",
        argument: ("fasnick", ArgumentKind::User),
    },
    Row {
        rule: GenericRule::UserPackageWatch,
        name: "user_package_watch_filter",
        title: "A particular user's packages (watchcommits flag)",
        help: "Messages about a package that this user watches, directly or through a group.",
        argument: ("fasnick", ArgumentKind::User),
    },
    Row {
        rule: GenericRule::Package,
        name: "package_filter",
        title: "A particular package",
        help: "Messages about this package.",
        argument: ("package", ArgumentKind::Package),
    },
    Row {
        rule: GenericRule::PackageRegex,
        name: "package_regex_filter",
        title: "All packages matching a regular expression",
        help: "Messages about a package in whose name this regular expression is found.",
        argument: ("pattern", ArgumentKind::Pattern),
    },
    Row {
        rule: GenericRule::PayloadRegex,
        name: "regex_filter",
        title: "All messages matching a regular expression",
        help: "Messages in whose content this regular expression is found. The content is the payload as JSON without \
               blanks, keys sorted, characters outside ASCII as \\uXXXX.",
        argument: ("pattern", ArgumentKind::Pattern),
    },
    Row {
        rule: GenericRule::TracHosted,
        name: "trac_hosted_filter",
        title: "Particular fedorahosted projects",
        help: "Messages whose link leads to one of these projects on fedorahosted.org.",
        argument: ("project", ArgumentKind::List),
    },
];

impl GenericRule {
    /// The rule with this name, and the name of its argument; none if no generic rule has this name.
    pub fn by_name(name: &str) -> Option<(GenericRule, &'static str)> {
        TABLE.iter().find(|row| row.name == name).map(|row| (row.rule, row.argument.0))
    }

    /// All generic rules as a rule editor shows them.
    pub fn infos() -> Vec<RuleInfo> {
        let info = |row: &Row| RuleInfo {
            name: row.name.to_owned(),
            application: None,
            title: row.title.to_owned(),
            help: row.help.to_owned(),
            arguments: vec![RuleArgument {
                name: row.argument.0.to_owned(),
                kind: row.argument.1,
                help: String::new(),
                default: None,
            }],
        };
        TABLE.iter().map(info).collect()
    }
}
