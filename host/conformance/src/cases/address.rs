//! `check-address`: the manifest's example is valid, a normal form is its own normal form, and any text gets an answer.

use std::time::Instant;

use tidings_domain::limits;
use tidings_sandbox::Plugin;

use crate::remote_server::ServerBehaviour;
use crate::report::CaseResult;
use crate::run::{ConformanceRun, DEADLINE_MS};
use crate::sample::{SettingsError, deliveries};

pub async fn all(run: &mut ConformanceRun<'_>) {
    let started = Instant::now();
    let channel = match run.channel(ServerBehaviour::accept_all(), DEADLINE_MS).await {
        Ok(channel) => channel,
        Err(SettingsError(reason)) => return run.record("settings by the schema", started, CaseResult::Failed(reason)),
    };
    run.record("settings by the schema", started, CaseResult::Passed);
    let example = run.manifest().address_example.clone();
    record_stable(run, "the example address in the manifest is valid", &channel.plugin, &example).await;
    if channel.setup.address != example {
        record_stable(run, "the given address is valid", &channel.plugin, &channel.setup.address).await;
    }
    let started = Instant::now();
    let result = answers(&channel.plugin).await;
    run.record("any text as an address gets an answer", started, result);
}

async fn record_stable(run: &mut ConformanceRun<'_>, name: &str, plugin: &Plugin, address: &str) {
    let started = Instant::now();
    let result = stable(plugin, address).await;
    run.record(name, started, result);
}

/// The address is valid, and its normal form is its own normal form.
async fn stable(plugin: &Plugin, address: &str) -> Result<(), String> {
    let ask = async |address: &str| match plugin.check_address(address).await {
        Ok(Ok(normal)) => Ok(normal),
        Ok(Err(problem)) => Err(format!("`{address}` is refused: {problem}")),
        Err((kind, detail)) => Err(format!("`{address}` gets no answer ({}): {detail}", kind.as_str())),
    };
    let normal = ask(address).await?;
    let again = ask(&normal).await?;
    if again == normal { Ok(()) } else { Err(format!("`{normal}`, a normal form, has the normal form `{again}`")) }
}

async fn answers(plugin: &Plugin) -> Result<(), String> {
    let long = ["a", "ü", "\"", "@", ".", "🎉"].map(|piece| piece.repeat(limits::ADDRESS_CHARS));
    let unusual = deliveries::UNUSUAL_TEXTS.iter().map(|(_, text)| (*text).to_owned());
    let plain = ["", " ", "@", "a@", "@b", "a@b@c", "#x", "http://", "https://[::1", "\"", "%00", "../..", "-", "0"];
    for address in plain.iter().map(ToString::to_string).chain(unusual).chain(long) {
        match plugin.check_address(&address).await {
            Ok(Ok(normal)) => stable(plugin, &normal).await?,
            Ok(Err(problem)) if problem.trim().is_empty() => {
                return Err(format!("{address:?} is refused without a reason"));
            }
            Ok(Err(_)) => {}
            Err((kind, detail)) => return Err(format!("{address:?} gets no answer ({}): {detail}", kind.as_str())),
        }
    }
    Ok(())
}
