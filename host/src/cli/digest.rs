//! `tidings digest`: the lines that a digest of some messages would have.

use std::io::{Read as _, stdin};

use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::Value;
use tidings_domain::digest::{DigestItem, fold};
use tidings_domain::event::Event;
use tidings_domain::message::{Envelope, Frame};
use tidings_domain::time::Timestamp;
use tidings_store::limits::DIGEST_BYTES;

use super::messages::ReferenceArgs;
use super::output::Output;

#[derive(Debug, Args)]
pub(super) struct DigestArgs {
    #[command(flatten)]
    references: ReferenceArgs,
    /// The reader: "You ran …" in lines about this account
    #[arg(long, value_name = "USER")]
    subject: Option<String>,
}

/// Reads a JSON array of messages from standard input and writes the lines as one.
pub(super) fn run(args: &DigestArgs, out: &mut Output) -> anyhow::Result<()> {
    let references = args.references.read()?;
    let mut input = Vec::new();
    stdin().lock().take(DIGEST_BYTES as u64 + 1).read_to_end(&mut input).context("cannot read standard input")?;
    ensure!(input.len() <= DIGEST_BYTES, "standard input is larger than {DIGEST_BYTES} bytes");
    let messages: Vec<Value> = serde_json::from_slice(&input).context("standard input is not a JSON array")?;
    let mut items = Vec::with_capacity(messages.len());
    for (number, message) in messages.iter().enumerate() {
        let frame = Frame { topic: None, body: message.to_string().into_bytes() };
        let envelope = Envelope::read(&frame).with_context(|| format!("message {}", number + 1))?;
        let event = Event::new(&references.catalogue, &references.aliases, &envelope);
        items.push(DigestItem::of_event(&event, Timestamp::default()));
    }
    out.json(&fold(&references.catalogue, &references.aliases, &items, args.subject.as_deref()))?;
    Ok(())
}
