//! Which daemon is meant, and by what one is known there.

use std::fmt;
use std::path::PathBuf;

use berth_api_types::PROJECT_HEADER;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Url, redirect};

use crate::{ClientError, tls};

/// Where a daemon is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// At a socket of this host.
    Socket(PathBuf),
    /// At an address, over TLS.
    Https {
        /// `https://HOST:PORT`.
        url: Url,
        /// Who vouches for it, as a file in PEM: these and no others; the system's authorities if none.
        ca: Option<PathBuf>,
        /// What one shows there: a certificate and its key, as files in PEM.
        identity: Option<Identity>,
    },
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, and those above it.
    pub certificate: PathBuf,
    /// The private key, readable for nobody else.
    pub key: PathBuf,
}

/// A daemon, and by what one is known there.
#[derive(Clone)]
pub struct Target {
    /// Where it is.
    pub at: At,
    /// The token that is sent with each request.
    pub token: Option<String>,
    /// The project that requests are about.
    pub project: Option<String>,
}

impl At {
    /// An `https` URL of host and port, and nothing else.
    pub fn parse_url(text: &str) -> Result<Url, String> {
        let url: Url = text
            .parse()
            .map_err(|error| format!("'{text}' is not a URL: {error}"))?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if url.scheme() != "https" || !bare || !url.username().is_empty() || url.password().is_some() {
            return Err(format!("'{text}' is not of the form https://HOST:PORT"));
        }
        Ok(url)
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Https { url, .. } => f.write_str(url.as_str().trim_end_matches('/')),
        }
    }
}

/// A token is shown nowhere.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.token.as_ref().map(|_| "…");
        let mut shown = f.debug_struct("Target");
        let shown = shown.field("at", &self.at).field("token", &token);
        shown.field("project", &self.project).finish()
    }
}

impl Target {
    pub(crate) fn connector(&self) -> Result<reqwest::Client, ClientError> {
        let builder = reqwest::Client::builder()
            .default_headers(self.headers()?)
            .redirect(redirect::Policy::none());
        let builder = match &self.at {
            // No proxy of the environment has a say in who is spoken to over a socket of this host, and packing costs
            // more there than it saves.
            At::Socket(path) => builder
                .no_proxy()
                .no_gzip()
                .unix_socket(path.clone())
                .tls_backend_preconfigured(tls::unused()?),
            At::Https { ca, identity, .. } => builder
                .connect_timeout(tls::CONNECT_WITHIN)
                .https_only(true)
                .tls_backend_preconfigured(tls::config(ca.as_deref(), identity.as_ref())?),
        };
        builder
            .build()
            .map_err(|error| ClientError::Protocol(error.to_string()))
    }

    fn headers(&self) -> Result<HeaderMap, ClientError> {
        let mut headers = HeaderMap::new();
        let mut set = |name: HeaderName, value: String, what: &str| {
            let value = HeaderValue::from_str(&value);
            let mut value =
                value.map_err(|_| ClientError::Input(format!("{what} has characters that it can't have")))?;
            value.set_sensitive(name == AUTHORIZATION);
            headers.insert(name, value);
            Ok::<_, ClientError>(())
        };
        if let Some(token) = &self.token {
            set(AUTHORIZATION, format!("Bearer {token}"), "the token")?;
        }
        if let Some(project) = &self.project {
            set(
                HeaderName::from_static(PROJECT_HEADER),
                project.clone(),
                "the project's name",
            )?;
        }
        Ok(headers)
    }

    /// What paths are put behind.
    pub(crate) fn base(&self) -> String {
        match &self.at {
            // The host is only there because HTTP/1.1 asks for one (RFC 9112, 3.2).
            At::Socket(_) => "http://berth".to_owned(),
            At::Https { .. } => self.at.to_string(),
        }
    }
}
