//! The catalogue that ships with the program, built into it.

/// File name and text of each application.
pub const EMBEDDED: &[(&str, &str)] = &[
    ("anitya.toml", include_str!("../../../../catalogue/anitya.toml")),
    ("autocloud.toml", include_str!("../../../../catalogue/autocloud.toml")),
    ("bodhi.toml", include_str!("../../../../catalogue/bodhi.toml")),
    ("bugzilla.toml", include_str!("../../../../catalogue/bugzilla.toml")),
    ("buildsys.toml", include_str!("../../../../catalogue/buildsys.toml")),
    ("ci.toml", include_str!("../../../../catalogue/ci.toml")),
    ("copr.toml", include_str!("../../../../catalogue/copr.toml")),
    ("faf.toml", include_str!("../../../../catalogue/faf.toml")),
    ("fas.toml", include_str!("../../../../catalogue/fas.toml")),
    ("fedbadges.toml", include_str!("../../../../catalogue/fedbadges.toml")),
    ("fedimg.toml", include_str!("../../../../catalogue/fedimg.toml")),
    ("fmn.toml", include_str!("../../../../catalogue/fmn.toml")),
    ("git.toml", include_str!("../../../../catalogue/git.toml")),
    ("greenwave.toml", include_str!("../../../../catalogue/greenwave.toml")),
    ("hotness.toml", include_str!("../../../../catalogue/hotness.toml")),
    ("koschei.toml", include_str!("../../../../catalogue/koschei.toml")),
    ("logger.toml", include_str!("../../../../catalogue/logger.toml")),
    ("mbs.toml", include_str!("../../../../catalogue/mbs.toml")),
    ("mdapi.toml", include_str!("../../../../catalogue/mdapi.toml")),
    ("odcs.toml", include_str!("../../../../catalogue/odcs.toml")),
    ("openqa.toml", include_str!("../../../../catalogue/openqa.toml")),
    ("pdc.toml", include_str!("../../../../catalogue/pdc.toml")),
    ("pkgdb.toml", include_str!("../../../../catalogue/pkgdb.toml")),
    ("rats.toml", include_str!("../../../../catalogue/rats.toml")),
    ("releng.toml", include_str!("../../../../catalogue/releng.toml")),
    ("summershum.toml", include_str!("../../../../catalogue/summershum.toml")),
    ("taskotron.toml", include_str!("../../../../catalogue/taskotron.toml")),
    ("waiverdb.toml", include_str!("../../../../catalogue/waiverdb.toml")),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    #[test]
    fn every_file_of_the_folder_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalogue");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".toml"))
            .collect();
        names.sort();
        assert_eq!(names, EMBEDDED.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }

    #[test]
    fn it_loads_and_every_example_comes_out_as_written() {
        let catalogue = Catalogue::embedded().unwrap_or_else(|mistakes| panic!("{}", lines(&mistakes)));
        let mistakes = catalogue.check_examples();
        assert!(mistakes.is_empty(), "{}", lines(&mistakes));
    }

    #[test]
    fn the_example_of_the_readme_is_a_good_catalogue() {
        let readme = include_str!("../../../../catalogue/README.md");
        let text: String =
            readme.lines().filter_map(|line| line.strip_prefix("    ")).map(|l| format!("{l}\n")).collect();
        let catalogue = Catalogue::load(&[("README.md".to_owned(), text)]).unwrap_or_else(|m| panic!("{}", lines(&m)));
        assert_eq!(catalogue.check_examples(), []);
        assert!(catalogue.rule("shop_order_large").is_some());
    }

    fn lines(mistakes: &[crate::catalogue::Mistake]) -> String {
        mistakes.iter().map(|mistake| format!("{mistake}\n")).collect()
    }
}
