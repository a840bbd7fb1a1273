//! Settings as deployers write them, valid and invalid.

use super::*;

fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let file = std::env::temp_dir().join(format!("tidings-config-{:x}.toml", rand::random::<u64>()));
    std::fs::write(&file, text).expect("a temporary file can be written");
    let environment = environment.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    let config = Config::load(&file, environment).map_err(|error| error.to_string());
    std::fs::remove_file(&file).expect("it can be removed");
    config
}

#[test]
fn an_empty_file_is_a_whole_configuration() {
    let config = load("", &[]).expect("defaults are valid");
    assert_eq!(config.api.listen.to_string(), "127.0.0.1:8900");
    assert_eq!(config.dispatch.stop_grace, crate::dispatch::limits::STOP_GRACE);
    assert_eq!(config.dispatch.retry_policy(), tidings_domain::retry::RetryPolicy::default());
}

#[test]
fn the_environment_goes_over_the_file() {
    let variables = [("TIDINGS__API__LISTEN", "127.0.0.1:9"), ("TIDINGS__DISPATCH__BATCH", "7"), ("HOME", "/")];
    let config = load("[dispatch]\nbatch = 3\nwindow = 2", &variables).expect("it is valid");
    assert_eq!((config.api.listen.port(), config.dispatch.batch, config.dispatch.window), (9, 7, 2));
}

#[test]
fn a_log_filter_may_name_modules() {
    load("[log]\nlevel = \"INFO,tidings_sandbox=debug,[span]=trace\"", &[]).expect("it is a filter");
}

#[test]
fn errors_name_the_setting() {
    for (text, environment, expected) in [
        ("[api]\nlisten = 5", &[][..], "line 2"),
        ("[api]\nlistne = \"127.0.0.1:1\"", &[], "unknown field `listne`"),
        ("[dispatch]\nbackoff_min = \"soon\"", &[], "line 2"),
        ("[dispatch]\nbatch = 0", &[], "dispatch.batch must be 1 to 1000"),
        ("[dispatch]\nwindow = 64", &[], "dispatch.window must be less than sandbox.max_instances"),
        ("[sandbox]\nmax_instances = 1", &[], "sandbox.max_instances must be 2 to 4096"),
        ("[sandbox]\nmax_instances = 4097", &[], "sandbox.max_instances must be 2 to 4096"),
        ("[dispatch]\nstop_grace = \"121s\"", &[], "dispatch.stop_grace must be at most 2m"),
        ("[dispatch]\nbackoff_min = \"2h\"", &[], "backoff_min must not exceed"),
        ("[acl]\ntimeout = \"1h\"", &[], "acl.wait"),
        ("[acl.packages]\nprovider = \"nis\"", &[], "unknown variant `nis`"),
        ("[[bus.zeromq]]\nendpoints = [\"udp://x\"]", &[], "udp://x is not tcp://host:port"),
        ("", &[("TIDINGS__API__LISTNE", "1")], "unknown field `listne`"),
        ("[install]\nhosts = [\"a b\"]", &[], "install.hosts: `a b` is not a host name"),
        ("[log]\nlevel = \"loud\"", &[], "log.level: `loud` is not off, error, warn, info, debug or trace"),
        ("[log]\nlevel = \"\"", &[], "log.level"),
        ("[log]\nlevel = \"info,tidings=noisy\"", &[], "log.level"),
        ("[tls]\nca_file = \"/etc/passwd\"", &[], "tls.ca_file: cannot read certificates from /etc/passwd"),
        ("[store]\nkey_file = \"/nonexistent\"", &[], "store.key_file: /nonexistent is not a file"),
        ("data_dir = \"/x\"", &[("TIDINGS__DATA_DIR__X", "1")], "data_dir is not a section"),
    ] {
        let error = load(text, environment).expect_err(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
}
