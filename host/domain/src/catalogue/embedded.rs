//! The catalogue that ships with the program, built into it.

/// File name and text of each application.
pub const EMBEDDED: &[(&str, &str)] = &[
    ("bodhi.toml", include_str!("../../../../catalogue/bodhi.toml")),
    ("buildsys.toml", include_str!("../../../../catalogue/buildsys.toml")),
    ("fas.toml", include_str!("../../../../catalogue/fas.toml")),
    ("fmn.toml", include_str!("../../../../catalogue/fmn.toml")),
    ("git.toml", include_str!("../../../../catalogue/git.toml")),
    ("pkgdb.toml", include_str!("../../../../catalogue/pkgdb.toml")),
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
