//! A connection into a VPC, for whoever stands outside: `berth ssh` goes through the daemon by it.

use std::net::{SocketAddr, SocketAddrV4, TcpStream};
use std::time::Duration;

use crate::namespace::inside;
use crate::{Network, NetworkError, Vpc};

impl Network {
    /// Connects to a guest. The socket is made inside the namespace and stays there; the thread that made it ends.
    /// Only addresses of the VPC's subnets are let through: not the namespace's own, nor the outside by its NAT.
    pub fn connect(&self, vpc: &Vpc, address: SocketAddrV4, timeout: Duration) -> Result<TcpStream, NetworkError> {
        let inside_vpc = |subnet: &crate::Subnet| subnet.cidr.contains(address.ip()) && subnet.gateway != *address.ip();
        if !vpc.subnets.iter().any(inside_vpc) {
            return Err(NetworkError::Invalid(format!(
                "{} is no guest's address in VPC {}",
                address.ip(),
                vpc.id
            )));
        }
        inside(&self.namespace_name(vpc), || {
            TcpStream::connect_timeout(&SocketAddr::V4(address), timeout)
                .map_err(|source| NetworkError::Connect { address, source })
        })
    }
}
