//! The metadata service's end in each VPC: a listener in its namespace, handed to whoever serves it.
//!
//! ```text
//!   VPC is made whole ─▶ listen: none in this very namespace yet? ─▶ listener ─▶ channel ─▶ the API serves it
//!   VPC is deleted ────▶ close: its server ends, and with the listener the namespace can go
//! ```
//!
//! A guest is known by the VPC it asks in and the address it asks from, which the network lets nobody forge.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, TcpListener};
use std::sync::Mutex;

use berth_model::VpcId;
use berth_model::metadata::GuestFacts;
use berth_network::{Network, Vpc};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

use crate::context::Subject;
use crate::facts::facts;
use crate::world::lock;
use crate::{Engine, EngineError};

/// Where guests ask (as at EC2 and OpenStack).
const ADDRESS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(169, 254, 169, 254), 80);

/// A listener inside a VPC, to be served until `closed` is done.
#[derive(Debug)]
pub struct GuestListener {
    /// The VPC whose guests reach it.
    pub vpc: VpcId,
    /// The listener.
    pub listener: TcpListener,
    /// Ends when it is to be closed.
    pub closed: oneshot::Receiver<()>,
}

/// The listeners that are open: the namespace each is in, and what closes it when it is dropped.
pub(crate) struct Guests {
    open: Mutex<HashMap<VpcId, (u64, oneshot::Sender<()>)>>,
    out: UnboundedSender<GuestListener>,
}

impl Guests {
    pub(crate) fn new() -> (Self, UnboundedReceiver<GuestListener>) {
        let (out, listeners) = tokio::sync::mpsc::unbounded_channel();
        let open = Mutex::default();
        (Self { open, out }, listeners)
    }

    /// Makes sure that a VPC whose namespace is there has its listener. Guests can live without one: what fails is
    /// told, and tried again when the VPC is next made whole. Only for who holds the VPC's lock.
    pub(crate) fn listen(&self, network: &Network, vpc: &Vpc) {
        let Some(namespace) = network.namespace_inode(vpc) else {
            return;
        };
        let mut open = lock(&self.open);
        let there = |(inode, closing): &(u64, oneshot::Sender<()>)| *inode == namespace && !closing.is_closed();
        if open.get(&vpc.id).is_some_and(there) {
            return;
        }
        match network.listen(vpc, ADDRESS) {
            Ok(listener) => {
                let (closing, closed) = oneshot::channel();
                open.insert(vpc.id, (namespace, closing));
                let vpc = vpc.id;
                // Nobody serves guests while the daemon goes down.
                let _ = self.out.send(GuestListener { vpc, listener, closed });
            }
            Err(error) => tracing::warn!(vpc = %vpc.id, %error, "guests have no metadata service"),
        }
    }

    /// Closes the listener of a VPC.
    pub(crate) fn close(&self, vpc: VpcId) {
        lock(&self.open).remove(&vpc);
    }
}

impl Engine {
    /// The listeners inside VPCs, as they come; given once.
    pub fn guest_listeners(&self) -> Option<UnboundedReceiver<GuestListener>> {
        lock(&self.listeners).take()
    }

    /// What the guest that has this address in that VPC may know of itself.
    pub async fn guest_facts(&self, vpc: VpcId, address: IpAddr) -> Result<Option<GuestFacts>, EngineError> {
        let IpAddr::V4(address) = address else { return Ok(None) };
        let store = &self.world.store;
        let port = store.port_at(vpc, address).await?;
        let Some(instance) = port.and_then(|port| port.instance) else {
            return Ok(None);
        };
        let subject = Subject::load(store, instance).await?;
        Ok(Some(facts(&subject, &subject.instance.instance_type)))
    }
}
