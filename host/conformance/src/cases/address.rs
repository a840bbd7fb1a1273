//! `check-address`: the manifest's own example is one, a normal form is its own normal form, and any text gets an answer.

use std::time::Instant;

use tidings_domain::limits;
use tidings_sandbox::Plugin;

use crate::far::ServerBehaviour;
use crate::finding::CaseResult;
use crate::sample::{NoSettings, deliveries};
use crate::trial::{ConformanceRun, DEADLINE_MS};

pub async fn all(trial: &mut ConformanceRun<'_>) {
    let began = Instant::now();
    let channel = match trial.channel(ServerBehaviour::helpful(), DEADLINE_MS).await {
        Ok(channel) => channel,
        Err(NoSettings(why)) => return trial.note("settings by the schema", began, CaseResult::Failed(why)),
    };
    trial.note("settings by the schema", began, CaseResult::Passed);
    for (name, address) in [
        ("the address in the manifest is one", trial.manifest().address_example.clone()),
        ("the address of the trial is one", channel.setup.address.clone()),
    ] {
        let began = Instant::now();
        let verdict = stable(&channel.plugin, &address).await;
        if name.starts_with("the address in") || address != trial.manifest().address_example {
            trial.note(name, began, verdict);
        }
    }
    let began = Instant::now();
    let verdict = answers(&channel.plugin).await;
    trial.note("any text as an address gets an answer", began, verdict);
}

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
    let odd = deliveries::ODD.iter().map(|(_, text)| (*text).to_owned());
    let plain = ["", " ", "@", "a@", "@b", "a@b@c", "#x", "http://", "https://[::1", "\"", "%00", "../..", "-", "0"];
    for address in plain.iter().map(ToString::to_string).chain(odd).chain(long) {
        match plugin.check_address(&address).await {
            Ok(Ok(normal)) => stable(plugin, &normal).await?,
            Ok(Err(problem)) if problem.trim().is_empty() => {
                return Err(format!("{address:?} is refused without a word why"));
            }
            Ok(Err(_)) => {}
            Err((kind, detail)) => return Err(format!("{address:?} gets no answer ({}): {detail}", kind.as_str())),
        }
    }
    Ok(())
}
