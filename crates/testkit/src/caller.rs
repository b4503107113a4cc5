//! Somebody who speaks HTTP to a daemon over its socket: a local user, or who has a token.
//!
//! The client that Berth ships says only what its types can say. This one says anything, as anybody.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_res_gid, set_thread_res_uid};
use serde_json::Value;

/// Who asks, and as what.
#[derive(Debug, Clone)]
pub struct Caller {
    socket: PathBuf,
    /// The local user, and the group of the same number; the superuser if none.
    uid: Option<u32>,
    token: Option<String>,
    project: Option<String>,
}

/// What a daemon says to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub text: String,
}

impl Answer {
    /// The body as JSON; null if it isn't any.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The body of a success.
    ///
    /// # Panics
    /// If it isn't one.
    pub fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text);
        self.json()
    }

    /// The code of a problem; empty if it is none.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Caller {
    /// The superuser of the host.
    pub(crate) fn root(socket: PathBuf) -> Self {
        Self {
            socket,
            uid: None,
            token: None,
            project: None,
        }
    }

    /// The same as a process of that user and group, as the kernel tells the daemon.
    #[must_use]
    pub fn as_user(&self, uid: u32) -> Self {
        Self {
            uid: Some(uid),
            ..self.clone()
        }
    }

    /// The same with a token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// The same, about that project.
    #[must_use]
    pub fn in_project(&self, project: &str) -> Self {
        Self {
            project: Some(project.to_owned()),
            ..self.clone()
        }
    }

    /// GET.
    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "")
    }

    /// POST of JSON.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, &body.to_string())
    }

    /// Any request, on a connection of its own; an event stream is left once its head is there.
    ///
    /// # Panics
    /// If the daemon doesn't answer.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        block(async {
            let response = self.send(method, path, body).await;
            let status = response.status().as_u16();
            let endless = response
                .headers()
                .get("content-type")
                .is_some_and(|kind| kind == "text/event-stream");
            let text = if endless {
                String::new()
            } else {
                let body = response.into_body().collect().await.expect("the whole answer");
                String::from_utf8_lossy(&body.to_bytes()).into_owned()
            };
            Answer { status, text }
        })
    }

    /// Reads what a GET streams until it ends or is enough, which is asked after each piece of all there is so far.
    ///
    /// # Panics
    /// If the daemon doesn't answer, or the stream breaks.
    pub fn stream(&self, path: &str, mut enough: impl FnMut(&str) -> bool) -> String {
        block(async {
            let mut body = self.send("GET", path, "").await.into_body();
            let mut text = String::new();
            while !enough(&text) {
                let Some(frame) = body.frame().await else { break };
                if let Ok(bytes) = frame.expect("a frame").into_data() {
                    text.push_str(&String::from_utf8_lossy(&bytes));
                }
            }
            text
        })
    }

    /// A connection of its own that a GET turns into a raw stream of bytes.
    ///
    /// # Panics
    /// If the daemon doesn't switch to that protocol.
    pub fn switch(&self, path: &str, protocol: &str) -> UnixStream {
        let mut stream = self.connect();
        stream.set_nonblocking(false).expect("a socket that blocks");
        let mut head = format!("GET {path} HTTP/1.1\r\nhost: berth\r\nconnection: upgrade\r\nupgrade: {protocol}\r\n");
        if let Some(token) = &self.token {
            head.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        stream
            .write_all(format!("{head}\r\n").as_bytes())
            .expect("a daemon that listens");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("an answer");
            answer.push(byte[0]);
        }
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        stream
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Response<Incoming> {
        let stream = tokio::net::UnixStream::from_std(self.connect()).expect("a socket of the runtime");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a connection");
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header("host", "berth");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(project) = &self.project {
            request = request.header("berth-project", project);
        }
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let request = request
            .body(Full::new(Bytes::from(body.to_owned())))
            .expect("a request");
        sender.send_request(request).await.expect("an answer")
    }

    /// A connection of that user: the kernel keeps who has made it.
    fn connect(&self) -> UnixStream {
        let stream = match self.uid {
            None => UnixStream::connect(&self.socket),
            // Only this thread becomes somebody else, and it ends.
            Some(uid) => thread::scope(|scope| scope.spawn(|| connect_as(&self.socket, uid)).join().expect("a thread")),
        };
        let stream = stream.expect("the daemon's socket");
        stream.set_nonblocking(true).expect("a socket that doesn't block");
        stream
    }
}

fn block<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

fn connect_as(socket: &Path, uid: u32) -> std::io::Result<UnixStream> {
    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(uid));
    rustix::thread::set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    UnixStream::connect(socket)
}
