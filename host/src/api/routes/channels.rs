//! Routes about channels and the versions of their plugins.

use std::collections::BTreeMap;

use tidings_api_types as types;
use tidings_domain::limits::PluginLimits;
use tidings_domain::plugin_life::{ChannelEvent, FailurePolicy};

use super::operation::{CONFLICT, NOT_FOUND, Operation, operation};
use super::{Route, delete, get, post, put};
use crate::api::{channels, versions};

/// An operation that changes a channel and answers with it.
fn channel_change(summary: &'static str) -> Operation {
    operation(summary)
        .if_match()
        .returns::<types::ChannelInfo>(200, "The channel")
        .with_etag()
        .fails([403, NOT_FOUND, CONFLICT, 422])
}

pub(super) fn channel_routes() -> Vec<Route> {
    vec![
        get("/api/v1/channels", channels::list, operation("Channels").lists::<types::ChannelInfo>("All channels")),
        get(
            "/api/v1/channels/{name}",
            channels::view,
            operation("A channel").returns::<types::ChannelInfo>(200, "The channel").with_etag().fails([NOT_FOUND]),
        ),
        put(
            "/api/v1/channels/{name}",
            channels::put,
            channel_change("Creates a channel, or switches it to a component").takes::<types::PutChannelRequest>(),
        )
        .slow(),
        delete(
            "/api/v1/channels/{name}",
            channels::remove,
            operation("Removes a disabled channel").if_match().returns_nothing().fails([NOT_FOUND, CONFLICT]),
        ),
        put(
            "/api/v1/channels/{name}/config",
            channels::configure,
            channel_change("Sets configuration values; null removes one").takes::<BTreeMap<String, Option<String>>>(),
        )
        .slow(),
        put(
            "/api/v1/channels/{name}/grants",
            channels::grant,
            channel_change("Sets what the plugin may reach, and its credentials").takes::<types::GrantsRequest>(),
        )
        .slow(),
        put(
            "/api/v1/channels/{name}/limits",
            channels::limit,
            channel_change("Sets the plugin's limits; absent ones get their default").takes::<PluginLimits>(),
        )
        .slow(),
        post("/api/v1/channels/{name}/enable", channels::enable, channel_change("Enables a channel")).slow().by_key(),
        post("/api/v1/channels/{name}/disable", channels::disable, channel_change("Disables a channel"))
            .slow()
            .by_key(),
        post(
            "/api/v1/channels/{name}/test-send",
            channels::test_send,
            operation("Sends one message outside the queue")
                .takes::<types::TestSendRequest>()
                .returns::<types::TestSendResult>(200, "The result")
                .fails([NOT_FOUND, CONFLICT]),
        )
        .slow()
        .by_key(),
    ]
}

pub(super) fn version_routes() -> Vec<Route> {
    vec![
        post(
            "/api/v1/channels/{name}/upgrade",
            versions::upgrade,
            channel_change("Upgrades a channel's plugin, by default with a canary").takes::<types::UpgradeRequest>(),
        )
        .slow()
        .by_key(),
        post(
            "/api/v1/channels/{name}/rollback",
            versions::roll_back,
            channel_change("Ends a canary, or returns to the previous version"),
        )
        .slow()
        .by_key(),
        post("/api/v1/channels/{name}/release", versions::release, channel_change("Ends a quarantine")).slow().by_key(),
        put(
            "/api/v1/channels/{name}/policy",
            versions::set_policy,
            channel_change("Sets the failure policy").takes::<FailurePolicy>(),
        ),
        get(
            "/api/v1/channels/{name}/versions",
            versions::versions,
            operation("Versions that the channel has or had")
                .lists::<types::VersionInfo>("All versions")
                .fails([NOT_FOUND]),
        ),
        get(
            "/api/v1/channels/{name}/events",
            versions::events,
            operation("The channel's history, newest first").lists::<ChannelEvent>("All events").fails([NOT_FOUND]),
        ),
        get(
            "/api/v1/channels/{name}/log",
            versions::log,
            operation("The last lines of the plugin's log, oldest first")
                .query::<types::LogQuery>()
                .lists::<types::LogLineInfo>("The lines")
                .fails([NOT_FOUND]),
        ),
    ]
}
