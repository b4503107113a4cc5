//! Fetching from an http address: blocking, on a thread of its own, handed on chunk by chunk.
//!
//! By `ureq` and not by the client of the daemon's socket, which needs no TLS, no proxies and no certificates: reading
//! the system's would cost every command what only this one needs. The system's certificates count, and the proxies
//! of the environment.

use std::io::{self, Read};
use std::time::Duration;

use futures::Stream;
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::bytes::Bytes;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, BodyReader};

use crate::failure::Failure;

/// How long the connection, and the first byte of the answer, may take each.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// How many bytes are handed on at a time …
const CHUNK: usize = 1 << 20;
/// … and how many chunks may wait for the daemon to take them.
const AHEAD: usize = 4;

/// Asks for what is at an address: its bytes as they come, and how many there will be if that is said.
pub(crate) async fn begin(
    address: &str,
) -> anyhow::Result<(impl Stream<Item = io::Result<Bytes>> + Send + use<>, Option<u64>)> {
    let asked = address.to_owned();
    let answered = tokio::task::spawn_blocking(move || ask(&asked)).await?;
    let (body, length) = answered.map_err(|error| Failure::invalid(format!("{address}: {error}")))?;
    let (sender, receiver) = channel(AHEAD);
    tokio::task::spawn_blocking(move || hand_on(body, &sender));
    Ok((ReceiverStream::new(receiver), length))
}

fn ask(address: &str) -> Result<(BodyReader<'static>, Option<u64>), ureq::Error> {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .timeout_connect(Some(ANSWERS_WITHIN))
        .timeout_recv_response(Some(ANSWERS_WITHIN));
    let body = Agent::new_with_config(config.build()).get(address).call()?.into_body();
    let length = body.content_length();
    Ok((body.into_reader(), length))
}

/// Reads to the end, or until nobody wants more.
fn hand_on(mut body: BodyReader<'static>, sender: &Sender<io::Result<Bytes>>) {
    let mut buffer = vec![0; CHUNK];
    loop {
        let chunk = match body.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => Ok(Bytes::copy_from_slice(&buffer[..count])),
            Err(error) => Err(error),
        };
        let failed = chunk.is_err();
        if sender.blocking_send(chunk).is_err() || failed {
            return;
        }
    }
}
