//! The network on the real kernel: namespaces, nft, dnsmasq, and guests played by namespaces of their own.
//!
//! Each test has a namespace that plays the host, a prefix and a state directory: tests run side by side and leave
//! the machine as it was.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

mod bandwidth;
mod dhcp;
mod flows;
mod frame;
mod groups;
mod guard;
mod guest;
mod lab;
mod listen;
mod outside;
mod ports;
mod public;
mod public_moves;
mod tcp;
mod vpcs;
mod world;
