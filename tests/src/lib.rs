//! The end-to-end parts: a daemon driven from outside as an administrator would, a publisher in the bus' wire format, a
//! mail server and a web server that can misbehave, and the demonstration. Scenarios in `tests/` use them. It knows
//! nothing of the daemon's insides: what it learns, it learns from the command line, the API and the mail that arrives.

pub mod bench;
pub mod channel;
pub mod client;
pub mod corpus;
pub mod daemon;
pub mod demo;
pub mod events;
pub mod expect;
pub mod fedmsg;
pub mod ircd;
pub mod mta;
pub mod paths;
pub mod pkgdb;
pub mod port;
pub mod publisher;
pub mod samples;
pub mod scene;
pub mod settings;
pub mod sink;
pub mod source;
pub mod wait;
pub mod web;
