//! Names the stored state of a channel, for conditional changes. The tag covers secrets as well, and reveals nothing of them:
//! it is a keyed hash.

use std::collections::BTreeMap;

use serde::Serialize;
use tidings_domain::grant::{Credential, Grant};
use tidings_domain::limits::PluginLimits;
use tidings_domain::plugin_life::ChannelVersions;
use tidings_store::Channel;

use crate::link_signer::LinkSigner;
use crate::precondition::StateTag;

/// Everything that is stored about a channel.
#[derive(Serialize)]
struct StoredState<'c> {
    component: &'c str,
    config: &'c BTreeMap<String, String>,
    former: &'c BTreeMap<String, Option<String>>,
    reach: &'c [Grant],
    credentials: Vec<CredentialState<'c>>,
    limits: PluginLimits,
    enabled: bool,
    life: &'c ChannelVersions,
}

#[derive(Serialize)]
struct CredentialState<'c> {
    name: &'c str,
    kind: &'static str,
    header: Option<&'c str>,
    value: &'c str,
    host: &'c str,
}

/// The tag of a channel as it is stored.
pub(super) fn state_tag(channel: &Channel, key: &LinkSigner) -> StateTag {
    let Channel { name: _, component, config, former, grants, limits, enabled, life } = channel;
    let state = StoredState {
        component,
        config,
        former,
        reach: &grants.reach,
        credentials: grants.credentials.iter().map(credential_state).collect(),
        limits: *limits,
        enabled: *enabled,
        life,
    };
    key.state_tag(&state)
}

fn credential_state(credential: &Credential) -> CredentialState<'_> {
    CredentialState {
        name: &credential.name,
        kind: credential.kind.as_str(),
        header: credential.kind.header(),
        value: credential.value.expose(),
        host: &credential.host,
    }
}
