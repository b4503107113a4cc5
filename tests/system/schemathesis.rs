//! schemathesis asks a real daemon everything that its document allows, and what it forbids.
//!
//! ```text
//!   /v1/openapi.json ─▶ examples, edges, random data, chains of requests ─▶ the daemon, over TLS, with an operator's token
//!                                                                                      │
//!     no 5xx · what is answered is what the document says · what it allows is taken · what it forbids is refused
//! ```
//!
//! What is left out, and why, stands in `schemathesis/schemathesis.toml`.

use std::fs;
use std::path::PathBuf;

use berth_testkit::{Daemon, Host, Libvirt, Options};
use serde_json::Value;

use crate::doors::{Authority, URL};

/// How schemathesis is set up, but for the ids of what there is.
const SETTINGS: &str = include_str!("schemathesis/schemathesis.toml");

/// The program, which `scripts/test` installs.
fn schemathesis() -> PathBuf {
    let path = std::env::var_os("BERTH_SCHEMATHESIS");
    path.expect("BERTH_SCHEMATHESIS is the path of schemathesis' st: scripts/test installs it")
        .into()
}

/// Makes one of each, and says in the settings which they are.
fn settings(daemon: &Daemon<'_>) -> String {
    daemon.ok(["project", "create", "fuzzed"]);
    daemon.ok([
        "keypair",
        "create",
        "laptop",
        "--out",
        daemon.host().dir().join("laptop").to_str().unwrap(),
    ]);
    daemon.ok(["vpc", "create", "shop"]);
    daemon.ok(["subnet", "create", "front", "--vpc", "shop", "--cidr", "10.9.0.0/24"]);
    daemon.ok(["security-group", "create", "web", "--vpc", "shop"]);
    daemon.ok(["port", "create", "--name", "spare", "--subnet", "shop/front"]);
    daemon.ok(["volume", "create", "data", "--size", "1"]);
    daemon.ok(["instance", "create", "web", "--image", "tiny", "--type", "t1.nano"]);
    let made = [
        ("instance", "web"),
        ("volume", "data"),
        ("image", "tiny"),
        ("vpc", "shop"),
        ("subnet", "shop/front"),
        ("security-group", "shop/web"),
        ("port", "spare"),
    ];
    let id = |shown: &Value| shown["id"].as_str().unwrap().to_owned();
    let operation = id(&daemon.json(["operation", "list"])[0]);
    let settings = SETTINGS.replace("@operation@", &operation);
    made.iter().fold(settings, |settings, (kind, name)| {
        let mark = format!("@{}@", kind.trim_start_matches("security-"));
        settings.replace(&mark, &id(&daemon.json([kind, "show", name])))
    })
}

/// The daemon's document without `fields`: with it an answer is a part of what the document says. `tests/system/lists.rs` has
/// it.
fn document(daemon: &Daemon<'_>) -> Value {
    let mut document = daemon.caller().get("/v1/openapi.json").ok();
    let paths = document["paths"].as_object_mut().unwrap().values_mut();
    for operation in paths.flat_map(|item| item.as_object_mut().unwrap().values_mut()) {
        if let Some(parameters) = operation.get_mut("parameters").and_then(Value::as_array_mut) {
            parameters.retain(|parameter| parameter["name"] != "fields");
        }
    }
    document
}

#[test]
fn needs_schemathesis_what_the_document_says_is_so() {
    let host = Host::new(Libvirt::Started);
    let authority = Authority::new(&host, "ca");
    let daemon = Daemon::start_with(
        &host,
        Options {
            tiny: true,
            config: authority.config(),
            ..Options::default()
        },
    );
    let file = host.dir().join("schemathesis.toml");
    fs::write(&file, settings(&daemon)).unwrap();
    let told_of = host.dir().join("openapi.json");
    fs::write(&told_of, document(&daemon).to_string()).unwrap();
    let token = host.dir().join("token");
    daemon.ok([
        "token",
        "create",
        "fuzz",
        "--operator",
        "--out",
        token.to_str().unwrap(),
    ]);
    let token = fs::read_to_string(token).unwrap();
    let mut command = host.command(schemathesis());
    command.arg("--config-file").arg(&file).arg("run").arg(&told_of);
    command.args(["--url", URL, "--tls-verify", &authority.ca()]);
    command.args([
        "--header",
        &format!("Authorization: Bearer {}", token.trim()),
        "--warnings",
        "off",
    ]);
    let output = command.current_dir(host.dir()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let summary = told.find("= SUMMARY =").map_or(&*told, |at| &told[at..]);
    println!("{summary}");
    assert!(
        output.status.success(),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!daemon.log().contains("panicked"), "{}", daemon.log());
    daemon.ok(["host", "check"]);
}
