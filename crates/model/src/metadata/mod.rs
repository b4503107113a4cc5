//! What a guest may ask about itself: the answers of the metadata service, and the same answers as a ConfigDrive.
//!
//! Both are made from the same [`GuestFacts`], so that a guest is told the same whichever it reads. Nothing here knows
//! who asks: whose facts they are is decided where the connection comes in.
//!
//! ```text
//!   GuestFacts ─┬─ answer(path) ─▶ /latest/meta-data/…              EC2
//!               │                  /openstack/latest/…              OpenStack
//!               └─ config_drive() ─▶ the same documents as files, for a disk labelled config-2
//! ```

mod ec2;
mod openstack;
mod tree;

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::{ImageId, InstanceId, Mac, PortId, SubnetId, VpcId};

/// One host is one zone. It ends in a letter, as EC2's zones do: programs take that off to get the region.
const ZONE: &str = "berth-1a";

/// What a guest may know of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestFacts {
    /// The instance; also the UUID that its firmware shows, by which cloud-init knows a drive as the machine's own.
    pub id: InstanceId,
    /// The instance's name.
    pub name: String,
    /// Its hostname.
    pub hostname: String,
    /// The project it belongs to.
    pub project: String,
    /// The name of its type.
    pub instance_type: String,
    /// The image it was made from.
    pub image: ImageId,
    /// The keys that may log in.
    pub keys: Vec<GuestKey>,
    /// User data, as it was given.
    pub user_data: Option<Vec<u8>>,
    /// Its NICs, in the order of their slots.
    pub nics: Vec<GuestNic>,
}

/// A public key that may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestKey {
    /// The pair's name.
    pub name: String,
    /// The public key in OpenSSH's one-line form.
    pub public_key: String,
}

/// One of a guest's NICs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestNic {
    /// Its MAC.
    pub mac: Mac,
    /// Its fixed address, which DHCP gives it.
    pub address: Ipv4Addr,
    /// Its subnet's addresses.
    pub cidr: Ipv4Net,
    /// Its subnet's gateway.
    pub gateway: Ipv4Addr,
    /// The largest packet that it sends.
    pub mtu: u32,
    /// Whether it is the one with the default route.
    pub primary: bool,
    /// The public address that leads to it.
    pub public: Option<Ipv4Addr>,
    /// Its port.
    pub port: PortId,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Its VPC.
    pub vpc: VpcId,
    /// The names of its security groups.
    pub security_groups: Vec<String>,
}

impl GuestFacts {
    /// The NIC whose address is the guest's.
    fn primary(&self) -> Option<&GuestNic> {
        self.nics.iter().find(|nic| nic.primary).or(self.nics.first())
    }
}

/// What is answered to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its media type.
    pub content_type: &'static str,
    /// Its bytes.
    pub body: Vec<u8>,
}

impl Answer {
    const TEXT: &'static str = "text/plain";
    const JSON: &'static str = "application/json";
    /// User data may be anything, also compressed.
    const BYTES: &'static str = "application/octet-stream";

    fn text(body: impl ToString) -> Self {
        Self {
            content_type: Self::TEXT,
            body: body.to_string().into_bytes(),
        }
    }

    fn bytes(body: &[u8]) -> Self {
        Self {
            content_type: Self::BYTES,
            body: body.to_vec(),
        }
    }
}

/// The answer to a request for that path, if there is one. Empty segments count for nothing: cloud-init asks with a
/// slash at the end, and whoever joins paths carelessly asks with two in the middle.
pub fn answer(facts: &GuestFacts, path: &str) -> Option<Answer> {
    let segments: Vec<_> = path
        .strip_prefix('/')?
        .split('/')
        .filter(|one| !one.is_empty())
        .collect();
    match segments.as_slice() {
        ["openstack", below @ ..] => openstack::answer(facts, below),
        all => ec2::answer(facts, all),
    }
}

/// The files of a ConfigDrive: their paths and contents.
pub fn config_drive(facts: &GuestFacts) -> Vec<(String, Vec<u8>)> {
    let mut files = openstack::files(facts);
    files.push(ec2::file(facts));
    files
}
