//! TLS of a client: whom it trusts, and what it shows.

use std::fmt::Display;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::{ClientError, Identity};

/// How long a connection may take to be there.
pub(crate) const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Everybody but the owner, in a file's mode.
const NOT_THE_OWNER: u32 = 0o077;

/// One who trusts nobody: over a socket of this host there is no TLS.
pub(crate) fn unused() -> Result<ClientConfig, ClientError> {
    Ok(builder()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

/// One who trusts these authorities, or the system's, and shows that certificate if it is asked for one.
pub(crate) fn config(ca: Option<&Path>, identity: Option<&Identity>) -> Result<ClientConfig, ClientError> {
    let builder = match ca {
        Some(path) => trusting(path)?,
        None => builder()?
            .with_platform_verifier()
            .map_err(|error| ClientError::Input(format!("this system's authorities: {error}")))?,
    };
    match identity {
        Some(identity) => {
            let key = private_key(&identity.key)?;
            let chain = certificates(&identity.certificate)?;
            let config = builder.with_client_auth_cert(chain, key);
            config.map_err(|error| unusable(&identity.certificate, &error))
        }
        None => Ok(builder.with_no_client_auth()),
    }
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, ClientError> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Protocol(error.to_string()))
}

fn trusting(path: &Path) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, ClientError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| unusable(path, &error))?;
    }
    Ok(builder()?.with_root_certificates(roots))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let text = std::fs::read(path).map_err(|error| unusable(path, &error))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(unusable(path, &"it has no certificates in PEM")),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, ClientError> {
    let failed = |error: std::io::Error| unusable(path, &error);
    let mut file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode();
    if mode & NOT_THE_OWNER != 0 {
        let why = format!(
            "others may read this private key (mode {:04o}): chmod 0600",
            mode & 0o7777
        );
        return Err(unusable(path, &why));
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(failed)?;
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| unusable(path, &"it has no private key in PEM that isn't encrypted"))
}

fn unusable(path: &Path, why: &dyn Display) -> ClientError {
    ClientError::Input(format!("{}: {why}", path.display()))
}
