//! A guest played by a namespace: one end of a veth stands in for the tap, the other is the guest's NIC.

use std::fs::{self, File};
use std::path::Path;

use berth_network::{Port, Vpc};
use nix::sched::{CloneFlags, setns};

use crate::lab::{Lab, run, try_run};

pub(crate) struct Guest {
    namespace: String,
    pub(crate) port: Port,
}

impl Guest {
    /// A port made and plugged as the engine does it, with a guest on it that has no address yet.
    pub(crate) fn boot(lab: &Lab, vpc: &Vpc, port: Port) -> Self {
        lab.network.ensure_port(vpc, &port).unwrap();
        let (tap, namespace) = (
            lab.network.tap_name(port.id),
            format!("guest-{}", lab.network.tap_name(port.id)),
        );
        run(&["ip", "link", "del", &tap]);
        run(&["ip", "netns", "add", &namespace]);
        let guest = Self { namespace, port };
        let (peer, mac) = (
            ["peer", "name", "eth0", "netns", &guest.namespace],
            guest.port.mac.to_string(),
        );
        run(&[
            &["ip", "link", "add", &tap, "type", "veth"][..],
            &peer,
            &["address", &mac],
        ]
        .concat());
        // As a guest's driver reads it from its tap: what is longer doesn't get in.
        guest.run(&["ip", "link", "set", "eth0", "mtu", "1450", "up"]);
        lab.network.plug_port(vpc, &guest.port).unwrap();
        guest
    }

    /// The same, with its address set by hand.
    pub(crate) fn boot_static(lab: &Lab, vpc: &Vpc, port: Port) -> Self {
        let guest = Self::boot(lab, vpc, port);
        let subnet = vpc
            .subnets
            .iter()
            .find(|subnet| subnet.id == guest.port.subnet)
            .unwrap();
        guest.run(&[
            "ip",
            "address",
            "add",
            &format!("{}/{}", guest.port.address, subnet.cidr.prefix_len()),
            "dev",
            "eth0",
        ]);
        guest.run(&["ip", "route", "add", "default", "via", &subnet.gateway.to_string()]);
        guest
    }

    pub(crate) fn run(&self, words: &[&str]) -> String {
        run(&[&["ip", "netns", "exec", &self.namespace], words].concat())
    }

    /// Whether the program succeeds.
    pub(crate) fn can(&self, words: &[&str]) -> bool {
        try_run(&[&["ip", "netns", "exec", &self.namespace], words].concat())
            .status
            .success()
    }

    pub(crate) fn pings(&self, address: &str) -> bool {
        self.can(&["busybox", "ping", "-c", "2", "-i", "0.2", "-W", "1", address])
    }

    /// Asks DHCP as a guest does; gives back what a lease said, or nothing within three seconds.
    pub(crate) fn dhcp(&self) -> Option<String> {
        let script = Path::new("/tmp").join(format!("{}.udhcpc", self.namespace));
        let answer = script.with_extension("answer");
        let text = format!(
            "#!/bin/sh\n[ \"$1\" = bound ] && echo \"$ip/$mask via $router dns $dns ntp $ntpsrv mtu $mtu {} $hostname.$domain\" >{}\n",
            "name",
            answer.display()
        );
        fs::write(&script, text).unwrap();
        run(&["chmod", "755", script.to_str().unwrap()]);
        let words = [
            "busybox", "udhcpc", "-f", "-n", "-q", "-t", "6", "-T", "1", "-O", "mtu", "-O", "ntpsrv", "-i", "eth0",
            "-s",
        ];
        let bound = self.can(&[&words[..], &[script.to_str().unwrap()]].concat());
        let said = fs::read_to_string(&answer).ok();
        let _ = fs::remove_file(script);
        let _ = fs::remove_file(answer);
        said.filter(|_| bound).map(|said| said.trim().to_owned())
    }

    /// Does something on a thread inside the guest.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let file = File::open(format!("/run/netns/{}", self.namespace)).unwrap();
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(file, CloneFlags::CLONE_NEWNET).unwrap();
                work()
            });
            thread.join().unwrap()
        })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        try_run(&["ip", "netns", "del", &self.namespace]);
    }
}
