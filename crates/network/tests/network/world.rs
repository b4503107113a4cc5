//! What the world outside does: it asks, and it answers.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use berth_network::{Port, PublicAddress};
use nix::sched::{CloneFlags, setns};

use crate::guest::Guest;
use crate::lab::{run, try_run};
use crate::outside::World;

/// Where the world is.
pub(crate) const WORLD: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);

/// An address of the network that the host and the world are on.
pub(crate) fn public(octet: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, octet)
}

/// The port with that public address, which neighbours on the host's leg in the world ask for.
pub(crate) fn with_public(port: &Port, octet: u8) -> Port {
    Port {
        public: Some(PublicAddress {
            address: public(octet),
            interface: Some("eth0".to_owned()),
        }),
        ..port.clone()
    }
}

impl World {
    pub(crate) fn run(&self, words: &[&str]) -> String {
        run(&[&["ip", "netns", "exec", &self.0], words].concat())
    }

    pub(crate) fn can(&self, words: &[&str]) -> bool {
        try_run(&[&["ip", "netns", "exec", &self.0], words].concat())
            .status
            .success()
    }

    pub(crate) fn pings(&self, address: Ipv4Addr) -> bool {
        self.can(&["busybox", "ping", "-c", "1", "-W", "2", &address.to_string()])
    }

    /// Does something on a thread in the world.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let file = File::open(format!("/run/netns/{}", self.0)).unwrap();
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(file, CloneFlags::CLONE_NEWNET).unwrap();
                work()
            });
            thread.join().unwrap()
        })
    }

    /// Asks who answers at that address, and by which address one is seen there: `guest-0-10 sees 198.51.100.2`.
    pub(crate) fn asks(&self, address: Ipv4Addr) -> Option<String> {
        self.inside(|| ask(address))
    }

    /// A service in the world that tells who asks by which address it sees them.
    pub(crate) fn serve(&self) {
        serve(
            "world".to_owned(),
            self.inside(|| TcpListener::bind("0.0.0.0:80").unwrap()),
        );
    }
}

impl Guest {
    pub(crate) fn asks(&self, address: Ipv4Addr) -> Option<String> {
        self.inside(|| ask(address))
    }

    pub(crate) fn serve(&self) {
        let listener = self.inside(|| TcpListener::bind("0.0.0.0:80").unwrap());
        serve(self.port.hostname.clone(), listener);
    }
}

fn ask(address: Ipv4Addr) -> Option<String> {
    let mut stream = connect(address)?;
    let mut said = String::new();
    stream.read_to_string(&mut said).ok()?;
    Some(said)
}

/// A connection within two seconds: a host answers for another at a moment of its choice, within the first.
pub(crate) fn connect(address: Ipv4Addr) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&SocketAddr::from((address, 80)), Duration::from_secs(2)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    Some(stream)
}

/// Answers until the test's process ends.
fn serve(name: String, listener: TcpListener) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let seen = stream.peer_addr().unwrap().ip();
            let _ = stream.write_all(format!("{name} sees {seen}").as_bytes());
        }
    });
}
