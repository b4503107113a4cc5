//! The socket as any program may use it: a request by hand, and what is answered.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use crate::Daemon;

/// Asks for something such as `GET /metrics`, with these lines of a head: the status and the body.
///
/// # Panics
/// If the daemon doesn't answer.
pub fn ask(daemon: &Daemon<'_>, what: &str, head: &[&str]) -> (u16, String) {
    let mut socket = UnixStream::connect(daemon.socket()).expect("the daemon's socket");
    let first = format!("{what} HTTP/1.1");
    let mut lines = vec![first.as_str(), "host: berth", "connection: close"];
    lines.extend(head);
    let request = lines.join("\r\n") + "\r\n\r\n";
    socket.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status"), body.to_owned())
}
