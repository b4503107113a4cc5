//! Tokens good and bad, against an issuer that really serves.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use axum::Router;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};

use super::issuer::{Issuer, Signer, message};
use super::*;
use crate::{Certificates, Door};

fn settings(issuer: &str) -> OidcSettings {
    OidcSettings {
        issuer: issuer.to_owned(),
        audience: "berth".to_owned(),
        claim: "email".to_owned(),
        authorities: Vec::new(),
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// The claims of a token that is good for an hour, changed as told.
fn claims(issuer: &str, changes: &Value) -> Value {
    let mut claims = json!({
        "iss": issuer, "aud": "berth", "sub": "248289761001", "email": "alice@example.com", "exp": now() + 3600,
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

async fn refused(oidc: &Oidc, token: &str) -> String {
    match oidc.verify(token).await {
        Err(OidcError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_good_token_of_any_asymmetric_algorithm_names_its_user() {
    let (rsa, es256, es384, ed) = (Signer::rsa(), Signer::es256(), Signer::es384(), Signer::ed25519());
    let strange = json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA", "kid": "strange", "alg": "ES256K"});
    let keys = vec![
        strange,
        rsa.public("r"),
        es256.public("2"),
        es384.public("3"),
        ed.public("e"),
    ];
    let issuer = Issuer::start(keys).await;
    let oidc = Oidc::new(settings(&issuer.url)).unwrap();
    let claims = claims(
        &issuer.url,
        &json!({"aud": ["other", "berth"], "email_verified": true, "nbf": now()}),
    );
    for (signer, id, algorithm) in [
        (&rsa, "r", "RS256"),
        (&rsa, "r", "RS384"),
        (&rsa, "r", "RS512"),
        (&rsa, "r", "PS256"),
        (&rsa, "r", "PS384"),
        (&rsa, "r", "PS512"),
        (&es256, "2", "ES256"),
        (&es384, "3", "ES384"),
        (&ed, "e", "EdDSA"),
    ] {
        let (user, until) = oidc.verify(&signer.token(algorithm, id, &claims)).await.unwrap();
        let exp = claims["exp"].as_i64().unwrap();
        assert_eq!(until.as_second(), exp + i64::from(LEEWAY), "{algorithm}");
        assert_eq!(user.as_str(), "oidc:alice@example.com", "{algorithm}");
    }
    assert_eq!(issuer.answers().asked, 1, "keys are kept");
}

#[tokio::test]
async fn what_a_token_says_must_be_meant_for_us_and_now() {
    let signer = Signer::es256();
    let issuer = Issuer::start(vec![signer.public("k")]).await;
    let oidc = Oidc::new(settings(&issuer.url)).unwrap();
    for (changes, why) in [
        (json!({"exp": now() - 60}), "it has expired"),
        (json!({"exp": null}), "it has no claim 'exp'"),
        (json!({"exp": "tomorrow"}), "it has no claim 'exp'"),
        (json!({"nbf": now() + 60}), "it is not valid yet"),
        (json!({"aud": "another"}), "it is meant for another audience"),
        (json!({"aud": null}), "it has no claim 'aud'"),
        (json!({"iss": "https://issuer.example"}), "it is of another issuer"),
        (json!({"iss": null}), "it has no claim 'iss'"),
        (json!({"email": null}), "it has no claim 'email' that is text"),
        (json!({"email": ""}), "its claim 'email' can't be the name of a user"),
        (json!({"email": "a b"}), "its claim 'email' can't be the name of a user"),
        (json!({"email_verified": false}), "its email is not verified"),
        (json!({"email_verified": "true"}), "its email is not verified"),
    ] {
        let token = signer.token("ES256", "k", &claims(&issuer.url, &changes));
        assert_eq!(refused(&oidc, &token).await, why, "{changes}");
    }
    let almost = claims(&issuer.url, &json!({"exp": now() - 10, "nbf": now() + 10}));
    assert!(
        oidc.verify(&signer.token("ES256", "k", &almost)).await.is_ok(),
        "clocks differ a little"
    );
}

#[tokio::test]
async fn what_the_issuer_did_not_sign_is_refused() {
    let (signer, stranger) = (Signer::rsa(), Signer::rsa());
    let public = signer.public("k");
    let issuer = Issuer::start(vec![public.clone(), Signer::es256().public("ec")]).await;
    let oidc = Oidc::new(settings(&issuer.url)).unwrap();
    let claims = claims(&issuer.url, &json!({}));

    let none = message(&json!({"alg": "none"}), &claims) + ".";
    assert_eq!(
        refused(&oidc, &none).await,
        "it is not a JWT that is signed by a known algorithm"
    );

    // The public key as the secret of a MAC: the classic confusion of algorithms.
    let by_mac = message(&json!({"alg": "HS256", "kid": "k"}), &claims);
    let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, public["n"].as_str().unwrap().as_bytes());
    let tag = ring::hmac::sign(&secret, by_mac.as_bytes());
    let by_mac = format!("{by_mac}.{}", base64_url(tag.as_ref()));
    assert_eq!(refused(&oidc, &by_mac).await, "it is signed by HS256");

    let good = signer.token("RS256", "k", &claims);
    assert!(oidc.verify(&good).await.is_ok());
    let not_theirs = "its signature is not that of the issuer's key";
    assert_eq!(refused(&oidc, &stranger.token("RS256", "k", &claims)).await, not_theirs);
    let (_, signature) = good.rsplit_once('.').unwrap();
    let other = message(
        &json!({"alg": "RS256", "kid": "k"}),
        &self::claims(&issuer.url, &json!({"email": "root"})),
    );
    assert_eq!(refused(&oidc, &format!("{other}.{signature}")).await, not_theirs);
    // A key is for its own kind of algorithm.
    let missing = "it is signed by a key that the issuer doesn't have";
    assert_eq!(refused(&oidc, &signer.token("RS256", "ec", &claims)).await, missing);
    let critical = message(
        &json!({"alg": "RS256", "kid": "k", "crit": ["b64"], "b64": false}),
        &claims,
    );
    assert_eq!(
        refused(&oidc, &format!("{critical}.{signature}")).await,
        "it has critical headers that are not known"
    );
    for nonsense in ["", ".", "..", "a.b.c", "ü", &"x".repeat(TOKEN_MAX + 1)] {
        assert!(
            matches!(oidc.verify(nonsense).await, Err(OidcError::Refused(_))),
            "{nonsense:.20}"
        );
    }
}

#[tokio::test]
async fn rotated_keys_are_found_but_the_issuer_is_not_asked_for_every_token() {
    let (old, new) = (Signer::es256(), Signer::es256());
    let issuer = Issuer::start(vec![old.public("old")]).await;
    let mut oidc = Oidc::new(settings(&issuer.url)).unwrap();
    let claims = claims(&issuer.url, &json!({}));
    assert!(oidc.verify(&old.token("ES256", "old", &claims)).await.is_ok());
    issuer.answers().keys = vec![old.public("old"), new.public("new")];
    let token = new.token("ES256", "new", &claims);
    for _ in 0..5 {
        assert_eq!(
            refused(&oidc, &token).await,
            "it is signed by a key that the issuer doesn't have"
        );
    }
    assert_eq!(issuer.answers().asked, 1, "asked again within the pause");
    oidc.keys.pause = Duration::ZERO;
    assert!(oidc.verify(&token).await.is_ok());
    assert!(oidc.verify(&old.token("ES256", "old", &claims)).await.is_ok());
    assert_eq!(issuer.answers().asked, 2);
    // A token that doesn't name its key has it guessed only where there is one.
    let unnamed = message(&json!({"alg": "ES256"}), &claims) + ".AAAA";
    assert_eq!(
        refused(&oidc, &unnamed).await,
        "it is signed by a key that the issuer doesn't have"
    );
}

#[tokio::test]
async fn an_issuer_that_is_away_is_not_the_token_s_fault() {
    let signer = Signer::ed25519();
    let issuer = Issuer::start(vec![signer.public("k")]).await;
    let url = issuer.url.clone();
    let token = signer.token("EdDSA", "k", &claims(&url, &json!({})));
    let known = Oidc::new(settings(&url)).unwrap();
    assert!(known.verify(&token).await.is_ok());
    drop(issuer);
    assert!(known.verify(&token).await.is_ok(), "keys outlive the issuer's absence");
    let error = Oidc::new(settings(&url)).unwrap().verify(&token).await.unwrap_err();
    assert_eq!(error.code(), Code::FetchFailed, "{error}");
}

#[tokio::test]
async fn keys_come_from_the_issuer_itself_and_are_small() {
    let signer = Signer::ed25519();
    let issuer = Issuer::start(vec![signer.public("k")]).await;
    let token = signer.token("EdDSA", "k", &claims(&issuer.url, &json!({})));
    let verify = async || {
        Oidc::new(settings(&issuer.url))
            .unwrap()
            .verify(&token)
            .await
            .map_err(|error| error.to_string())
    };
    assert!(verify().await.is_ok());
    issuer.answers().calls_itself = Some("https://issuer.example".to_owned());
    assert!(
        verify()
            .await
            .unwrap_err()
            .contains("it calls itself 'https://issuer.example'")
    );
    issuer.answers().calls_itself = None;
    for (keys_at, why) in [
        ("http://192.0.2.1/keys".to_owned(), "which is not https"),
        ("file:///etc/shadow".to_owned(), "which is not https"),
        (format!("{}/moved", issuer.url), "answers 307"),
    ] {
        issuer.answers().keys_at = Some(keys_at);
        let error = verify().await.unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    issuer.answers().keys_at = None;
    issuer.answers().padding = 300 << 10;
    assert!(verify().await.unwrap_err().contains("has more than 262144 bytes"));
}

#[tokio::test]
async fn over_https_the_issuer_s_certificate_is_checked() {
    let signer = Signer::es384();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![made.cert.der().clone()],
            PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap(),
        )
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let door = Door::Tls(listener, Certificates::new(config));
    let serve = |router: Router| crate::serve(door, router, std::future::pending());
    let issuer = Issuer::serve(url, vec![signer.public("k")], serve);
    let token = signer.token("ES384", "k", &claims(&issuer.url, &json!({})));
    let trusting = OidcSettings {
        authorities: vec![made.cert.der().clone()],
        ..settings(&issuer.url)
    };
    assert!(Oidc::new(trusting).unwrap().verify(&token).await.is_ok());
    let error = Oidc::new(settings(&issuer.url))
        .unwrap()
        .verify(&token)
        .await
        .unwrap_err();
    assert!(matches!(error, OidcError::Unavailable(_)), "{error}");
}

#[test]
fn settings_that_cannot_be_right_are_refused() {
    for issuer in [
        "http://issuer.example",
        "issuer.example",
        "ftp://localhost",
        "https://issuer.example/?a=b",
    ] {
        assert!(
            Oidc::new(settings(issuer)).unwrap_err().starts_with("issuer: "),
            "{issuer}"
        );
    }
    for issuer in [
        "https://issuer.example/realms/berth",
        "http://localhost:8080",
        "http://[::1]:8080",
    ] {
        assert!(Oidc::new(settings(issuer)).is_ok(), "{issuer}");
    }
    let nobody = OidcSettings {
        audience: String::new(),
        ..settings("https://issuer.example")
    };
    assert_eq!(Oidc::new(nobody).unwrap_err(), "audience: must not be empty");
}

fn base64_url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
