//! A listener inside a VPC: its guests reach it, each by its own address, and nothing else there.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::time::Duration;

use berth_network::METADATA;

use crate::guest::Guest;
use crate::lab::{Lab, lab};
use crate::outside::World;
use crate::world::{public, with_public};

#[test]
fn guests_of_each_vpc_reach_their_own_metadata() {
    lab(|lab| {
        let _world = World::new(lab);
        let guests = [1, 2].map(|index| {
            let vpc = Lab::vpc(index, 1);
            lab.network.ensure_vpc(&vpc, &[]).unwrap();
            let listener = lab.network.listen(&vpc, METADATA).unwrap();
            assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
            (Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, 10)), listener, vpc)
        });
        for (guest, listener, vpc) in &guests {
            let mut asking = guest.inside(|| TcpStream::connect(METADATA).unwrap());
            let (mut asked, from) = listener.accept().unwrap();
            assert_eq!(from.ip(), guest.port.address);
            asked.write_all(&[u8::try_from(vpc.index).unwrap()]).unwrap();
            let mut said = [0];
            asking.read_exact(&mut said).unwrap();
            assert_eq!(u32::from(said[0]), vpc.index);
        }
    });
}

#[test]
fn nothing_else_of_the_router_is_reached() {
    lab(|lab| {
        let world = World::new(lab);
        let vpc = Lab::vpc(1, 1);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let guest = Guest::boot_static(lab, &vpc, with_public(&Lab::port(&vpc, 0, 10), 50));
        let everywhere = |port: u16| SocketAddrV4::new("0.0.0.0".parse().unwrap(), port);
        let listeners = [80, 81].map(|port| lab.network.listen(&vpc, everywhere(port)).unwrap());
        let reaches = |address: &str| {
            let address: SocketAddr = address.parse().unwrap();
            TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_ok()
        };
        assert!(
            guest.inside(|| reaches("169.254.169.254:80")),
            "or the rest proves nothing"
        );
        for address in ["169.254.169.254:81", "10.0.0.1:80", "100.64.0.3:80"] {
            assert!(!guest.inside(|| reaches(address)), "{address} was reached");
        }
        // From the outside there is only the guest.
        let public = format!("{}:80", public(50));
        assert!(!world.inside(|| reaches(&public)));
        let _own = guest.inside(|| TcpListener::bind("0.0.0.0:80").unwrap());
        assert!(world.inside(|| reaches(&public)));
        drop(listeners);
        assert!(
            lab.network
                .listen(&vpc, SocketAddrV4::new("192.0.2.1".parse().unwrap(), 80))
                .is_err()
        );
    });
}
