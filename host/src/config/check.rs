//! The checks of settings that parse: bounds, and files that must exist. The sections check their own settings.

use super::Config;
use crate::fetch::FetchPolicy;
use crate::trust::Trust;

impl Config {
    /// The settings that are invalid although they parse, one line each.
    pub(super) fn errors(&self) -> Vec<String> {
        let mut errors = Vec::new();
        let mut check = |valid: bool, error: &str| {
            if !valid {
                errors.push(error.to_owned());
            }
        };
        let most = tidings_sandbox::limits::SANDBOX_INSTANCES_MAX;
        let instances = self.sandbox.max_instances;
        check((2..=most).contains(&instances), &format!("sandbox.max_instances must be 2 to {most}"));
        if let Some(url) = &self.api.public_url {
            check(
                url.starts_with("https://") || url.starts_with("http://"),
                "api.public_url must begin with https:// or http://",
            );
        }
        for (file, name) in [
            (&self.catalogue.aliases, "catalogue.aliases"),
            (&self.tls.ca_file, "tls.ca_file"),
            (&self.store.key_file, "store.key_file"),
        ] {
            if let Some(file) = file {
                check(file.is_file(), &format!("{name}: {} is not a file", file.display()));
            }
        }
        if let Some(dir) = &self.catalogue.dir {
            check(dir.is_dir(), &format!("catalogue.dir: {} is not a directory", dir.display()));
        }
        errors.extend(self.log.filter().err());
        let certificates = self.tls.ca_file.as_deref().filter(|file| file.is_file());
        errors.extend(tidings_tls::client_config(certificates).err().map(|error| format!("tls.ca_file: {error}")));
        errors.extend(self.bus.errors());
        errors.extend(self.dispatch.errors(instances).into_iter().map(str::to_owned));
        errors.extend(Trust::new(&self.trust).err());
        errors.extend(FetchPolicy::new(&self.install).err());
        errors.extend(self.acl.errors().into_iter().map(|(setting, what)| format!("{setting} {what}")));
        errors
    }
}
