//! Flows that live when the rules change: those that may no more are ended, and no others.

use std::time::Instant;

use berth_model::{Direction, Protocol, Remote};
use berth_network::Port;

use crate::frame::{checksum, ethernet, inject, listener, udp};
use crate::groups::{group, inward, port, says, set};
use crate::guest::Guest;
use crate::lab::{Lab, anything, lab};
use crate::tcp::{Flow, reaches, serve};

#[test]
fn what_is_taken_back_ends_and_what_is_not_lives_on() {
    lab(|lab| {
        let mut vpc = Lab::vpc(1, 2);
        let (ssh, web) = (
            inward(Protocol::Tcp, Some("22"), Remote::ANYWHERE),
            inward(Protocol::Tcp, Some("80"), Remote::ANYWHERE),
        );
        let server = group(&mut vpc, &[ssh, web, anything(Direction::Egress)]);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let asks = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, 10));
        let near = Guest::boot_static(lab, &vpc, port(&vpc, 0, 11, &[server]));
        let far = Guest::boot_static(lab, &vpc, port(&vpc, 1, 11, &[server]));
        let everybody = [&asks, &near, &far];
        for guest in [&near, &far] {
            let mut flows = [22, 80].map(|port| Flow::begin(&asks, guest, port));
            let mut alive = || flows.each_mut().map(Flow::lives);
            assert_eq!(alive(), [true, true]);
            // The far end still accepts everything: the server's answers mustn't begin the flow the other way round.
            set(lab, &mut vpc, &everybody, server, &[web, anything(Direction::Egress)]);
            assert_eq!(alive(), [false, true]);
            // A daemon that begins knows nothing, and ends nothing that may live.
            let ports = everybody.map(|guest| guest.port.clone());
            let restarted = berth_network::Network::open(lab.settings.clone()).unwrap();
            restarted.ensure_vpc(&vpc, &ports).unwrap();
            assert_eq!(alive(), [false, true]);
            set(
                lab,
                &mut vpc,
                &everybody,
                server,
                &[ssh, web, anything(Direction::Egress)],
            );
        }
        // A port leaves the group, and then the other end loses its own right to send.
        let mut flow = Flow::begin(&asks, &near, 80);
        let mut other = Flow::begin(&asks, &far, 80);
        let left = Port {
            groups: Vec::new(),
            ..near.port.clone()
        };
        lab.network.set_port(&vpc, &left).unwrap();
        assert!(!flow.lives() && other.lives());
        let mute = Port {
            groups: Vec::new(),
            ..asks.port.clone()
        };
        lab.network.set_port(&vpc, &mute).unwrap();
        assert!(!other.lives());
    });
}

/// UDP by the thousand, TCP, ICMP, one that the kernel knows the keys of, and one that it doesn't.
#[test]
fn flows_of_every_protocol_end() {
    lab(|lab| {
        let mut vpc = Lab::vpc(1, 1);
        let server = group(&mut vpc, &[inward(Protocol::Any, None, Remote::ANYWHERE)]);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let asks = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, 10));
        let answers = Guest::boot_static(lab, &vpc, port(&vpc, 0, 11, &[server]));
        let other = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, 12));
        let mouth = listener(&asks, 0);
        for port in 10000..11000 {
            mouth.send_to(b"hello", (answers.port.address, port)).unwrap();
        }
        mouth.send_to(b"hello", (other.port.address, 10000)).unwrap();
        let _served = serve(&answers, 22);
        assert!(reaches(&asks, answers.port.address, 22));
        assert!(asks.pings("10.0.0.11") && says(&asks, &answers, 5000));
        for protocol in [47_u8, 112] {
            let mut packet = udp((asks.port.address, 0), (answers.port.address, 0), b"hello");
            packet[9] = protocol;
            checksum(&mut packet);
            inject(
                &asks,
                &ethernet(answers.port.mac.octets(), asks.port.mac, 0x0800, &packet),
            );
        }
        let namespace = vpc.clone();
        let tracked = || lab.inside(&namespace, &["conntrack", "-L", "-f", "ipv4"]);
        let before = tracked();
        for kind in ["tcp ", "udp ", "icmp ", "gre ", "unknown "] {
            assert!(before.contains(kind), "{kind} in {before}");
        }
        let started = Instant::now();
        set(lab, &mut vpc, &[&asks, &answers, &other], server, &[]);
        eprintln!("set_group that ends 1,000 flows: {:?}", started.elapsed());
        let after = tracked();
        assert!(!after.contains("10.0.0.11") && after.contains("10.0.0.12"), "{after}");
    });
}

#[test]
fn a_port_that_is_removed_leaves_no_flow_to_its_heir() {
    lab(|lab| {
        for forgetful in [false, true] {
            let vpc = Lab::vpc(1, 1);
            lab.network.ensure_vpc(&vpc, &[]).unwrap();
            let asks = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, 10));
            let server = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, 11));
            let _flow = Flow::begin(&asks, &server, 80);
            let tracked = || {
                lab.inside(&vpc, &["conntrack", "-L", "-p", "tcp"])
                    .contains("10.0.0.11")
            };
            assert!(tracked());
            let fresh = berth_network::Network::open(lab.settings.clone()).unwrap();
            let network = if forgetful { &fresh } else { &lab.network };
            network.remove_port(&vpc, &server.port).unwrap();
            assert!(!tracked(), "forgetful: {forgetful}");
            lab.network.remove_vpc(&vpc).unwrap();
        }
    });
}
