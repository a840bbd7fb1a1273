//! The requests and responses of the HTTP API as types. The server, the command line and the tests share them, and the
//! OpenAPI document is generated from them. Types of the core (manifests, grants, filters, rules) appear as they are.
//! This crate has no I/O and no logic beyond conversions.
//!
//! - Times are milliseconds since 1970-01-01 UTC. Fields named `*_seconds` are durations.
//! - Components are named by the SHA-256 of their file, in hexadecimal.
//! - A list is `{"data": […], "next": cursor or null}`; pass the cursor as `after` for the next page.

mod access_lists;
mod channels;
mod components;
mod deliveries;
mod list;
mod problem;
mod status;
mod subscriptions;
mod versions;

pub use access_lists::{
    AccessListsInUse, AccessListsInfo, AccessListsWritten, GroupInfo, PackageInfo, ProviderInfo, TableQuery,
};
pub use channels::{
    ChannelInfo, ChannelStateInfo, CredentialGrant, CredentialRequestInfo, GrantRequestInfo, GrantsRequest,
    PutChannelRequest, ResidentInfo, TestOutcome, TestSendRequest, TestSendResult,
};
pub use components::{ComponentDetails, InstallQuery, InstallRequest};
pub use deliveries::{BooksInfo, DeliveryInfo, DeliveryListQuery, RetryRequest, RetryResult};
pub use list::ListPage;
pub use problem::{FieldError, ProblemDocument};
pub use status::{
    BusEndpointState, ChannelSummary, EndpointInfo, Health, MessageCounts, Readiness, RefusedMessages, StatusInfo,
};
pub use subscriptions::{
    AskConfirmationRequest, ConfirmationInfo, StreamInfo, SubscriptionListQuery, SubscriptionRequest,
};
pub use versions::{LatencyBucket, LogLineInfo, LogQuery, UpgradeRequest, VersionInfo, VersionUse};
