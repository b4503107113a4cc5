//! The store's tests. What is about records, claims and events runs on SQLite and on a real PostgreSQL, the same body.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

#[macro_use]
mod support;

mod cancel;
mod claims;
mod crash;
mod dry;
mod events;
mod forge;
mod history;
mod images;
mod labels;
mod layers;
mod lists;
mod metrics;
mod networks;
mod once;
mod open;
mod postgres;
mod projects;
mod public_ips;
mod quota;
mod quota_walk;
mod records;
mod served;
mod tasks;
mod usage;
mod walk;
