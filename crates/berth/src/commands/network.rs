//! What the nouns of networks have in common: how addresses and ranges are typed, and how lists of them are shown.

use std::fmt::Display;
use std::net::Ipv4Addr;

use berth_model::{Mac, PublicIpId};
use ipnet::Ipv4Net;

/// An address.
pub(super) fn address(text: &str) -> Result<Ipv4Addr, String> {
    text.parse()
        .map_err(|_| format!("'{text}' is not an IPv4 address such as 10.1.0.7"))
}

/// The address of a public IP.
pub(super) fn public_address(text: &str) -> Result<Ipv4Addr, String> {
    text.parse()
        .map_err(|_| format!("'{text}' is not an IPv4 address such as 203.0.113.7"))
}

/// A public IP that there is: its address, or its id.
pub(super) fn public_ip(text: &str) -> Result<String, String> {
    if text.parse::<Ipv4Addr>().is_ok() || text.parse::<PublicIpId>().is_ok() {
        return Ok(text.to_owned());
    }
    Err(format!(
        "'{text}' is neither an IPv4 address such as 203.0.113.7 nor the id of a public IP"
    ))
}

/// A range of addresses.
pub(super) fn cidr(text: &str) -> Result<Ipv4Net, String> {
    text.parse()
        .map_err(|_| format!("'{text}' is not a range of IPv4 addresses such as 10.1.0.0/24"))
}

/// A far end: a range of addresses, or one address.
pub(super) fn far_end(text: &str) -> Result<Ipv4Net, String> {
    match text.parse::<Ipv4Addr>() {
        Ok(address) => Ok(address.into()),
        Err(_) => cidr(text),
    }
}

/// A MAC address.
pub(super) fn mac(text: &str) -> Result<Mac, String> {
    text.parse()
        .map_err(|error: berth_model::ParseMacError| error.to_string())
}

/// All of them in one line; a dash for none.
pub(super) fn joined<T: Display>(all: &[T]) -> String {
    let all: Vec<_> = all.iter().map(ToString::to_string).collect();
    if all.is_empty() { "-".to_owned() } else { all.join(", ") }
}

/// It, or a dash.
pub(super) fn dash<T: Display>(one: Option<T>) -> String {
    one.map_or_else(|| "-".to_owned(), |one| one.to_string())
}

pub(super) fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_ip_is_its_address_or_its_id() {
        let id = PublicIpId::new().to_string();
        assert_eq!(public_ip(&id), Ok(id));
        assert_eq!(public_ip("203.0.113.7"), Ok("203.0.113.7".to_owned()));
        for wrong in ["", "web", "203.0.113", "203.0.113.256", "203.0.113.7/32", "2001:db8::7"] {
            let said = format!("'{wrong}' is neither an IPv4 address such as 203.0.113.7 nor the id of a public IP");
            assert_eq!(public_ip(wrong), Err(said));
        }
    }

    #[test]
    fn one_address_is_a_far_end_and_no_subnet() {
        assert_eq!(
            far_end("192.0.2.7").map(|net| net.to_string()),
            Ok("192.0.2.7/32".to_owned())
        );
        assert_eq!(
            far_end("192.0.2.0/24").map(|net| net.to_string()),
            Ok("192.0.2.0/24".to_owned())
        );
        assert!(far_end("192.0.2.0/33").is_err());
        assert_eq!(
            cidr("192.0.2.7").map_err(|said| said.contains("such as 10.1.0.0/24")),
            Err(true)
        );
    }
}
