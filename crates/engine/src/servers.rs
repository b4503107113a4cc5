//! The DHCP servers of VPCs: one that ends by itself is started again.
//!
//! ```text
//!   a VPC was changed ─▶ watch its server ─▶ it ends ─▶ a moment later: does another one serve? ─no─▶ mend the VPC
//! ```
//!
//! A change may end a server itself and start another one: that is no news.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use berth_model::VpcId;
use berth_network::{Network, Server, Vpc};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::network::serve_again;
use crate::world::{World, lock};

/// How long a change may take to start the next server; and how often one that won't live is tried.
const MOMENT: Duration = Duration::from_secs(1);

/// The servers that are watched, by their process.
pub(crate) struct Servers {
    watched: Mutex<HashMap<VpcId, i32>>,
    ended: UnboundedSender<VpcId>,
}

impl Servers {
    pub(crate) fn new() -> (Self, UnboundedReceiver<VpcId>) {
        let (ended, ends) = tokio::sync::mpsc::unbounded_channel();
        let watched = Mutex::default();
        (Self { watched, ended }, ends)
    }

    /// Watches the server that a VPC has now. Only for who holds the VPC's lock, on a thread of the runtime's.
    pub(crate) fn watch(&self, network: &Network, vpc: &Vpc) {
        let Some(server) = network.server(vpc) else { return };
        if lock(&self.watched).insert(vpc.id, server.pid) == Some(server.pid) {
            return;
        }
        let (ended, id) = (self.ended.clone(), vpc.id);
        tokio::spawn(async move {
            end_of(server).await;
            // Nobody mends while the daemon goes down.
            let _ = ended.send(id);
        });
    }
}

#[allow(
    deprecated,
    reason = "it is unsound for types that may change their descriptor, which an OwnedFd doesn't; its successor is unsafe"
)]
async fn end_of(server: Server) {
    match AsyncFd::with_interest(server.end, Interest::READABLE) {
        Ok(end) => drop(end.readable().await),
        Err(error) => tracing::warn!(pid = server.pid, %error, "a DHCP server can't be watched"),
    }
}

/// Mends the VPCs whose server has ended and that no other one serves.
pub(crate) async fn keep_serving(world: Arc<World>, mut ends: UnboundedReceiver<VpcId>) {
    while let Some(vpc) = ends.recv().await {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            tokio::time::sleep(MOMENT).await;
            if let Err(error) = serve_again(&world, vpc).await {
                tracing::warn!(%vpc, %error, "its DHCP server has ended and is not started again");
            }
        });
    }
}
