//! Requests and answers: JSON both ways, a problem for everything that isn't a success.

use std::error::Error as _;
use std::path::Path;

use berth_api_types::{Page, Problem};
use berth_model::IdempotencyKey;
use reqwest::{Method, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{At, ClientError, Target};

/// A client of one daemon. Cheap to clone; it connects when it is used.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    at: At,
    base: String,
    dry_run: bool,
}

/// The parameter of a request that is only tried.
const DRY_RUN: (&str, &str) = ("dry_run", "true");

fn is_tried(query: Option<&str>) -> bool {
    let (name, value) = DRY_RUN;
    let mut pairs = query.unwrap_or_default().split('&');
    pairs.any(|pair| pair.split_once('=') == Some((name, value)))
}

/// The most characters of an answer that isn't understood that are shown.
const SHOWN: usize = 200;

impl Client {
    /// A client of the daemon that serves this socket.
    pub fn new(socket: impl AsRef<Path>) -> Result<Self, ClientError> {
        Self::to(Target {
            at: At::Socket(socket.as_ref().to_owned()),
            token: None,
            project: None,
        })
    }

    /// A client of that daemon.
    pub fn to(target: Target) -> Result<Self, ClientError> {
        Ok(Self {
            http: target.connector()?,
            base: target.base(),
            at: target.at,
            dry_run: false,
        })
    }

    /// The same client, which only tries what changes something: each such request is [`ClientError::DryRun`] if the
    /// daemon would do it, with what it would do.
    #[must_use]
    pub fn dry_run(self, dry_run: bool) -> Self {
        Self { dry_run, ..self }
    }

    /// Whether a request of that method is only tried.
    pub(crate) fn tries(&self, method: &Method) -> bool {
        self.dry_run && *method != Method::GET
    }

    /// All requests are begun here, so that none that changes something forgets that it is only tried.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let tries = self.tries(&method);
        let request = self.http.request(method, format!("{}{path}", self.base));
        if tries { request.query(&[DRY_RUN]) } else { request }
    }

    /// Sends a request; any answer but a success is an error.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        self.check(request.send().await).await
    }

    async fn check(&self, answer: Result<Response, reqwest::Error>) -> Result<Response, ClientError> {
        let response = answer.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() && is_tried(response.url().query()) {
            return Err(ClientError::DryRun(Box::new(read(response).await?)));
        }
        if status.is_success() || status == reqwest::StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response);
        }
        let text = response.text().await.unwrap_or_default();
        match serde_json::from_str::<Problem>(&text) {
            Ok(problem) => Err(ClientError::Problem(Box::new(problem))),
            Err(_) => Err(not_understood(&format!("{status}: {text}"))),
        }
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.json(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        self.json(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Response, ClientError> {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Sends a request that begins operations, with a key of its own: if the connection breaks before the answer is
    /// there it is sent once more, and nothing is begun twice.
    pub(crate) async fn begin<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let request = request.header(IdempotencyKey::HEADER, IdempotencyKey::random().as_str());
        let Some(again) = request.try_clone() else {
            return self.json(request).await;
        };
        match request.send().await {
            Err(error) if !error.is_connect() => self.json(again).await,
            answer => read(self.check(answer).await?).await,
        }
    }

    pub(crate) async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        read(self.send(request).await?).await
    }

    /// All pages of a list that is filtered and sorted.
    pub(crate) async fn listed<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> Result<Vec<T>, ClientError> {
        let pairs = pairs(query);
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        self.all(path, &pairs).await
    }

    /// All pages of a list.
    pub(crate) async fn all<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, ClientError> {
        let mut items = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let next = after.as_ref().map(|after| ("after", after.as_str()));
            let mut path = path.to_owned();
            let pairs = query.iter().copied().chain([("limit", "500")]).chain(next);
            for (place, (key, value)) in pairs.enumerate() {
                let mark = if place == 0 { '?' } else { '&' };
                path.push_str(&format!("{mark}{key}={}", encoded(value)));
            }
            let page: Page<T> = self.get(&path).await?;
            items.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(items),
            }
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> ClientError {
        // The innermost reason is the kernel's own: what wraps it only says that something failed.
        let mut reason = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            reason = inner.to_string();
            source = inner.source();
        }
        if error.is_body() && !error.is_connect() {
            return ClientError::Input(format!("sending: {reason}"));
        }
        ClientError::Unreachable {
            at: Box::new(self.at.clone()),
            reason,
        }
    }
}

/// The fields of something flat, each with its value as text; one with several values as often. What isn't given is
/// left out.
pub(crate) fn pairs(of: &impl Serialize) -> Vec<(String, String)> {
    let fields = match serde_json::to_value(of) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let text = |value: Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    };
    let mut pairs = Vec::new();
    for (key, value) in fields {
        let values = match value {
            Value::Array(values) => values,
            one => vec![one],
        };
        pairs.extend(values.into_iter().filter_map(text).map(|value| (key.clone(), value)));
    }
    pairs
}

pub(crate) async fn read<T: DeserializeOwned>(response: Response) -> Result<T, ClientError> {
    let text = response
        .text()
        .await
        .map_err(|error| ClientError::Protocol(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| not_understood(&format!("{error}: {text}")))
}

fn not_understood(text: &str) -> ClientError {
    ClientError::Protocol(text.chars().take(SHOWN).collect())
}

/// A name or id as one segment of a path, or one value of a query (RFC 3986, 2.3).
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    // A segment that is only dots would be resolved away before it is sent.
    if matches!(out.as_str(), "." | "..") {
        out.replace('.', "%2E")
    } else {
        out
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    /// The key of the next request on that connection.
    fn key_of(stream: &UnixStream) -> String {
        let lines = BufReader::new(stream).lines().map(Result::unwrap);
        let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
        let key = head.iter().find_map(|line| line.strip_prefix("idempotency-key: "));
        key.unwrap().to_owned()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_request_whose_answer_is_lost_is_sent_again_with_its_key() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let server = std::thread::spawn(move || {
            let lost = key_of(&listener.accept().unwrap().0);
            let (mut stream, _) = listener.accept().unwrap();
            let again = key_of(&stream);
            stream
                .write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}")
                .unwrap();
            (lost, again)
        });
        let client = Client::new(&socket).unwrap();
        let answer: serde_json::Value = client.begin(client.request(Method::POST, "/v1/x")).await.unwrap();
        assert_eq!(answer, serde_json::json!({}));
        let (lost, again) = server.join().unwrap();
        assert_eq!(lost, again);
    }
}
