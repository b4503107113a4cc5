//! The doors by which requests come in: TLS beside the socket, and by what one is known there.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use berth_testkit::{Daemon, Guest, Host, Key, Libvirt, Options};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

/// Where a daemon with [`Authority::config`] is served.
pub(crate) const URL: &str = "https://127.0.0.1:8443";

/// An authority, whose certificates are files in the host's directory.
pub(crate) struct Authority<'a> {
    dir: &'a Path,
    name: &'static str,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl<'a> Authority<'a> {
    pub(crate) fn new(host: &'a Host, name: &'static str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(host.dir().join(format!("{name}.pem")), issuer.pem()).unwrap();
        let dir = host.dir();
        Self { dir, name, issuer }
    }

    fn path(&self, suffix: &str) -> String {
        self.dir.join(format!("{}{suffix}", self.name)).display().to_string()
    }

    pub(crate) fn ca(&self) -> String {
        self.path(".pem")
    }

    /// Signs a certificate for this host and that common name; the files of certificate and key.
    fn sign(&self, name: &str) -> (String, String) {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = (self.path(&format!("-{name}.pem")), self.path(&format!("-{name}.key")));
        fs::write(&files.0, certificate.pem()).unwrap();
        fs::write(&files.1, key.serialize_pem()).unwrap();
        fs::set_permissions(&files.1, fs::Permissions::from_mode(0o600)).unwrap();
        files
    }

    /// The daemon's configuration.
    pub(crate) fn config(&self) -> String {
        let (certificate, key) = self.sign("berthd");
        let ca = self.ca();
        format!(
            "[tls]\nlisten = ['127.0.0.1:8443']\ncertificate = '{certificate}'\nkey = '{key}'\nclient_ca = '{ca}'\n"
        )
    }
}

fn start(host: &Host, config: String, tiny: bool) -> Daemon<'_> {
    Daemon::start_with(
        host,
        Options {
            tiny,
            config,
            ..Options::default()
        },
    )
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}

/// What a command prints that succeeds.
fn said(command: &mut Command) -> String {
    let output = run(command);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a command is refused with, and its exit code.
fn refused(command: &mut Command) -> (String, i32) {
    let output = run(command);
    assert!(!output.status.success(), "{command:?} succeeded");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (stderr, output.status.code().unwrap())
}

/// Makes a token by the socket; the file that it is in.
fn token(daemon: &Daemon<'_>, name: &str) -> PathBuf {
    let file = daemon.host().dir().join(format!("{name}.token"));
    daemon.ok(["token", "create", name, "--operator", "--out", file.to_str().unwrap()]);
    file
}

#[test]
fn over_tls_a_context_is_as_good_as_the_socket() {
    let host = Host::new(Libvirt::Started);
    let authority = Authority::new(&host, "ca");
    let daemon = start(&host, authority.config(), true);
    let file = token(&daemon, "laptop");
    let secret = fs::read_to_string(&file).unwrap();
    let away = |args: &[&str]| {
        let mut command = daemon.from_elsewhere("home", []);
        command.args(args);
        command
    };
    let mut add = away(&[
        "context",
        "add",
        "lab",
        "--url",
        URL,
        "--ca",
        &authority.ca(),
        "--token-file",
        "-",
    ]);
    said(add.stdin(fs::File::open(&file).unwrap()));
    said(&mut away(&["context", "use", "lab"]));
    for shown in [
        &["context", "list"][..],
        &["context", "show"],
        &["-o", "json", "context", "show", "lab"],
    ] {
        let shown = said(&mut away(shown));
        assert!(shown.contains(URL) && !shown.contains(secret.trim()), "{shown}");
    }
    let stored = host.dir().join("home/config/berth/contexts.toml");
    assert_eq!(fs::metadata(&stored).unwrap().permissions().mode() & 0o7777, 0o600);

    let key = Key::create(&daemon, "laptop");
    let create = [
        "instance", "create", "web", "--image", "tiny", "--type", "t1.nano", "--key", &key.name,
    ];
    said(&mut away(&create));
    assert!(said(&mut away(&["instance", "list"])).contains("Active"));
    console(&mut away(&["instance", "console", "web"]));
    Guest::of(&daemon, "web").ssh(&key, "true");
    let identity = host.dir().join("laptop").display().to_string();
    let ssh = ["instance", "ssh", "web", "-i", &identity, "--", "hostname"];
    assert_eq!(said(&mut away(&ssh)).trim(), "web");

    daemon.ok(["token", "revoke", "laptop"]);
    let (why, exit) = refused(&mut away(&["instance", "list"]));
    assert!(exit == 9 && why.contains("revoked"), "{exit}: {why}");
    fs::set_permissions(&stored, fs::Permissions::from_mode(0o644)).unwrap();
    let (why, exit) = refused(&mut away(&["instance", "list"]));
    assert!(exit == 2 && why.contains("others may read it"), "{exit}: {why}");
}

/// Waits for the guest's login on its console, and leaves.
fn console(command: &mut Command) {
    let mut berth = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, mut stdout) = (berth.stdin.take().unwrap(), berth.stdout.take().unwrap());
    stdin.write_all(b"\n").unwrap();
    let (mut seen, mut bytes) = (String::new(), [0; 4096]);
    while !seen.contains("login:") {
        let count = stdout.read(&mut bytes).unwrap();
        assert!(count > 0, "the console ended: {seen}");
        seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    // Ctrl-] leaves.
    stdin.write_all(&[0x1d]).unwrap();
    assert!(berth.wait().unwrap().success());
}

#[test]
fn without_the_right_papers_nobody_comes_in() {
    let host = Host::new(Libvirt::Absent);
    let (ours, other) = (Authority::new(&host, "ours"), Authority::new(&host, "other"));
    let daemon = start(&host, ours.config(), false);
    let away = |home: &str, args: &[&str]| {
        let mut command = daemon.from_elsewhere(home, []);
        command.args(args);
        command
    };
    let settle = |home: &str, more: &[&str]| {
        said(away(home, &["context", "add", "lab", "--url", URL]).args(more));
        said(&mut away(home, &["context", "use", "lab"]));
    };
    let papers = |authority: &Authority<'_>, name: &str| {
        let (certificate, key) = authority.sign(name);
        [
            "--ca".to_owned(),
            ours.ca(),
            "--cert".to_owned(),
            certificate,
            "--key".to_owned(),
            key,
        ]
    };
    let plain = "exec 3<>/dev/tcp/127.0.0.1/8443; printf 'GET /v1/host HTTP/1.1\\r\\nHost: b\\r\\n\\r\\n' >&3; cat <&3";
    let answer = host.try_run("bash", ["-c", plain]).stdout;
    assert!(
        !String::from_utf8_lossy(&answer).contains("HTTP"),
        "an answer without TLS"
    );

    settle("trusting", &[]);
    let (why, exit) = refused(&mut away("trusting", &["whoami"]));
    assert!(exit == 5 && why.contains("UnknownIssuer"), "{exit}: {why}");
    settle("nobody", &["--ca", &ours.ca()]);
    let (why, exit) = refused(&mut away("nobody", &["whoami"]));
    assert!(
        exit == 9 && why.contains("it is not known who you are"),
        "{exit}: {why}"
    );
    settle("stranger", &papers(&other, "ci").each_ref().map(String::as_str));
    assert_eq!(refused(&mut away("stranger", &["whoami"])).1, 5);

    settle("ci", &papers(&ours, "ci").each_ref().map(String::as_str));
    let me: Value = serde_json::from_str(&said(&mut away("ci", &["-o", "json", "whoami"]))).unwrap();
    assert_eq!(
        (&me["user"], &me["via"], &me["operator"]),
        (&json!("cert:ci"), &json!("certificate"), &json!(false))
    );
    assert_eq!(refused(&mut away("ci", &["instance", "list"])).1, 9);
    daemon.ok(["member", "add", "default", "cert:ci", "--role", "reader"]);
    said(&mut away("ci", &["instance", "list"]));

    // Who guesses has to wait; who doesn't, doesn't, even at the same address.
    let guess = || refused(away("nobody", &["-o", "json", "whoami"]).env("BERTH_TOKEN", "guessed")).0;
    let mut last = guess();
    for _ in 0..20 {
        if !last.contains(r#""unauthenticated""#) {
            break;
        }
        last = guess();
    }
    assert!(
        last.contains(r#""too_many_attempts""#) && last.contains("wait"),
        "{last}"
    );
    said(&mut away("ci", &["instance", "list"]));
    daemon.ok(["instance", "list"]);

    // A certificate that is renewed is shown without a restart; one that can't be used changes nothing.
    let (certificate, key) = ours.sign("berthd");
    let (new_certificate, new_key) = other.sign("berthd");
    fs::copy(&new_certificate, &certificate).unwrap();
    daemon.hang_up();
    until_said(&daemon, "the certificates stay as they were");
    said(&mut away("ci", &["instance", "list"]));
    fs::copy(&new_key, &key).unwrap();
    daemon.hang_up();
    until_said(&daemon, "the certificates are read again");
    assert_eq!(
        refused(&mut away("ci", &["instance", "list"])).1,
        5,
        "the old authority doesn't vouch for it"
    );
}

/// Waits until the daemon has said that.
fn until_said(daemon: &Daemon<'_>, words: &str) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !daemon.log().contains(words) {
        assert!(
            std::time::Instant::now() < deadline,
            "'{words}' isn't said: {}",
            daemon.log()
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn an_issuer_that_the_operator_trusts_says_who_somebody_is() {
    let host = Host::new(Libvirt::Absent);
    let random = ring::rand::SystemRandom::new();
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random).unwrap();
    let issuer = crate::image::serve_as(&host, |address| {
        let (x, y) = key.public_key().as_ref()[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let keys = json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "one", "use": "sig", "x": x, "y": y}]});
        let configuration = json!({"issuer": address, "jwks_uri": format!("{address}/keys")});
        vec![
            (
                "/.well-known/openid-configuration",
                configuration.to_string().into_bytes(),
            ),
            ("/keys", keys.to_string().into_bytes()),
        ]
    });
    let token = |audience: &str| {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let until = jiff::Timestamp::now().as_second() + 600;
        let header = part(json!({"alg": "ES256", "kid": "one"}));
        let claims = json!({"iss": issuer, "aud": audience, "exp": until, "sub": "1", "email": "alice@example.com"});
        let message = format!("{header}.{}", part(claims));
        let signature = key.sign(&random, message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    let config = format!("[oidc]\nissuer = '{issuer}'\naudience = 'berth'\nclaim = 'email'\n");
    let daemon = start(&host, config, false);
    let whoami = || daemon.berth(["-o", "json", "whoami"]);
    let me: Value = serde_json::from_str(&said(whoami().env("BERTH_TOKEN", token("berth")))).unwrap();
    assert_eq!(
        (&me["user"], &me["via"]),
        (&json!("oidc:alice@example.com"), &json!("oidc"))
    );
    daemon.ok(["member", "add", "default", "oidc:alice@example.com", "--role", "member"]);
    said(
        daemon
            .berth(["volume", "create", "data", "--size", "1"])
            .env("BERTH_TOKEN", token("berth")),
    );
    let (why, exit) = refused(whoami().env("BERTH_TOKEN", token("another")));
    assert!(exit == 9 && why.contains("meant for another audience"), "{exit}: {why}");
}
