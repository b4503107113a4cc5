//! A port sends and receives as much as it is allowed, and not more.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use berth_network::{Counters, Port};

use crate::guest::Guest;
use crate::lab::{Lab, lab};

fn limited(port: &Port, bandwidth: Option<u32>) -> Port {
    Port {
        bandwidth,
        ..port.clone()
    }
}

/// How many Mbit/s of payload go from one guest to another, measured for that long.
fn mbits(from: &Guest, to: &Guest, time: Duration) -> f64 {
    let listener = to.inside(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap());
    let port = listener.local_addr().unwrap().port();
    let mut sending = from.inside(|| TcpStream::connect(SocketAddr::from((to.port.address, port))).unwrap());
    let (mut receiving, _) = listener.accept().unwrap();
    sending.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    receiving.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    std::thread::scope(|scope| {
        let receiver = scope.spawn(move || {
            let (mut buffer, mut bytes) = (vec![0; 65536], 0_u32);
            let started = Instant::now();
            while started.elapsed() < time {
                bytes += u32::try_from(receiving.read(&mut buffer).unwrap()).unwrap();
            }
            f64::from(bytes) * 8.0 / 1e6 / started.elapsed().as_secs_f64()
        });
        while sending.write_all(&[0; 16384]).is_ok() {}
        receiver.join().unwrap()
    })
}

#[test]
fn a_port_is_as_fast_as_it_may_be() {
    lab(|lab| {
        let vpc = Lab::vpc(1, 1);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let slow = Guest::boot_static(lab, &vpc, limited(&Lab::port(&vpc, 0, 10), Some(20)));
        let free = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, 11));
        let holds = |limit: u32| {
            lab.network.set_port(&vpc, &limited(&slow.port, Some(limit))).unwrap();
            for (from, to, what) in [(&slow, &free, "sent"), (&free, &slow, "received")] {
                let measured = mbits(from, to, Duration::from_secs(2));
                eprintln!("{limit} Mbit/s: {measured:.1} {what}");
                let limit = f64::from(limit);
                assert!(
                    (0.5 * limit..1.3 * limit).contains(&measured),
                    "{measured} of {limit} {what}"
                );
            }
        };
        holds(20);
        holds(40);
        lab.network.set_port(&vpc, &limited(&slow.port, None)).unwrap();
        lab.network.set_port(&vpc, &limited(&slow.port, None)).unwrap();
        let measured = mbits(&slow, &free, Duration::from_secs(1));
        assert!(measured > 80.0, "{measured} without a limit");
        assert!(!lab.inside(&vpc, &["tc", "qdisc"]).contains("tbf"));
    });
}

#[test]
fn what_limits_a_port_goes_with_its_tap() {
    lab(|lab| {
        let vpc = Lab::vpc(1, 1);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let port = limited(&Lab::port(&vpc, 0, 10), Some(20));
        let ifbs = || {
            lab.inside(&vpc, &["ip", "-br", "link", "show", "type", "ifb"])
                .lines()
                .count()
        };
        let plug = || {
            lab.network.ensure_port(&vpc, &port).unwrap();
            lab.network.plug_port(&vpc, &port).unwrap();
            lab.network.plug_port(&vpc, &port).unwrap();
            assert_eq!(ifbs(), 1);
        };
        plug();
        lab.network.unplug_port(&vpc, &port).unwrap();
        assert_eq!(ifbs(), 0);
        plug();
        // A tap that nobody holds is made anew.
        plug();
        lab.network.remove_port(&vpc, &port).unwrap();
        assert_eq!(ifbs(), 0);
        plug();
        // What a crash leaves is found by the name of the tap it belonged to.
        lab.inside(&vpc, &["ip", "link", "del", &lab.network.tap_name(port.id)]);
        let left = lab.network.inventory().unwrap().taps;
        assert_eq!(left.len(), 1);
        lab.network.remove_tap(&left[0]).unwrap();
        assert!(ifbs() == 0 && lab.network.inventory().unwrap().taps.is_empty());
        for wrong in [0, 1_000_000] {
            let error = lab.network.ensure_port(&vpc, &limited(&port, Some(wrong))).unwrap_err();
            assert_eq!(error.code().as_str(), "invalid_argument");
        }
    });
}

#[test]
fn counters_are_the_guests_own() {
    lab(|lab| {
        let vpc = Lab::vpc(1, 1);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let guests = [10, 11].map(|octet| Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, octet)));
        let ports = [guests[0].port.clone(), guests[1].port.clone(), Lab::port(&vpc, 0, 12)];
        let ids = ports.each_ref().map(|port| port.id);
        let read = || -> Vec<Counters> {
            let counters = lab.network.counters(vpc.index, &ids).unwrap();
            assert_eq!(
                counters.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
                [ports[0].id, ports[1].id]
            );
            counters.into_iter().map(|(_, counters)| counters).collect()
        };
        let before = read();
        let listener = guests[1].inside(|| TcpListener::bind("0.0.0.0:80").unwrap());
        let address = SocketAddr::from((guests[1].port.address, 80));
        let mut sending = guests[0].inside(|| TcpStream::connect(address).unwrap());
        let (mut receiving, _) = listener.accept().unwrap();
        sending.write_all(&vec![0; 100_000]).unwrap();
        receiving.read_exact(&mut vec![0; 100_000]).unwrap();
        let after = read();
        assert!(after[0].tx_bytes - before[0].tx_bytes >= 100_000, "{after:?}");
        assert!(after[1].rx_bytes - before[1].rx_bytes >= 100_000, "{after:?}");
        assert!(after[1].tx_bytes - before[1].tx_bytes < 100_000, "{after:?}");
        assert!(after[0].tx_packets > before[0].tx_packets && after[1].rx_packets > before[1].rx_packets);
    });
}
