//! An issuer for tests: a real server on loopback, with keys made on the spot.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::response::Redirect;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{self as rs, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

/// A key that signs tokens.
pub(super) enum Signer {
    Ec(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Signer {
    pub(super) fn es256() -> Self {
        Self::ec(&rs::ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")
    }

    pub(super) fn es384() -> Self {
        Self::ec(&rs::ECDSA_P384_SHA384_FIXED_SIGNING, "P-384")
    }

    fn ec(algorithm: &'static rs::EcdsaSigningAlgorithm, curve: &'static str) -> Self {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self::Ec(
            EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random).unwrap(),
            curve,
        )
    }

    pub(super) fn ed25519() -> Self {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed(Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap())
    }

    /// ring makes no RSA keys; openssl does.
    pub(super) fn rsa() -> Self {
        let arguments = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
        let made = Command::new("openssl").args(arguments).output().unwrap();
        let made = PrivatePkcs8KeyDer::from_pem_slice(&made.stdout).unwrap();
        Self::Rsa(RsaKeyPair::from_pkcs8(made.secret_pkcs8_der()).unwrap())
    }

    /// The public half as a JWK.
    pub(super) fn public(&self, id: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Ec(key, curve) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(key.public_key().as_ref().len() / 2);
                json!({"kty": "EC", "crv": curve, "x": text(x), "y": text(y), "kid": id, "use": "sig"})
            }
            Self::Ed(key) => json!({"kty": "OKP", "crv": "Ed25519", "x": text(key.public_key().as_ref()), "kid": id}),
            Self::Rsa(key) => {
                let public: rs::RsaPublicKeyComponents<Vec<u8>> = key.public().into();
                json!({"kty": "RSA", "n": text(&public.n), "e": text(&public.e), "kid": id, "use": "sig"})
            }
        }
    }

    /// A token of these claims, signed by that algorithm.
    pub(super) fn token(&self, algorithm: &str, id: &str, claims: &Value) -> String {
        let message = message(&json!({"alg": algorithm, "kid": id, "typ": "JWT"}), claims);
        let random = SystemRandom::new();
        let signature = match self {
            Self::Ec(key, _) => key.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Ed(key) => key.sign(message.as_bytes()).as_ref().to_vec(),
            Self::Rsa(key) => {
                let encoding: &dyn rs::RsaEncoding = match algorithm {
                    "RS256" => &rs::RSA_PKCS1_SHA256,
                    "RS384" => &rs::RSA_PKCS1_SHA384,
                    "RS512" => &rs::RSA_PKCS1_SHA512,
                    "PS256" => &rs::RSA_PSS_SHA256,
                    "PS384" => &rs::RSA_PSS_SHA384,
                    _ => &rs::RSA_PSS_SHA512,
                };
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(encoding, &random, message.as_bytes(), &mut signature).unwrap();
                signature
            }
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// What is signed of a token: header and claims.
pub(super) fn message(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// What the issuer answers with, and how often it was asked for its keys.
#[derive(Default)]
pub(super) struct Answers {
    pub(super) calls_itself: Option<String>,
    pub(super) keys: Vec<Value>,
    pub(super) keys_at: Option<String>,
    pub(super) padding: usize,
    pub(super) asked: usize,
}

/// An issuer that serves on loopback until it is dropped.
pub(super) struct Issuer {
    pub(super) url: String,
    answers: Arc<Mutex<Answers>>,
    server: tokio::task::JoinHandle<()>,
}

#[derive(Clone)]
struct Served {
    url: String,
    answers: Arc<Mutex<Answers>>,
}

impl Issuer {
    pub(super) async fn start(keys: Vec<Value>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self::serve(url, keys, async |router| axum::serve(listener, router).await.unwrap())
    }

    /// Serves as that URL, by what is given the routes.
    pub(super) fn serve<F: Future<Output = ()> + Send + 'static>(
        url: String,
        keys: Vec<Value>,
        server: impl FnOnce(Router) -> F,
    ) -> Self {
        let answers = Arc::new(Mutex::new(Answers {
            keys,
            ..Answers::default()
        }));
        let state = Served {
            url: url.clone(),
            answers: answers.clone(),
        };
        let moved = Redirect::temporary("/keys");
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(configuration))
            .route("/keys", get(key_set))
            .route("/moved", get(async move || moved.clone()))
            .with_state(state);
        Self {
            url,
            answers,
            server: tokio::spawn(server(router)),
        }
    }

    pub(super) fn answers(&self) -> std::sync::MutexGuard<'_, Answers> {
        self.answers.lock().unwrap()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn configuration(State(served): State<Served>) -> Json<Value> {
    let answers = served.answers.lock().unwrap();
    let keys = answers
        .keys_at
        .clone()
        .unwrap_or_else(|| format!("{}/keys", served.url));
    let issuer = answers.calls_itself.as_ref().unwrap_or(&served.url);
    Json(json!({"issuer": issuer, "jwks_uri": keys, "response_types_supported": ["code"]}))
}

async fn key_set(State(served): State<Served>) -> Json<Value> {
    let mut answers = served.answers.lock().unwrap();
    answers.asked += 1;
    Json(json!({"keys": answers.keys, "padding": " ".repeat(answers.padding)}))
}
