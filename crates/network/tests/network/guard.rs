//! A guest can't pretend to be another one.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use berth_model::Mac;

use crate::frame::{BROADCAST, arp, arp_reply, ethernet, hears, inject, listener, udp};
use crate::guest::Guest;
use crate::lab::{Lab, lab};

const ARP: u16 = 0x0806;
const IPV4: u16 = 0x0800;

fn two_guests(lab: &Lab) -> (Guest, Guest) {
    let vpc = Lab::vpc(1, 1);
    lab.network.ensure_vpc(&vpc, &[]).unwrap();
    let one = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, 10));
    let other = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, 11));
    (one, other)
}

#[test]
fn a_spoofed_address_is_dropped() {
    lab(|lab| {
        let (one, other) = two_guests(lab);
        let ear = listener(&other, 4000);
        let say = |mac: Mac, from: Ipv4Addr, to: u16| {
            let packet = udp((from, 4000), (other.port.address, to), b"hello");
            inject(&one, &ethernet(other.port.mac.octets(), mac, IPV4, &packet));
            hears(&ear)
        };
        assert!(
            say(one.port.mac, one.port.address, 4000),
            "an honest frame must pass, or the rest proves nothing"
        );
        assert!(
            !say(one.port.mac, Ipv4Addr::new(10, 0, 0, 12), 4000),
            "another address passed"
        );
        assert!(!say(Mac::random(), one.port.address, 4000), "another MAC passed");
        assert!(
            !say(other.port.mac, other.port.address, 4000),
            "another guest's MAC and address passed"
        );
        assert!(say(one.port.mac, one.port.address, 4000));
    });
}

#[test]
fn a_vlan_tag_hides_nothing() {
    lab(|lab| {
        let (one, other) = two_guests(lab);
        let before = received(&other);
        for tag in [0x8100_u16, 0x88a8] {
            let packet = udp((one.port.address, 4000), (other.port.address, 4000), b"hello");
            let tagged = [&5_u16.to_be_bytes()[..], &IPV4.to_be_bytes(), &packet].concat();
            inject(&one, &ethernet(other.port.mac.octets(), one.port.mac, tag, &tagged));
        }
        assert_eq!(received(&other), before, "a tagged frame passed");
        // IPv6, a loopback test frame, and what a switch would say (IEEE 802.1D): nothing but IPv4 and ARP passes.
        for (to, kind) in [
            (BROADCAST, 0x86dd),
            (BROADCAST, 0x9000),
            ([1, 0x80, 0xc2, 0, 0, 0], 0x0027),
        ] {
            inject(&one, &ethernet(to, one.port.mac, kind, &[0; 60]));
        }
        assert_eq!(received(&other), before, "a frame of another protocol passed");
    });
}

#[test]
fn an_address_can_be_neither_claimed_nor_probed_for_by_another() {
    lab(|lab| {
        let (one, other) = two_guests(lab);
        let taken = Ipv4Addr::new(10, 0, 0, 1);
        let say_from = |outer: Mac, sender: Ipv4Addr, target: Ipv4Addr, inner: Mac| {
            let before = received(&other);
            inject(&one, &ethernet(BROADCAST, outer, ARP, &arp(inner, sender, target)));
            received(&other) > before
        };
        let say = |sender, target, inner| say_from(one.port.mac, sender, target, inner);
        let (own, mac) = (one.port.address, one.port.mac);
        assert!(say(own, own, mac), "a guest may announce its own address");
        assert!(
            say(Ipv4Addr::UNSPECIFIED, own, mac),
            "a guest may ask whether its own address is taken"
        );
        assert!(!say(taken, taken, mac), "the gateway's address was claimed");
        assert!(!say(own, own, Mac::random()), "the address was claimed for another MAC");
        let stranger = Mac::random();
        assert!(
            !say_from(stranger, own, own, mac),
            "another MAC sent it: bridges would learn it there"
        );
        assert!(
            !say(Ipv4Addr::UNSPECIFIED, taken, mac),
            "another address was probed for"
        );
    });
}

#[test]
fn a_guest_gives_out_no_addresses() {
    lab(|lab| {
        let (one, other) = two_guests(lab);
        let ear = listener(&other, 68);
        let offer = udp((one.port.address, 67), (other.port.address, 68), b"an offer");
        inject(&one, &ethernet(other.port.mac.octets(), one.port.mac, IPV4, &offer));
        assert!(!hears(&ear), "a DHCP answer of a guest passed");
    });
}

/// A guest that does all it can, `TIMES` times each: nothing arrives, and the guard says how often it tried what.
#[test]
fn a_hostile_guest_is_heard_by_nobody_and_counted() {
    const TIMES: u64 = 7;
    lab(|lab| {
        let vpc = Lab::vpc(1, 1);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let [evil, victim] = [10, 11].map(|octet| Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, octet)));
        for guest in [&evil, &victim] {
            // Their kernels would speak it by themselves.
            guest.run(&["sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6"]);
        }
        let (mac, own, gateway) = (evil.port.mac, evil.port.address, Ipv4Addr::new(10, 0, 0, 1));
        let (to, address) = (victim.port.mac.octets(), victim.port.address);
        let stranger = Mac::random();
        let packet = |from: Ipv4Addr, port: u16| udp((from, port), (address, 4000), b"evil");
        let tagged = [&5_u16.to_be_bytes()[..], &IPV4.to_be_bytes(), &packet(own, 4000)].concat();
        let misdirected = udp((own, 4000), (Ipv4Addr::new(10, 0, 0, 99), 4000), b"covert");
        // ICMPv6 (58), from the link-local address, a router's advertisement (134).
        let mut advertisement = vec![0x60, 0, 0, 0, 0, 16, 58, 255];
        for address in ["fe80::1", "ff02::1"] {
            advertisement.extend(address.parse::<Ipv6Addr>().unwrap().octets());
        }
        advertisement.extend([134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
        let frames = [
            ("spoofed_mac", ethernet(to, stranger, IPV4, &packet(own, 4000))),
            ("spoofed_mac", ethernet(to, stranger, ARP, &arp(stranger, own, address))),
            (
                "spoofed_address",
                ethernet(to, mac, IPV4, &packet(Ipv4Addr::new(10, 0, 0, 12), 4000)),
            ),
            ("spoofed_address", ethernet(to, mac, IPV4, &packet(gateway, 4000))),
            ("forged_arp", ethernet(BROADCAST, mac, ARP, &arp(mac, gateway, address))),
            ("forged_arp", ethernet(to, mac, ARP, &arp_reply(mac, gateway, address))),
            ("forged_arp", ethernet(to, mac, ARP, &arp_reply(mac, address, own))),
            (
                "forged_arp",
                ethernet(BROADCAST, mac, ARP, &arp(mac, Ipv4Addr::UNSPECIFIED, gateway)),
            ),
            (
                "dhcp_server",
                ethernet(to, mac, IPV4, &udp((own, 67), (address, 68), b"an offer")),
            ),
            (
                "dhcp_server",
                ethernet(
                    BROADCAST,
                    mac,
                    IPV4,
                    &udp((gateway, 67), (Ipv4Addr::BROADCAST, 68), b"an offer"),
                ),
            ),
            ("ipv6", ethernet([0x33, 0x33, 0, 0, 0, 1], mac, 0x86dd, &advertisement)),
            ("vlan_tag", ethernet(to, mac, 0x8100, &tagged)),
            ("vlan_tag", ethernet(to, mac, 0x88a8, &tagged)),
            (
                "other_protocol",
                ethernet([1, 0x80, 0xc2, 0, 0, 0], mac, 0x0027, &[0; 60]),
            ),
            ("misdelivered", ethernet(to, mac, IPV4, &misdirected)),
        ];
        let mut expected = BTreeMap::new();
        let (arrived, counted) = (received(&victim), drops(lab, &vpc));
        for (reason, frame) in &frames {
            for _ in 0..TIMES {
                inject(&evil, frame);
            }
            *expected.entry((*reason).to_owned()).or_insert(counted[*reason]) += TIMES;
        }
        assert_eq!(received(&victim), arrived, "something arrived");
        assert_eq!(drops(lab, &vpc), expected);
        inject(&evil, &ethernet(to, mac, IPV4, &packet(own, 4000)));
        assert!(
            received(&victim) > arrived,
            "an honest frame must pass, or the rest proves nothing"
        );
    });
}

/// What the guard has dropped, by the reason.
fn drops(lab: &Lab, vpc: &berth_network::Vpc) -> BTreeMap<String, u64> {
    let text = lab.inside(vpc, &["nft", "list", "counters", "table", "bridge", "guard"]);
    let words: Vec<&str> = text.split_whitespace().collect();
    let counter = |words: &[&str]| match words {
        ["counter", name, "{", "packets", packets, ..] => Some(((*name).to_owned(), packets.parse().unwrap())),
        _ => None,
    };
    words.windows(5).filter_map(counter).collect()
}

/// How many frames have come in at a guest's NIC.
fn received(guest: &Guest) -> u64 {
    std::thread::sleep(std::time::Duration::from_millis(50));
    let text = guest.run(&["cat", "/sys/class/net/eth0/statistics/rx_packets"]);
    text.trim().parse().unwrap()
}
