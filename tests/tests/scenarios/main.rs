//! Whole runs of the daemon, from a message on the bus to what arrives at the far side. Each test names what must hold.

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
mod resident;
mod secrets;
mod smtp;
mod stream;
mod switch;
mod upgrade;
