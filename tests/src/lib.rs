//! Tools for end-to-end tests: a daemon that is controlled from outside as by an administrator, a publisher with the wire
//! format of the bus, a mail server and a web server that can fail on request, the benchmarks and the demonstration. The
//! scenarios in `tests/` use them. The crate must not depend on the implementation of the daemon: it uses only the command
//! line, the API and the messages that arrive.

pub mod bench;
pub mod channel;
pub mod client;
pub mod corpus;
pub mod daemon;
pub mod demo;
pub mod events;
pub mod expect;
pub mod fedmsg;
pub mod harness;
pub mod ircd;
pub mod mta;
pub mod paths;
pub mod pkgdb;
pub mod port;
pub mod publisher;
pub mod samples;
pub mod settings;
pub mod sink;
pub mod source;
pub mod wait;
pub mod web;
