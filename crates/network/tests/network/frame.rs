//! Frames by hand: what a hostile guest sends, whatever its kernel would have it send.

use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use berth_model::Mac;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, bind, send, socket};

use crate::guest::Guest;

pub(crate) const BROADCAST: [u8; 6] = [0xff; 6];

pub(crate) fn ethernet(to: [u8; 6], from: Mac, kind: u16, payload: &[u8]) -> Vec<u8> {
    [&to[..], &from.octets(), &kind.to_be_bytes(), payload].concat()
}

/// An ARP request (RFC 826), which is also how a guest would claim an address.
pub(crate) fn arp(mac: Mac, sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let head = [0, 1, 8, 0, 6, 4, 0, 1];
    [&head[..], &mac.octets(), &sender.octets(), &[0; 6], &target.octets()].concat()
}

/// An ARP answer: `mac` says it has `sender`.
pub(crate) fn arp_reply(mac: Mac, sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let mut reply = arp(mac, sender, target);
    reply[7] = 2;
    reply
}

/// A UDP datagram in an IPv4 packet (RFC 768, RFC 791); a UDP checksum of zero means there is none.
pub(crate) fn udp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(28 + data.len()).unwrap().to_be_bytes();
    let mut head = [0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, 17, 0, 0].to_vec();
    head.extend(from.0.octets().iter().chain(&to.0.octets()));
    checksum(&mut head);
    let length = u16::try_from(8 + data.len()).unwrap();
    let ports = [from.1, to.1, length, 0].map(u16::to_be_bytes).concat();
    [head, ports, data.to_vec()].concat()
}

/// Puts the checksum of an IPv4 header of 20 bytes in its place.
pub(crate) fn checksum(packet: &mut [u8]) {
    packet[10..12].fill(0);
    let sum: u32 = packet[..20]
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
        .sum();
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// Sends a frame as it is out of a guest's NIC.
pub(crate) fn inject(guest: &Guest, frame: &[u8]) {
    guest.inside(|| {
        let link = getifaddrs().unwrap().find(|link| {
            link.interface_name == "eth0" && link.address.is_some_and(|address| address.as_link_addr().is_some())
        });
        let address = *link.unwrap().address.unwrap().as_link_addr().unwrap();
        let fd = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::empty(),
            SockProtocol::EthAll,
        )
        .unwrap();
        bind(fd.as_raw_fd(), &address).unwrap();
        send(fd.as_raw_fd(), frame, MsgFlags::empty()).unwrap();
    });
}

/// A UDP socket inside a guest.
pub(crate) fn listener(guest: &Guest, port: u16) -> UdpSocket {
    guest.inside(|| {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        socket
    })
}

/// Whether something arrives soon.
pub(crate) fn hears(socket: &UdpSocket) -> bool {
    socket.recv(&mut [0; 2048]).is_ok()
}
