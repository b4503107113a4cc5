//! What is asked of an issuer: two small JSON documents, soon, and from nowhere else.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::redirect::Policy;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use serde::de::DeserializeOwned;

/// How long one document may take.
const WITHIN: Duration = Duration::from_secs(5);

/// The largest document in bytes.
const DOCUMENT_MAX: usize = 256 << 10;

/// A client that trusts these authorities, or the system's if there are none.
pub(super) fn client(authorities: Vec<CertificateDer<'static>>) -> Result<reqwest::Client, String> {
    let unusable = |error: &dyn std::fmt::Display| format!("ca: {error}");
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?;
    let tls = if authorities.is_empty() {
        builder.with_platform_verifier().map_err(|error| unusable(&error))?
    } else {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority).map_err(|error| unusable(&error))?;
        }
        builder.with_root_certificates(roots)
    };
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls.with_no_client_auth())
        .no_proxy()
        .redirect(Policy::none())
        // It asks so seldom that a connection kept from last time is closed by then.
        .pool_max_idle_per_host(0)
        .timeout(WITHIN)
        .build()
        .map_err(|error| unusable(&error))
}

/// Whether what is at that address comes from whom it names: over https, or from this host itself.
pub(super) fn trusted(url: &Url) -> bool {
    url.scheme() == "https" && url.host().is_some() || is_loopback(url)
}

/// Whether it is plain http on this host's loopback.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<std::net::IpAddr>();
    url.scheme() == "http" && (host == "localhost" || address.is_ok_and(|address| address.is_loopback()))
}

/// Reads a document.
pub(super) async fn json<T: DeserializeOwned>(http: &reqwest::Client, url: Url) -> Result<T, String> {
    let shown = url.clone();
    let failed = |error: reqwest::Error| format!("{shown}: {}", innermost(&error));
    let mut response = http.get(url).send().await.map_err(failed)?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(format!("{shown} answers {}", response.status()));
    }
    let mut document = Vec::new();
    while let Some(part) = response.chunk().await.map_err(failed)? {
        if document.len() + part.len() > DOCUMENT_MAX {
            return Err(format!("{shown} has more than {DOCUMENT_MAX} bytes"));
        }
        document.extend_from_slice(&part);
    }
    serde_json::from_slice(&document).map_err(|error| format!("{shown}: {error}"))
}

/// The reason beneath the words that wrap it.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut reason = error;
    while let Some(inner) = reason.source() {
        reason = inner;
    }
    reason.to_string()
}
