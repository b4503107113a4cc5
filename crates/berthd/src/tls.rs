//! `[tls]`: the files that the TLS door is opened with, each looked at before anything is served.
//!
//! Whatever is wrong with them is one message that names the key and the file: it isn't there, it isn't PEM, others may
//! read it, it doesn't belong to the other one.

use std::fmt::Display;
use std::io::Read as _;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig};
use serde::Deserialize;

use crate::failure::{Failure, wrong};

/// Where and with what TLS is served. Its keys are told of in `crate::keys`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    /// The addresses and ports to listen on.
    pub(crate) listen: Vec<SocketAddr>,
    /// The daemon's certificate and those above it, as PEM.
    certificate: PathBuf,
    /// Its private key, as PEM: readable for its owner, and a group at most.
    key: PathBuf,
    /// Who signs certificates of clients, as PEM; without it none are asked for.
    client_ca: Option<PathBuf>,
}

/// Others, in a file's mode.
const OTHERS: u32 = 0o007;

/// The largest file in bytes.
const FILE_MAX: u64 = 1 << 20;

impl Tls {
    /// What handshakes are made with, as the files are now.
    pub(crate) fn load(&self) -> Result<ServerConfig, Failure> {
        if self.listen.is_empty() {
            return Err(wrong(
                "tls.listen",
                &"name an address and port, such as \"0.0.0.0:8443\"",
            ));
        }
        let provider = Arc::new(ring::default_provider());
        let certified = self.certified(&provider)?;
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::internal(format!("TLS: {error}")))?;
        let builder = match &self.client_ca {
            Some(path) => {
                let roots = Arc::new(authorities("tls.client_ca", path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                let verifier = verifier.allow_unauthenticated().build();
                builder.with_client_cert_verifier(verifier.map_err(|error| unusable("tls.client_ca", path, &error))?)
            }
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn certified(&self, provider: &CryptoProvider) -> Result<CertifiedKey, Failure> {
        let chain = certificates("tls.certificate", &self.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&read("tls.key", &self.key, true)?)
            .map_err(|_| unusable("tls.key", &self.key, &"has no private key in PEM that isn't encrypted"))?;
        let key = provider.key_provider.load_private_key(key);
        let key = key.map_err(|error| unusable("tls.key", &self.key, &error))?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(certified),
            Err(rustls::Error::InconsistentKeys(_)) => {
                let why = format!("is not the key of the certificate in {}", self.certificate.display());
                Err(unusable("tls.key", &self.key, &why))
            }
            Err(error) => Err(unusable("tls.certificate", &self.certificate, &error)),
        }
    }
}

/// The certificates of a file.
pub(crate) fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let text = read(key, path, false)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(unusable(key, path, &"has no certificates in PEM")),
    }
}

fn authorities(key: &str, path: &Path) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(key, path)? {
        roots.add(certificate).map_err(|error| unusable(key, path, &error))?;
    }
    Ok(roots)
}

/// Reads a file; one that is secret only if others may not.
fn read(key: &str, path: &Path, secret: bool) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| unusable(key, path, &error);
    let file = std::fs::File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode();
    if secret && mode & OTHERS != 0 {
        let why = format!("may be read by others (mode {:04o}): chmod 0600", mode & 0o7777);
        return Err(unusable(key, path, &why));
    }
    let mut bytes = Vec::new();
    file.take(FILE_MAX).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn unusable(key: &str, path: &Path, why: &dyn Display) -> Failure {
    wrong(key, &format!("{}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A directory with a certificate and its key, and another key.
    fn files() -> (tempfile::TempDir, Tls) {
        let dir = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["berth.example".to_owned()]).unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            path
        };
        let tls = Tls {
            listen: vec!["127.0.0.1:8443".parse().unwrap()],
            certificate: write("certificate.pem", &made.cert.pem()),
            key: write("key.pem", &made.signing_key.serialize_pem()),
            client_ca: Some(write("ca.pem", &made.cert.pem())),
        };
        write("other.pem", &rcgen::KeyPair::generate().unwrap().serialize_pem());
        write("nonsense.pem", "nonsense");
        (dir, tls)
    }

    fn refusal(tls: &Tls) -> String {
        format!("{}", tls.load().unwrap_err())
    }

    #[test]
    fn files_that_belong_together_are_taken() {
        let (_dir, mut tls) = files();
        assert!(tls.load().is_ok());
        fs::set_permissions(&tls.key, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(
            tls.load().is_ok(),
            "a group may read the key, as Debian's ssl-cert does"
        );
        tls.client_ca = None;
        assert!(tls.load().is_ok());
    }

    #[test]
    fn each_file_that_is_wrong_has_its_message() {
        let (dir, good) = files();
        let at = |name: &str| dir.path().join(name);
        let with = |change: &dyn Fn(&mut Tls)| {
            let mut tls = good.clone();
            change(&mut tls);
            refusal(&tls)
        };
        for (told, why) in [
            (with(&|tls| tls.listen.clear()), "tls.listen: name an address and port"),
            (with(&|tls| tls.certificate = at("away")), "away: No such file"),
            (
                with(&|tls| tls.certificate = at("nonsense.pem")),
                "nonsense.pem: has no certificates in PEM",
            ),
            (with(&|tls| tls.key = at("away")), "away: No such file"),
            (
                with(&|tls| tls.key = at("certificate.pem")),
                "certificate.pem: has no private key in PEM",
            ),
            (
                with(&|tls| tls.key = at("other.pem")),
                "other.pem: is not the key of the certificate in",
            ),
            (
                with(&|tls| tls.client_ca = Some(at("key.pem"))),
                "key.pem: has no certificates in PEM",
            ),
        ] {
            assert!(told.contains(why), "{told}");
        }
        fs::set_permissions(&good.key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(refusal(&good).contains("may be read by others (mode 0644): chmod 0600"));
    }
}
