//! A channel that POSTs a few lines of text for each notification. The logic is in `pager`; this file has the manifest and
//! connects the logic to the contract.

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
                field("url", FieldKind::Url, "URL", "The URL for texts; the header X-Pager names the pager.")
                    .required(),
            ],
            grants: vec![http("{url}", "{url}", "To send the texts.")],
            ..plugin("pager", env!("CARGO_PKG_VERSION"), "POSTs a few lines of text for each notification.")
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

#[cfg(test)]
mod tests {
    #[test]
    #[ignore = "needs the program `tidings`: cargo test -- --ignored"]
    fn the_component_keeps_the_contract() {
        assert_eq!(tidings_plugin::testing::conforms(env!("CARGO_MANIFEST_DIR")), Ok(()));
    }
}
