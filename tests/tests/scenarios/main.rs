//! Scenarios with a whole daemon, from a message on the bus to the servers of the channels. The name of each test says what
//! must hold. A scenario must use only the interfaces of the daemon, not its code.

mod confirm;
mod corpus;
mod demo;
mod drain;
mod foreign;
mod gone;
mod hostile;
mod http_channels;
mod irc;
mod kill;
mod lifecycle;
mod lists;
mod openapi;
mod plugin_versions;
mod quarantine;
mod resident;
mod secrets;
mod smtp;
mod stream;
mod switch;
mod upgrade;
