//! Announcements of ARP (RFC 5227, 3): who has heard of the address learns at once where it is now.
//!
//! Without them a router would go on sending to the MAC that had the address before, for minutes or hours. Each goes
//! out twice, as a question and as an answer, for there are devices that heed only the one or the other.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, bind, send, socket};

const BROADCAST: [u8; 6] = [0xff; 6];
const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
const REQUEST: u8 = 1;
const REPLY: u8 = 2;
/// Ethernet, as the kernel numbers the kinds of links.
const ARPHRD_ETHER: u16 = 1;

/// Says on a link of the calling thread's namespace that these addresses are at its MAC. On a link without MACs there
/// is nobody to tell.
pub(crate) fn announce(link: &str, addresses: &[Ipv4Addr]) -> io::Result<()> {
    let Some((address, mac)) = ethernet_address(link)? else {
        return Ok(());
    };
    // Of no protocol: it sends, and nothing that arrives is put aside for it.
    let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None)?;
    bind(socket.as_raw_fd(), &address)?;
    for address in addresses {
        for operation in [REQUEST, REPLY] {
            send(socket.as_raw_fd(), &frame(mac, *address, operation), MsgFlags::empty())?;
        }
    }
    // It has been said. To close such a socket the kernel waits for all its readers, some 15 ms, and we don't. Where no
    // thread can be had it is closed here.
    let _ = std::thread::Builder::new().spawn(move || drop(socket));
    Ok(())
}

fn ethernet_address(link: &str) -> io::Result<Option<(LinkAddr, [u8; 6])>> {
    let mut found = getifaddrs()?.filter(|found| found.interface_name == link);
    Ok(found.find_map(|found| {
        let address = *found.address?.as_link_addr()?;
        let mac = address.addr()?;
        (address.hatype() == ARPHRD_ETHER).then_some((address, mac))
    }))
}

/// Sender and target are the same (RFC 5227, 3).
fn frame(mac: [u8; 6], address: Ipv4Addr, operation: u8) -> Vec<u8> {
    let address = address.octets();
    let head = [0, 1, 8, 0, 6, 4, 0, operation];
    [
        &BROADCAST[..],
        &mac,
        &ETHERTYPE_ARP,
        &head,
        &mac,
        &address,
        &BROADCAST,
        &address,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_byte_by_byte() {
        let mac = [0x52, 0x54, 0, 0, 0, 1];
        let frame = frame(mac, Ipv4Addr::new(198, 51, 100, 10), REQUEST);
        assert_eq!(frame.len(), 14 + 28);
        assert_eq!(
            frame[..14],
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0, 0, 1, 8, 6]
        );
        assert_eq!(frame[14..22], [0, 1, 8, 0, 6, 4, 0, 1]);
        assert_eq!(frame[22..32], [0x52, 0x54, 0, 0, 0, 1, 198, 51, 100, 10]);
        assert_eq!(frame[38..], [198, 51, 100, 10]);
    }
}
