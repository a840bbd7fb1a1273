//! Maps nicks and e-mail addresses to account names. Messages contain the names that tools use; rules contain accounts.
//! The map comes from the configuration or the account system. This module makes no requests.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;

/// A map from nick or e-mail address to account name. Names are compared byte for byte, as account names are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Aliases(HashMap<String, String>);

impl Aliases {
    /// Reads a JSON object of strings, e.g. `{"threebean": "ralph"}`.
    pub fn from_json(text: &str) -> Result<Aliases, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The account of `name`, if it is known.
    pub fn account(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The account of `name`, or the name itself.
    pub fn resolve<'a>(&'a self, name: Cow<'a, str>) -> Cow<'a, str> {
        match self.0.get(name.as_ref()) {
            Some(account) => Cow::Borrowed(account),
            None => name,
        }
    }
}

impl FromIterator<(String, String)> for Aliases {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Aliases {
        Aliases(pairs.into_iter().collect())
    }
}
