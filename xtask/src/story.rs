//! `story`: builds the replay of the history of Fedora Notifications with the release profile and runs it. The replay
//! writes its page and pictures into `docs`.

use anyhow::Result;

use crate::process::{cargo, run as succeed};

/// Builds and runs the replay; its table goes to the standard output.
pub fn run() -> Result<()> {
    let story =
        ["run", "--release", "--quiet", "--package", "tidings-acl", "--example", "story", "--", "--out", "docs"];
    succeed(cargo().args(story))
}
