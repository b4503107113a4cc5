//! `[oidc]`: whose tokens are taken.

use std::path::PathBuf;

use berth_api::{Oidc, OidcSettings};
use serde::Deserialize;

use crate::failure::{Failure, wrong};
use crate::tls::certificates;

/// The issuer, and what its tokens have to say.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OidcTable {
    /// Its URL, exactly as its tokens have it.
    issuer: String,
    /// What they have to be meant for.
    audience: String,
    /// The claim that becomes the user's name, behind `oidc:`.
    claim: String,
    /// Who vouches for the issuer's server, as PEM; the system's authorities if not set.
    ca: Option<PathBuf>,
}

impl OidcTable {
    /// What checks its tokens. The issuer needn't be there yet.
    pub(crate) fn open(self) -> Result<Oidc, Failure> {
        let authorities = match &self.ca {
            Some(path) => certificates("oidc.ca", path)?,
            None => Vec::new(),
        };
        Oidc::new(OidcSettings {
            issuer: self.issuer,
            audience: self.audience,
            claim: self.claim,
            authorities,
        })
        .map_err(|why| wrong("oidc", &why))
    }
}
