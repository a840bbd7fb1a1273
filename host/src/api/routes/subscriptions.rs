//! Routes about subscriptions, and the rules that they are made of.

use tidings_api_types as types;
use tidings_domain::rule_info::RuleInfo;
use tidings_domain::subscription::Subscription;

use super::operation::{CONFLICT, NOT_FOUND, operation};
use super::{Route, delete, get, post, put};
use crate::api::{confirmations, rules, stream, subscriptions};

pub(super) fn subscription_routes() -> Vec<Route> {
    vec![
        get(
            "/api/v1/subscriptions",
            subscriptions::list,
            operation("Subscriptions, by user")
                .query::<types::SubscriptionListQuery>()
                .lists::<Subscription>("A page of subscriptions"),
        ),
        get(
            "/api/v1/subscriptions/{user}/{channel}",
            subscriptions::view,
            operation("A subscription").returns::<Subscription>(200, "The subscription").with_etag().fails([NOT_FOUND]),
        ),
        put(
            "/api/v1/subscriptions/{user}/{channel}",
            subscriptions::put,
            operation("Creates or replaces a subscription")
                .if_match()
                .takes::<types::SubscriptionRequest>()
                .returns::<Subscription>(200, "The subscription as stored")
                .returns::<Subscription>(201, "The new subscription as stored")
                .with_etag()
                .fails([CONFLICT]),
        )
        .slow(),
        delete(
            "/api/v1/subscriptions/{user}/{channel}",
            subscriptions::delete,
            operation("Deletes a subscription, and cancels its deliveries")
                .if_match()
                .returns_nothing()
                .fails([NOT_FOUND, CONFLICT]),
        ),
        post(
            "/api/v1/subscriptions/{user}/{channel}/confirmations",
            confirmations::ask,
            operation("Asks the owner of an address, by the channel itself")
                .takes::<types::AskConfirmationRequest>()
                .returns::<types::ConfirmationInfo>(200, "The question")
                .fails([NOT_FOUND, CONFLICT]),
        )
        .slow()
        .by_key(),
        get(
            "/api/v1/subscriptions/{user}/{channel}/streams",
            stream::links,
            operation("Where the user follows the channel's event streams")
                .lists::<types::StreamInfo>("One for each address")
                .fails([NOT_FOUND, CONFLICT]),
        ),
    ]
}

pub(super) fn rule_routes() -> Vec<Route> {
    vec![
        get("/api/v1/rules", rules::list, operation("Rules that users may choose").lists::<RuleInfo>("All rules")),
        get(
            "/api/v1/rules/{name}",
            rules::view,
            operation("A rule").returns::<RuleInfo>(200, "The rule").fails([NOT_FOUND]),
        ),
    ]
}
