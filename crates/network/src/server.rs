//! The DHCP server of a VPC, for whoever wants to know when it ends.

use std::os::fd::OwnedFd;

use crate::{Network, Vpc, dnsmasq, process};

/// A DHCP server that runs.
#[derive(Debug)]
pub struct Server {
    /// Its process id.
    pub pid: i32,
    /// Readable once it has ended.
    pub end: OwnedFd,
}

impl Network {
    /// The DHCP server that serves a VPC; none if none does.
    pub fn server(&self, vpc: &Vpc) -> Option<Server> {
        let pid = dnsmasq::running(&self.dhcp(vpc))?;
        let end = process::end_of(pid)?;
        // Between reading its number and opening it another process may have got the number.
        let still = dnsmasq::running(&self.dhcp(vpc)) == Some(pid);
        still.then_some(Server { pid: pid.as_raw(), end })
    }
}
