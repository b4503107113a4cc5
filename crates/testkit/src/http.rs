//! The socket as any program may use it: a request by hand, and what is answered.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use crate::Daemon;

/// Asks for something such as `GET /metrics`, with these lines of a head: the status and the body.
///
/// # Panics
/// If the daemon doesn't answer.
pub fn ask(daemon: &Daemon<'_>, what: &str, head: &[&str]) -> (u16, String) {
    let whole = exchange(daemon, what, head, "");
    (whole.status, String::from_utf8_lossy(&whole.body).into_owned())
}

/// All of an answer.
#[derive(Debug)]
pub struct Whole {
    /// The status.
    pub status: u16,
    /// The lines of its head.
    pub head: String,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl Whole {
    /// What a header says; empty if it isn't there.
    pub fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(of, _)| of.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value)
    }
}

/// Asks likewise, with a body.
///
/// # Panics
/// If the daemon doesn't answer.
pub fn exchange(daemon: &Daemon<'_>, what: &str, head: &[&str], body: &str) -> Whole {
    let mut socket = UnixStream::connect(daemon.socket()).expect("the daemon's socket");
    let first = format!("{what} HTTP/1.1");
    let mut lines = vec![first.as_str(), "host: berth", "connection: close"];
    lines.extend(head);
    let length = format!("content-length: {}", body.len());
    if !body.is_empty() {
        lines.extend(["content-type: application/json", length.as_str()]);
    }
    let request = lines.join("\r\n") + "\r\n\r\n" + body;
    // A daemon that has heard enough answers and hangs up before all is sent: what it said is what counts.
    let _ = socket.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let body = answer.split_off(end.expect("a head") + 4);
    let head = String::from_utf8_lossy(&answer).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Whole {
        status: status.expect("a status"),
        head,
        body,
    }
}
