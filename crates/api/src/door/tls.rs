//! TLS: which certificates are shown and asked for, and who a client's certificate stands for.

use std::sync::Arc;
use std::time::Duration;

use berth_model::User;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::ObjectIdentifier;

use crate::Peer;

/// What the handshakes are made with; it may be changed while the door is open. Connections that are there stay.
#[derive(Debug, Clone)]
pub struct Certificates(watch::Sender<Arc<ServerConfig>>);

impl Certificates {
    /// The certificates of a configuration.
    pub fn new(config: ServerConfig) -> Self {
        Self(watch::Sender::new(Arc::new(config)))
    }

    /// From now on handshakes are made with this.
    pub fn set(&self, config: ServerConfig) {
        self.0.send_replace(Arc::new(config));
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.0.borrow().clone().into()
    }
}

/// How long a connection may be silent before the kernel asks whether the other end is still there.
const KEEPALIVE: Duration = Duration::from_mins(1);

/// A peer that vanished without a word is found out; small answers aren't held back.
pub(super) fn prepare(stream: &TcpStream) {
    let set =
        SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE));
    if let Err(error) = set.and_then(|()| stream.set_nodelay(true)) {
        tracing::debug!(%error, "a connection keeps the kernel's own settings");
    }
}

/// The peer, with the user that its certificate stands for.
pub(super) fn known(peer: Peer, stream: &TlsStream<TcpStream>) -> Peer {
    let Peer::Tls { address, .. } = peer else {
        return peer;
    };
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let certificate = shown.and_then(|shown| {
        let user = user_of(shown);
        if user.is_none() {
            tracing::warn!(%address, "a client's certificate stands for nobody: its subject has no common name that could be a user's");
        }
        user
    });
    Peer::Tls { address, certificate }
}

/// The type of a common name (RFC 5280, appendix A, `id-at-commonName`).
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// The user that a certificate stands for: `cert:` and the common name of its subject, if it has exactly one. That
/// the certificate is good was judged in the handshake.
fn user_of(certificate: &CertificateDer<'_>) -> Option<User> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let subject = certificate.tbs_certificate().subject();
    if subject.iter().filter(|part| part.oid == COMMON_NAME).count() != 1 {
        return None;
    }
    let name = subject.common_name().ok()??;
    let name = name.value();
    (!name.is_empty()).then(|| User::vouched("cert", &name).ok()).flatten()
}
