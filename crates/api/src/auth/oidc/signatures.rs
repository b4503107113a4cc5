//! Signatures are checked by ring, which TLS has brought already; `jsonwebtoken` leaves the choice to its caller.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::signature as rs;
use signature::Verifier;

/// Checks only: nothing is signed here, no key is taken apart.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: |algorithm, key| verifier(*algorithm, key),
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes it what this process checks tokens with.
pub(super) fn install() {
    // Whoever was first has installed the same.
    let _ = PROVIDER.install_default();
}

enum Check {
    Rsa(&'static rs::RsaParameters),
    Other(&'static dyn rs::VerificationAlgorithm),
}

struct RingVerifier {
    algorithm: Algorithm,
    check: Check,
    key: DecodingKey,
}

fn verifier(algorithm: Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let check = match algorithm {
        Algorithm::RS256 => Check::Rsa(&rs::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Check::Rsa(&rs::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Check::Rsa(&rs::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Check::Rsa(&rs::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Check::Rsa(&rs::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Check::Rsa(&rs::RSA_PSS_2048_8192_SHA512),
        Algorithm::ES256 => Check::Other(&rs::ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => Check::Other(&rs::ECDSA_P384_SHA384_FIXED),
        Algorithm::EdDSA => Check::Other(&rs::ED25519),
        _ => return Err(ErrorKind::UnsupportedAlgorithm.into()),
    };
    if key.family() != algorithm.family() {
        return Err(ErrorKind::InvalidKeyFormat.into());
    }
    Ok(Box::new(RingVerifier {
        algorithm,
        check,
        key: key.clone(),
    }))
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let checked = match (&self.check, self.key.kind()) {
            (Check::Rsa(parameters), DecodingKeyKind::RsaModulusExponent { n, e }) => {
                rs::RsaPublicKeyComponents { n, e }.verify(parameters, message, signature)
            }
            (Check::Other(algorithm), DecodingKeyKind::SecretOrDer(key)) => {
                rs::UnparsedPublicKey::new(*algorithm, key).verify(message, signature)
            }
            _ => Err(ring::error::Unspecified),
        };
        checked.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
