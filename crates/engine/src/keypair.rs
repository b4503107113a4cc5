//! Key pairs: a public key that is imported, or a pair that is made. The private half passes through and is forgotten.

use berth_model::{KeyPairId, Labels, Name, User};
use berth_store::{KeyPairRecord, ListBy, Listed};
use jiff::Timestamp;
use ssh_key::public::{KeyData, RsaPublicKey};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey};

use crate::{Engine, EngineError};

/// A key pair as it is made: the record, and the private half if it was made here.
pub struct NewKeyPair {
    /// The record: all that is kept.
    pub record: KeyPairRecord,
    /// The private half in OpenSSH's format, to be shown once.
    pub private_key: Option<String>,
}

impl Engine {
    /// Imports a public key, or makes a new Ed25519 pair.
    pub async fn create_keypair(
        &self,
        project: &str,
        name: Name,
        public_key: Option<&str>,
        (owner, labels): (&User, &Labels),
    ) -> Result<NewKeyPair, EngineError> {
        let (public, private_key) = match public_key {
            Some(text) => (parse(text)?, None),
            None => generate(name.as_str())?,
        };
        let written = public
            .to_openssh()
            .map_err(|error| EngineError::Internal(error.to_string()))?;
        let record = KeyPairRecord {
            id: KeyPairId::new(),
            project: project.to_owned(),
            owner: owner.clone(),
            name,
            public_key: written,
            fingerprint: public.fingerprint(HashAlg::Sha256).to_string(),
            created_at: Timestamp::now(),
        };
        self.world.store.insert_keypair(&record, labels).await?;
        Ok(NewKeyPair { record, private_key })
    }

    /// The key pair with that name or id.
    pub async fn find_keypair(&self, project: &str, reference: &str) -> Result<KeyPairRecord, EngineError> {
        Ok(self.world.store.find_keypair(project, reference).await?)
    }

    /// A page of a project's key pairs.
    pub async fn list_keypairs(&self, project: &str, by: &ListBy) -> Result<Listed<KeyPairRecord>, EngineError> {
        Ok(self.world.store.list_keypairs(project, by).await?)
    }

    /// Forgets a key pair, for the user who made it. Instances that have it keep it.
    pub async fn delete_keypair(&self, id: KeyPairId, by: &User) -> Result<(), EngineError> {
        Ok(self.world.store.delete_keypair(id, by).await?)
    }
}

/// The longest public key that is read: an RSA key of 16,384 bits has under 3 KiB.
const PUBLIC_KEY_MAX: usize = 8 * 1024;

/// The fewest bits of an RSA key (NIST SP 800-131A).
const RSA_BITS_MIN: u32 = 2048;

fn bits(key: &RsaPublicKey) -> u32 {
    key.key_size()
}

fn parse(text: &str) -> Result<PublicKey, EngineError> {
    let text = text.trim();
    if text.len() > PUBLIC_KEY_MAX {
        let message = format!("{} bytes, and a public key has at most {PUBLIC_KEY_MAX}", text.len());
        return Err(EngineError::TooLarge {
            field: "public_key",
            message,
        });
    }
    let wrong = |why: String| {
        EngineError::invalid(
            "public_key",
            format!("{why}; give one line such as 'ssh-ed25519 AAAA… you@host'"),
        )
    };
    if text.contains("PRIVATE KEY") || text.starts_with("PuTTY-User-Key-File") {
        let message = "it is a private key: it was not kept, but who saw it may use it, so make a new one, and give \
                       the public half, which is in the file that ends in .pub";
        return Err(wrong(message.to_owned()));
    }
    if text.contains(['\n', '\r']) {
        return Err(wrong("it has more than one line".to_owned()));
    }
    let key = PublicKey::from_openssh(text).map_err(|error| wrong(format!("not an OpenSSH public key: {error}")))?;
    match key.key_data() {
        KeyData::Ed25519(_) | KeyData::Ecdsa(_) | KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => Ok(key),
        KeyData::Rsa(rsa) if bits(rsa) >= RSA_BITS_MIN => Ok(key),
        KeyData::Rsa(rsa) => Err(wrong(format!(
            "it is an RSA key of {} bits, and one has at least {RSA_BITS_MIN}",
            bits(rsa)
        ))),
        KeyData::Dsa(_) => Err(wrong("DSA keys are no longer accepted by sshd".to_owned())),
        _ => Err(wrong(format!(
            "{} keys are not taken: Ed25519, ECDSA, RSA and the two sk- kinds are",
            key.algorithm()
        ))),
    }
}

fn generate(comment: &str) -> Result<(PublicKey, Option<String>), EngineError> {
    let broken = |error: ssh_key::Error| EngineError::Internal(format!("making a key pair: {error}"));
    let mut random = ssh_key::rand_core::UnwrapErr(ssh_key::getrandom::SysRng);
    let mut private = PrivateKey::random(&mut random, Algorithm::Ed25519).map_err(broken)?;
    private.set_comment(comment);
    let written = private.to_openssh(LineEnding::LF).map_err(broken)?;
    Ok((private.public_key().clone(), Some(written.to_string())))
}
