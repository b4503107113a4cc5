//! A listener inside a VPC, for what the host offers its guests: the metadata service.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};

use crate::namespace::inside;
use crate::{Network, NetworkError, Vpc};

/// Where guests ask for their metadata, as in every cloud. It is on `lo` of each VPC's namespace: guests reach it by
/// their router.
pub const METADATA: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(169, 254, 169, 254), 80);

impl Network {
    /// Listens inside the VPC, nonblocking, on an address that is there: [`METADATA`], which is all that the rules let
    /// guests reach. The socket is made inside the namespace and stays there; the thread that made it ends.
    ///
    /// An open socket keeps its namespace alive, whatever happens to the name. So the caller closes it, and what it has
    /// accepted, before [`Network::remove_vpc`]; and listens anew once the VPC has been made anew.
    pub fn listen(&self, vpc: &Vpc, address: SocketAddrV4) -> Result<TcpListener, NetworkError> {
        inside(&self.namespace_name(vpc), || {
            let doing = || format!("listen on {address} in VPC {}", vpc.id);
            let listener = TcpListener::bind(address).map_err(NetworkError::io(doing()))?;
            listener.set_nonblocking(true).map_err(NetworkError::io(doing()))?;
            Ok(listener)
        })
    }
}
