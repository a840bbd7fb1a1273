//! Configurations and the versions that read them. Settings that a version does not have are kept and not shown to it, so
//! that a channel can go to another version and back without losing a value.

use std::collections::BTreeMap;

use tidings_domain::manifest::{Manifest, PluginConfigError, PluginConfigProblem};
use tidings_store::Channel;

use super::{ChannelError, ChannelFieldError, ChannelFieldProblem, NotReady};

/// Whether it is another version of what the channel runs. Another plugin would take over its users' addresses and its
/// configuration, which mean something else to it.
pub(super) fn same_plugin(new: &Manifest, present: &Manifest) -> Result<(), ChannelError> {
    if new.name == present.name {
        return Ok(());
    }
    Err(NotReady::OtherPlugin { new: new.name.clone(), present: present.name.clone() }.into())
}

/// The values of the settings that this version has.
pub(super) fn known(manifest: &Manifest, config: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let is_known = |name: &str| manifest.config.iter().any(|field| field.name == name);
    config.iter().filter(|(name, _)| is_known(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The configuration to run this version with: complete and valid.
pub(super) fn complete(
    manifest: &Manifest,
    config: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, ChannelError> {
    manifest.configure(&known(manifest, config)).map_err(ChannelError::from)
}

/// Whether the values that are there are valid; others may still be missing.
pub(super) fn well_formed(manifest: &Manifest, config: &BTreeMap<String, String>) -> Result<(), ChannelError> {
    let Err(found) = manifest.configure(&known(manifest, config)) else { return Ok(()) };
    let wrong: Vec<PluginConfigError> =
        found.into_iter().filter(|error| error.problem != PluginConfigProblem::Missing).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.into()) }
}

/// Sets values and removes values. A value for a field that the version does not have is an error.
pub(super) fn edit(
    manifest: &Manifest,
    config: &mut BTreeMap<String, String>,
    values: BTreeMap<String, Option<String>>,
) -> Result<(), ChannelError> {
    let given = values.iter().filter(|(_, value)| value.is_some()).map(|(name, _)| name);
    let unknown = given.filter(|name| manifest.config.iter().all(|field| field.name != **name));
    let unknown: Vec<PluginConfigError> = unknown
        .map(|name| PluginConfigError {
            field: tidings_domain::text::one_line(name, 100),
            problem: PluginConfigProblem::Unknown,
        })
        .collect();
    if !unknown.is_empty() {
        return Err(unknown.into());
    }
    for (key, value) in values {
        match value {
            Some(value) => config.insert(key, value),
            None => config.remove(&key),
        };
    }
    Ok(())
}

/// Whether none of these values is of a field that the active version has. Both versions of a trial read the one
/// configuration: what is set for the new one must not change the old one, nor stay with it when the new one fails.
pub(super) fn check_not_shared(
    active: &Manifest,
    values: &BTreeMap<String, Option<String>>,
) -> Result<(), ChannelError> {
    let shared = values.keys().filter(|name| active.config.iter().any(|field| field.name == **name));
    let error =
        |name: &String| ChannelFieldError { field: name.clone(), problem: ChannelFieldProblem::SharedWithActive };
    let errors: Vec<ChannelFieldError> = shared.map(error).collect();
    if errors.is_empty() { Ok(()) } else { Err(ChannelError::Config(errors)) }
}

/// Takes back the values that came with the last upgrade.
pub(super) fn put_back(channel: &mut Channel) {
    for (name, value) in std::mem::take(&mut channel.former) {
        match value {
            Some(value) => channel.config.insert(name, value),
            None => channel.config.remove(&name),
        };
    }
}
