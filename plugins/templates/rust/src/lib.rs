//! A channel that POSTs one line of text for each notification. What it does is in `pager`; this says what it is.

mod pager;

use tidings_plugin::host::Sandbox;
use tidings_plugin::manifest::{field, http, plugin};
use tidings_plugin::{Channel, Delivery, FieldKind, Manifest, Outcome, Problem, config};

struct Pager;

impl Channel for Pager {
    fn describe() -> Manifest {
        Manifest {
            address_label: "pager name".into(),
            address_example: "ralph".into(),
            config: vec![
                field("url", FieldKind::Url, "URL", "Where each line is sent, as text; the header X-Pager says for which pager.")
                    .required(),
            ],
            grants: vec![http("{url}", "{url}", "To send the lines.")],
            ..plugin("pager", env!("CARGO_PKG_VERSION"), "POSTs one line of text for each notification.")
        }
    }

    fn check_address(address: String) -> Result<String, Problem> {
        pager::check_address(&address).map_err(|message| Problem { message: message.into() })
    }

    fn deliver(batch: Vec<Delivery>) -> Vec<Outcome> {
        match config::get("url") {
            Some(url) => pager::deliver(&Sandbox, &url, &batch),
            None => vec![Outcome::trouble(None, "the setting `url` is missing"); batch.len()],
        }
    }
}

tidings_plugin::export!(Pager);
