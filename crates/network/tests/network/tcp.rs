//! TCP between guests.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::guest::Guest;

const PATIENCE: Duration = Duration::from_millis(700);

/// A service inside a guest that accepts connections and says nothing.
pub(crate) fn serve(guest: &Guest, port: u16) -> TcpListener {
    guest.inside(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap())
}

fn connect(from: &Guest, address: Ipv4Addr, port: u16) -> Option<TcpStream> {
    let to = SocketAddr::from((address, port));
    from.inside(|| TcpStream::connect_timeout(&to, PATIENCE).ok())
}

/// Whether a connection can be made.
pub(crate) fn reaches(from: &Guest, address: Ipv4Addr, port: u16) -> bool {
    connect(from, address, port).is_some()
}

/// A connection between two guests, both ends of it.
pub(crate) struct Flow([TcpStream; 2]);

impl Flow {
    pub(crate) fn begin(from: &Guest, to: &Guest, port: u16) -> Self {
        let listener = serve(to, port);
        let near = connect(from, to.port.address, port).expect("the flow can't begin");
        let far = listener.accept().unwrap().0;
        let ends = [near, far];
        for end in &ends {
            end.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        Self(ends)
    }

    /// Whether anything of what both ends say arrives.
    pub(crate) fn lives(&mut self) -> bool {
        let [near, far] = &mut self.0;
        let mut said = [[0; 1]; 2];
        far.write_all(b"b").unwrap();
        let arrived = near.read_exact(&mut said[0]).is_ok();
        near.write_all(b"a").unwrap();
        far.read_exact(&mut said[1]).is_ok() || arrived
    }
}
