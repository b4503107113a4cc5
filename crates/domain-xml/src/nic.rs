//! The NICs of a domain, each on a tap that isn't libvirt's.

use berth_model::{Mac, NicModel};
use serde::Serialize;

use crate::devices::Simple;
use crate::spec::check;
use crate::{Nic, XmlError};

#[derive(Serialize)]
pub(crate) struct Interface<'a> {
    #[serde(rename = "@type")]
    kind: &'static str,
    mac: MacXml,
    target: Tap<'a>,
    mtu: Mtu,
    model: Simple,
}

#[derive(Serialize)]
struct MacXml {
    #[serde(rename = "@address")]
    address: Mac,
}

#[derive(Serialize)]
struct Tap<'a> {
    #[serde(rename = "@dev")]
    dev: &'a str,
    #[serde(rename = "@managed")]
    managed: &'static str,
}

#[derive(Serialize)]
struct Mtu {
    #[serde(rename = "@size")]
    size: u32,
}

impl Nic {
    /// The NIC as libvirt's XML, to be plugged into a guest that runs.
    pub fn to_xml(&self) -> Result<String, XmlError> {
        let mut xml = String::new();
        let mut writer = quick_xml::se::Serializer::with_root(&mut xml, Some("interface"))?;
        writer.indent(' ', 2);
        Interface::of(self)?.serialize(writer)?;
        xml.push('\n');
        Ok(xml)
    }
}

impl<'a> Interface<'a> {
    pub(crate) fn of(nic: &'a Nic) -> Result<Self, XmlError> {
        Ok(Self {
            kind: "ethernet",
            mac: MacXml { address: nic.mac },
            target: Tap {
                dev: check("tap", &nic.tap)?,
                managed: "no",
            },
            mtu: Mtu { size: nic.mtu },
            model: Simple::kind(match nic.model {
                NicModel::Virtio => "virtio",
                NicModel::E1000e => "e1000e",
            }),
        })
    }
}
