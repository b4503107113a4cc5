//! Doors as clients meet them: good and bad papers, stalling, crowding, going down.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use axum::routing::get;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;

use super::*;

const LIMITS: Limits = Limits {
    connections: 8,
    of_one: 2,
    headers: Duration::from_millis(200),
    handshake: Duration::from_millis(200),
};

/// Long enough that only what doesn't come at all is missed.
const PATIENT: Limits = Limits {
    headers: Duration::from_mins(1),
    handshake: Duration::from_mins(1),
    ..LIMITS
};

const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: berth\r\nconnection: close\r\n\r\n";

/// Says by whom it is asked.
fn router() -> Router {
    Router::new().route(
        "/",
        get(async |ConnectInfo(peer): ConnectInfo<Peer>| format!("{peer:?}")),
    )
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate of that authority for these common names.
fn signed(authority: &Authority, names: &[&str]) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    // rcgen keeps one of each type: the second is told apart by how it is written.
    for (name, kind) in names
        .iter()
        .zip([DnType::CommonName, DnType::CustomDnType(vec![2, 5, 4, 3])])
    {
        params.distinguished_name.push(kind, *name);
    }
    let key = KeyPair::generate().unwrap();
    let made = params.signed_by(&key, authority).unwrap();
    (
        made.der().clone(),
        PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
    )
}

fn trusting(authority: &Authority) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    Arc::new(roots)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Opens a TLS door that takes client certificates of the same authority.
async fn open(limits: Limits, authority: &Authority) -> (SocketAddr, oneshot::Sender<()>, Certificates) {
    let listener = TcpListener::bind("[::]:0").await.unwrap();
    let address = SocketAddr::new([127, 0, 0, 1].into(), listener.local_addr().unwrap().port());
    let certificates = Certificates::new(shown(authority));
    let (close, closed) = oneshot::channel();
    let door = Door::Tls(listener, certificates.clone());
    tokio::spawn(serve_within(limits, door, router(), async move {
        let _ = closed.await;
    }));
    (address, close, certificates)
}

fn shown(authority: &Authority) -> ServerConfig {
    let (certificate, key) = signed(authority, &["berth.example"]);
    let clients = WebPkiClientVerifier::builder_with_provider(trusting(authority), provider());
    ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.allow_unauthenticated().build().unwrap())
        .with_single_cert(vec![certificate], key)
        .unwrap()
}

type Certified = Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>;

/// Asks from that address of ours over TLS, and returns the answer.
async fn ask(door: SocketAddr, from: [u8; 4], authority: &Authority, certified: Certified) -> std::io::Result<String> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(trusting(authority));
    let config = match certified {
        Some((certificate, key)) => config.with_client_auth_cert(vec![certificate], key).unwrap(),
        None => config.with_no_client_auth(),
    };
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(IpAddr::from(from), 0))?;
    let stream = socket.connect(door).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream.write_all(ASK).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_certificate_of_the_named_authority_is_a_user() {
    let ours = authority();
    let (door, _close, certificates) = open(PATIENT, &ours).await;
    let us = [127, 0, 0, 1];
    let answer = ask(door, us, &ours, None).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("certificate: None"),
        "{answer}"
    );
    let answer = ask(door, us, &ours, Some(signed(&ours, &["ci"]))).await.unwrap();
    assert!(answer.contains(r#"certificate: Some(User("cert:ci"))"#), "{answer}");
    for nameless in [&[][..], &[""], &["two", "names"], &["white space"]] {
        let answer = ask(door, us, &ours, Some(signed(&ours, nameless))).await.unwrap();
        assert!(answer.contains("certificate: None"), "{nameless:?}: {answer}");
    }
    let other = authority();
    assert!(
        ask(door, us, &ours, Some(signed(&other, &["ci"]))).await.is_err(),
        "another authority's"
    );
    assert!(ask(door, us, &other, None).await.is_err(), "the client checks too");
    certificates.set(shown(&other));
    assert!(ask(door, us, &other, None).await.is_ok(), "what is set later holds");
}

#[tokio::test]
async fn who_stalls_is_let_go_and_nobody_waits_for_them() {
    let ours = authority();
    let (door, _close, _) = open(LIMITS, &ours).await;
    let mut stalled = tokio::net::TcpStream::connect(door).await.unwrap();
    let answer = ask(door, [127, 0, 0, 1], &ours, None).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // The end comes by itself, without a byte.
    assert_eq!(stalled.read_to_end(&mut Vec::new()).await.unwrap(), 0);

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(serve_within(
        LIMITS,
        Door::Unix(listener),
        router(),
        std::future::pending(),
    ));
    let drip = tokio::task::spawn_blocking(move || {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost:").unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    });
    assert!(!drip.await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn nobody_hears_http_without_tls() {
    let (door, _close, _) = open(PATIENT, &authority()).await;
    let mut plain = tokio::net::TcpStream::connect(door).await.unwrap();
    plain.write_all(ASK).await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "{answer:?}");
}

#[tokio::test]
async fn one_source_does_not_take_all_places() {
    let ours = authority();
    let (door, _close, _) = open(PATIENT, &ours).await;
    let mut held = Vec::new();
    for _ in 0..LIMITS.of_one {
        held.push(tokio::net::TcpStream::connect(door).await.unwrap());
    }
    assert!(ask(door, [127, 0, 0, 1], &ours, None).await.is_err(), "one too many");
    assert!(ask(door, [127, 0, 0, 2], &ours, None).await.is_ok(), "somebody else");
    // A place is free once its connection has ended, which the server hears a moment later.
    held.clear();
    while ask(door, [127, 0, 0, 1], &ours, None).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_request_under_way_is_answered_when_the_door_closes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let (begun, mut has_begun) = tokio::sync::mpsc::channel(1);
    let (go, gone) = tokio::sync::watch::channel(false);
    let slow = get(async move || {
        begun.send(()).await.unwrap();
        gone.clone().wait_for(|go| *go).await.unwrap();
        "done"
    });
    let (close, closed) = oneshot::channel::<()>();
    let door = Door::Unix(UnixListener::bind(&path).unwrap());
    let serving = tokio::spawn(serve(door, Router::new().route("/", slow), async move {
        let _ = closed.await;
    }));
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: berth\r\n\r\n")
        .await
        .unwrap();
    has_begun.recv().await.unwrap();
    close.send(()).unwrap();
    while tokio::net::UnixStream::connect(&path).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!serving.is_finished());
    go.send_replace(true);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("done"), "{answer}");
    serving.await.unwrap();
}
