//! What an administrator lets a plugin reach, and the decision whether one connection is covered. Pure: names are
//! resolved at the edge, and every resolved address comes back here before anything connects to it.

use serde::{Deserialize, Serialize};

use crate::manifest::Capability;
use crate::secret::Secret;

/// One host and port that a channel may reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub capability: Capability,
    /// A host name or IP address, compared without regard to case; no patterns.
    pub host: String,
    pub port: u16,
    /// Also where the name leads to a private, loopback or link-local address.
    #[serde(default)]
    pub private: bool,
    /// For `http`: also without TLS.
    #[serde(default)]
    pub plain_http: bool,
}

/// A secret that the host adds to a plugin's HTTP requests as a header; the plugin knows only its name.
#[derive(Clone, Debug)]
pub struct Credential {
    pub name: String,
    /// The header's name, e.g. `authorization`.
    pub header: String,
    pub value: Secret,
    /// The only host it is sent to.
    pub host: String,
}

/// All that one channel was granted.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    pub reach: Vec<Grant>,
    pub credentials: Vec<Credential>,
}
