//! Routes about deliveries and their counts.

use tidings_api_types as types;

use super::operation::operation;
use super::{Route, get, post};
use crate::api::deliveries;

pub(super) fn delivery_routes() -> Vec<Route> {
    vec![
        get(
            "/api/v1/books",
            deliveries::books,
            operation("Counts of deliveries by channel and state").lists::<types::BooksInfo>("The counts"),
        ),
        get(
            "/api/v1/deliveries",
            deliveries::list,
            operation("Deliveries, newest first")
                .query::<types::DeliveryListQuery>()
                .lists::<types::DeliveryInfo>("A page of deliveries"),
        ),
        post(
            "/api/v1/deliveries/retry",
            deliveries::retry,
            operation("Retries dead deliveries")
                .takes::<types::RetryRequest>()
                .returns::<types::RetryResult>(200, "How many are pending again"),
        )
        .by_key(),
    ]
}
