//! MAC addresses: chosen by us, journaled before use, in QEMU's own range.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An Ethernet address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac([u8; 6]);

/// What was given isn't a unicast MAC address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a unicast MAC address such as 52:54:00:12:34:56")]
pub struct ParseMacError(pub String);

impl Mac {
    /// A random address in 52:54:00, the locally administered range that QEMU and libvirt use.
    pub fn random() -> Self {
        let random = Uuid::new_v4().into_bytes();
        Self([0x52, 0x54, 0x00, random[0], random[1], random[2]])
    }

    /// The six bytes, first on the wire first.
    pub fn octets(self) -> [u8; 6] {
        self.0
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, octet) in self.0.iter().enumerate() {
            write!(f, "{}{octet:02x}", if place == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl FromStr for Mac {
    type Err = ParseMacError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseMacError(text.to_owned());
        let mut octets = [0; 6];
        let mut parts = text.split(':');
        for octet in &mut octets {
            let part = parts.next().filter(|part| part.len() == 2).ok_or_else(wrong)?;
            *octet = u8::from_str_radix(part, 16).map_err(|_| wrong())?;
        }
        // The lowest bit of the first octet marks a group address (IEEE 802), which no NIC may have.
        if parts.next().is_some() || octets[0] & 1 == 1 {
            return Err(wrong());
        }
        Ok(Self(octets))
    }
}

impl TryFrom<String> for Mac {
    type Error = ParseMacError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}
