//! Whole-system tests: a real daemon, a real libvirt, real guests, each test on a private host of its own.
//!
//! They read like the documentation: what is asked, what is shown, what libvirt says at that moment.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![allow(clippy::print_stdout, reason = "a test of random moments says how many it has hit")]

mod access_matrix;
mod actions;
mod audit;
mod away;
mod bad_input;
mod cancel;
mod check;
mod cli;
mod cli_terminal;
mod conditional;
mod console;
mod crash;
mod daemon;
mod debian;
mod doors;
mod dry_run;
mod events;
mod examples;
mod guest;
mod health;
mod hostile;
mod image;
mod image_properties;
mod init;
mod isolation;
mod keypair;
mod kvm;
mod labels;
mod lists;
mod matrix;
mod merge;
mod metrics;
mod network_matrix;
mod once;
mod operations;
mod outside;
mod package;
mod people;
mod port;
mod public_ip;
mod quota;
mod resize;
mod schemathesis;
mod security_group;
mod shelve;
mod snapshot;
mod space;
mod stream;
mod together;
mod token;
mod tour;
mod usage;
mod volume;
mod volume_matrix;
mod vpc;
mod walk;
mod watch;
mod why;
