//! The catalogue that ships with the program, built into it.

/// File name and text of each application.
pub const EMBEDDED: &[(&str, &str)] = &[
    ("anitya-schema.toml", include_str!("../../../../catalogue/anitya-schema.toml")),
    ("anitya.toml", include_str!("../../../../catalogue/anitya.toml")),
    ("ansible.toml", include_str!("../../../../catalogue/ansible.toml")),
    ("askbot.toml", include_str!("../../../../catalogue/askbot.toml")),
    ("autocloud.toml", include_str!("../../../../catalogue/autocloud.toml")),
    ("bodhi-messages.toml", include_str!("../../../../catalogue/bodhi-messages.toml")),
    ("bodhi.toml", include_str!("../../../../catalogue/bodhi.toml")),
    ("bugzilla.toml", include_str!("../../../../catalogue/bugzilla.toml")),
    ("bugzilla2fedmsg-schema.toml", include_str!("../../../../catalogue/bugzilla2fedmsg-schema.toml")),
    ("buildsys.toml", include_str!("../../../../catalogue/buildsys.toml")),
    ("ci.toml", include_str!("../../../../catalogue/ci.toml")),
    ("compose.toml", include_str!("../../../../catalogue/compose.toml")),
    ("copr-messaging.toml", include_str!("../../../../catalogue/copr-messaging.toml")),
    ("copr.toml", include_str!("../../../../catalogue/copr.toml")),
    ("datanommer.toml", include_str!("../../../../catalogue/datanommer.toml")),
    ("defaults.toml", include_str!("../../../../catalogue/defaults.toml")),
    ("discourse2fedmsg-messages.toml", include_str!("../../../../catalogue/discourse2fedmsg-messages.toml")),
    ("faf.toml", include_str!("../../../../catalogue/faf.toml")),
    ("fas.toml", include_str!("../../../../catalogue/fas.toml")),
    ("fedbadges.toml", include_str!("../../../../catalogue/fedbadges.toml")),
    ("fedimg.toml", include_str!("../../../../catalogue/fedimg.toml")),
    ("fedocal-messages.toml", include_str!("../../../../catalogue/fedocal-messages.toml")),
    ("fedocal.toml", include_str!("../../../../catalogue/fedocal.toml")),
    ("fedora-elections-messages.toml", include_str!("../../../../catalogue/fedora-elections-messages.toml")),
    ("fedora-image-uploader-messages.toml", include_str!("../../../../catalogue/fedora-image-uploader-messages.toml")),
    (
        "fedora-messaging-git-hook-messages.toml",
        include_str!("../../../../catalogue/fedora-messaging-git-hook-messages.toml"),
    ),
    (
        "fedora-messaging-the-new-hotness-schema.toml",
        include_str!("../../../../catalogue/fedora-messaging-the-new-hotness-schema.toml"),
    ),
    ("fedora-planet-messages.toml", include_str!("../../../../catalogue/fedora-planet-messages.toml")),
    ("fedora_elections.toml", include_str!("../../../../catalogue/fedora_elections.toml")),
    ("fedorainfra-ansible-messages.toml", include_str!("../../../../catalogue/fedorainfra-ansible-messages.toml")),
    ("fedoratagger.toml", include_str!("../../../../catalogue/fedoratagger.toml")),
    ("fmn.toml", include_str!("../../../../catalogue/fmn.toml")),
    ("git.toml", include_str!("../../../../catalogue/git.toml")),
    ("github.toml", include_str!("../../../../catalogue/github.toml")),
    ("greenwave.toml", include_str!("../../../../catalogue/greenwave.toml")),
    ("hotness.toml", include_str!("../../../../catalogue/hotness.toml")),
    ("infragit.toml", include_str!("../../../../catalogue/infragit.toml")),
    ("irc.toml", include_str!("../../../../catalogue/irc.toml")),
    ("jenkins.toml", include_str!("../../../../catalogue/jenkins.toml")),
    ("kerneltest-messages.toml", include_str!("../../../../catalogue/kerneltest-messages.toml")),
    ("kerneltest.toml", include_str!("../../../../catalogue/kerneltest.toml")),
    ("koji-fedoramessaging-messages.toml", include_str!("../../../../catalogue/koji-fedoramessaging-messages.toml")),
    ("koschei-messages.toml", include_str!("../../../../catalogue/koschei-messages.toml")),
    ("koschei.toml", include_str!("../../../../catalogue/koschei.toml")),
    ("logger.toml", include_str!("../../../../catalogue/logger.toml")),
    ("mailman.toml", include_str!("../../../../catalogue/mailman.toml")),
    ("mailman3-fedmsg-plugin-schemas.toml", include_str!("../../../../catalogue/mailman3-fedmsg-plugin-schemas.toml")),
    ("maubot-fedora-messages.toml", include_str!("../../../../catalogue/maubot-fedora-messages.toml")),
    ("mbs.toml", include_str!("../../../../catalogue/mbs.toml")),
    ("mdapi-messages.toml", include_str!("../../../../catalogue/mdapi-messages.toml")),
    ("mdapi.toml", include_str!("../../../../catalogue/mdapi.toml")),
    ("mediawiki-messages.toml", include_str!("../../../../catalogue/mediawiki-messages.toml")),
    ("meetbot-messages.toml", include_str!("../../../../catalogue/meetbot-messages.toml")),
    ("meetbot.toml", include_str!("../../../../catalogue/meetbot.toml")),
    ("mirrormanager.toml", include_str!("../../../../catalogue/mirrormanager.toml")),
    ("nagios.toml", include_str!("../../../../catalogue/nagios.toml")),
    ("noggin-messages.toml", include_str!("../../../../catalogue/noggin-messages.toml")),
    ("nuancier.toml", include_str!("../../../../catalogue/nuancier.toml")),
    ("odcs.toml", include_str!("../../../../catalogue/odcs.toml")),
    ("openqa.toml", include_str!("../../../../catalogue/openqa.toml")),
    ("pagure-messages.toml", include_str!("../../../../catalogue/pagure-messages.toml")),
    ("pagure.toml", include_str!("../../../../catalogue/pagure.toml")),
    ("pdc.toml", include_str!("../../../../catalogue/pdc.toml")),
    ("pkgdb.toml", include_str!("../../../../catalogue/pkgdb.toml")),
    ("planet.toml", include_str!("../../../../catalogue/planet.toml")),
    ("pungi.toml", include_str!("../../../../catalogue/pungi.toml")),
    ("rats.toml", include_str!("../../../../catalogue/rats.toml")),
    ("releng.toml", include_str!("../../../../catalogue/releng.toml")),
    ("summershum.toml", include_str!("../../../../catalogue/summershum.toml")),
    ("tahrir-messages.toml", include_str!("../../../../catalogue/tahrir-messages.toml")),
    ("taskotron.toml", include_str!("../../../../catalogue/taskotron.toml")),
    ("trac.toml", include_str!("../../../../catalogue/trac.toml")),
    ("waiverdb.toml", include_str!("../../../../catalogue/waiverdb.toml")),
    ("webhook-forgejo.toml", include_str!("../../../../catalogue/webhook-forgejo.toml")),
    ("webhook-github.toml", include_str!("../../../../catalogue/webhook-github.toml")),
    ("webhook-gitlab.toml", include_str!("../../../../catalogue/webhook-gitlab.toml")),
    ("wiki.toml", include_str!("../../../../catalogue/wiki.toml")),
    ("zanata.toml", include_str!("../../../../catalogue/zanata.toml")),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    #[test]
    fn every_file_of_the_folder_is_embedded() {
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
    fn it_loads_and_every_example_has_its_expected_result() {
        let catalogue = Catalogue::embedded().unwrap_or_else(|errors| panic!("{}", lines(&errors)));
        let errors = crate::examples::check_examples(&catalogue);
        assert!(errors.is_empty(), "{}", lines(&errors));
    }

    #[test]
    fn the_example_of_the_readme_is_a_valid_catalogue() {
        let readme = include_str!("../../../../catalogue/README.md");
        let text: String =
            readme.lines().filter_map(|line| line.strip_prefix("    ")).map(|l| format!("{l}\n")).collect();
        let catalogue = Catalogue::load(&[("README.md".to_owned(), text)]).unwrap_or_else(|m| panic!("{}", lines(&m)));
        assert_eq!(crate::examples::check_examples(&catalogue), []);
        assert!(catalogue.rule("shop_order_large").is_some());
    }

    fn lines(errors: &[crate::catalogue::CatalogueError]) -> String {
        errors.iter().map(|error| format!("{error}\n")).collect()
    }
}
