//! The command line as scripts use it: formats, exit codes, errors that say what to do next, several things at once.

use std::process::{Command, Output};

use berth_testkit::{Daemon, Host, Libvirt, Options, program};

/// A command's exit code and what it said on stderr.
fn said(command: &mut Command) -> (i32, String) {
    let Output { status, stderr, .. } = command.output().unwrap();
    (
        status.code().unwrap_or(-1),
        String::from_utf8_lossy(&stderr).into_owned(),
    )
}

#[test]
fn a_script_gets_names_stable_exit_codes_and_is_told_what_to_do_next() {
    let host = Host::new(Libvirt::Absent);
    let daemon = Daemon::start_with(&host, Options::default());

    // -o name: what is made, shown and listed, as every command takes it back.
    assert_eq!(daemon.ok(["-o", "name", "vpc", "create", "lab"]), "lab\n");
    assert_eq!(daemon.ok(["-o", "name", "vpc", "create", "spare"]), "spare\n");
    assert_eq!(daemon.ok(["-o", "name", "vpc", "show", "lab"]), "lab\n");
    assert_eq!(daemon.ok(["-o", "name", "vpc", "list"]), "default\nlab\nspare\n");
    daemon.ok(["subnet", "create", "front", "--vpc", "lab", "--cidr", "10.1.0.0/24"]);
    let port = daemon.ok(["-o", "name", "port", "create", "--subnet", "lab/front"]);
    let ports = daemon.json(["port", "list"]);
    assert_eq!(Some(port.trim()), ports[0]["id"].as_str(), "its id, for it has no name");
    let (code, error) = said(&mut daemon.berth(["-o", "name", "quota", "show"]));
    assert!(code == 2 && error.contains("use json or yaml"), "{error}");
    let (code, error) = said(&mut daemon.berth(["-o", "csv", "vpc", "list"]));
    assert!(code == 2 && error.contains("berth usage"), "{error}");

    // Through a pipe nothing has a colour, nothing moves; unless it is asked for.
    let shown = daemon.ok(["port", "list"]);
    assert!(!shown.contains('\u{1b}') && shown.contains(port.trim()), "{shown}");
    let mut forced = daemon.berth(["port", "list"]);
    let shown = forced.env("CLICOLOR_FORCE", "1").output().unwrap().stdout;
    assert!(shown.contains(&0x1b), "{}", String::from_utf8_lossy(&shown));

    // A name that nothing has: what may have been meant, and where to look.
    let (code, error) = said(&mut daemon.berth(["vpc", "show", "lba"]));
    assert_eq!(
        (code, error.as_str()),
        (
            3,
            "error: there is no VPC 'lba'\n  did you mean 'lab'?\n  'berth vpc list' shows what there is\n"
        )
    );
    let (_, error) = said(&mut daemon.berth(["subnet", "show", "lab/fornt"]));
    assert!(error.contains("did you mean 'lab/front'?"), "{error}");
    let (_, error) = said(&mut daemon.berth(["instanc", "list"]));
    assert!(error.contains("'instance'"), "{error}");

    exit_codes(&host, &daemon);

    // Of several all are tried; the first error is what it exits with.
    let (code, error) = said(&mut daemon.berth(["vpc", "delete", "spare", "nobody", "lab"]));
    assert_eq!(code, 3, "{error}");
    assert!(
        error.contains("there is no VPC 'nobody'") && error.contains("in use by subnet"),
        "{error}"
    );
    assert_eq!(daemon.ok(["-o", "name", "vpc", "list"]), "default\nlab\n");

    // A file by stdin: an image, a key.
    let mut import = daemon.berth(["-o", "name", "image", "import", "-", "--name", "piped"]);
    let image = std::fs::File::open(berth_testkit::tiny_image()).unwrap();
    let imported = import.stdin(image).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&imported.stdout), "piped\n");
    let mut import = daemon.berth(["-o", "name", "keypair", "import", "laptop", "-"]);
    let key = host.dir().join("key");
    host.run(
        "ssh-keygen",
        ["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()],
    );
    let public = std::fs::File::open(key.with_extension("pub")).unwrap();
    let imported = import.stdin(public).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&imported.stdout), "laptop\n");
}

/// What scripts may count on, besides what other tests hold the rest of the table against.
fn exit_codes(host: &Host, daemon: &Daemon<'_>) {
    let (code, error) = said(&mut daemon.berth(["vpc", "create", "lab"]));
    assert_eq!(code, 4, "{error}");
    let (code, _) = said(&mut daemon.berth(["vpc", "create", "not a name"]));
    assert_eq!(code, 2);
    let (code, error) = said(daemon.berth(["vpc", "list"]).env("BERTH_TOKEN", "berth_no_token"));
    assert!(code == 9 && error.contains("BERTH_TOKEN"), "{code}: {error}");
    daemon.ok(["quota", "set", "default", "vpcs=2"]);
    let (code, error) = said(&mut daemon.berth(["vpc", "create", "more"]));
    assert!(code == 4 && error.contains("berth quota show"), "{code}: {error}");

    // Nobody there, and somebody who may not.
    let (code, error) = said(Command::new(program("berth")).args(["--socket", "/nowhere/berth.sock", "vpc", "list"]));
    assert!(code == 5 && error.contains("systemctl start berthd"), "{code}: {error}");
    let stale = host.dir().join("stale.sock");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    let (code, error) = said(
        Command::new(program("berth"))
            .arg("--socket")
            .arg(&stale)
            .args(["vpc", "list"]),
    );
    assert!(code == 5 && error.contains("journalctl -u berthd"), "{code}: {error}");
}

#[test]
fn a_shell_completes_the_names_that_there_are() {
    let host = Host::new(Libvirt::Absent);
    let daemon = Daemon::start_with(&host, Options::default());
    daemon.ok(["vpc", "create", "lab"]);
    daemon.ok(["vpc", "create", "long-name"]);
    daemon.ok(["subnet", "create", "front", "--vpc", "lab", "--cidr", "10.1.0.0/24"]);
    let socket = daemon.socket().display().to_string();

    let of = |words: &[&str]| complete(&["--socket", &socket], words);
    assert_eq!(of(&["vpc", "show", ""]).join(" "), "default lab long-name");
    assert_eq!(of(&["vpc", "show", "lo"]), ["long-name"]);
    assert_eq!(of(&["vpc", "sho"]), ["show"]);
    assert_eq!(of(&["subnet", "delete", "la"]), ["lab/front"]);
    assert!(of(&["instance", "create", "web", "--type", "t1."]).contains(&"t1.nano".to_owned()));
    assert_eq!(of(&["instance", "stop", ""]), Vec::<String>::new());
    assert!(of(&["context", "use", ""]).contains(&"local".to_owned()));
    daemon.ok(["member", "add", "default", "local:alice", "cert:ci"]);
    assert_eq!(of(&["member", "remove", "default", "cert"]), ["cert:ci"]);

    // A daemon that is away completes nothing, and says nothing.
    let away = complete(&["--socket", "/nowhere"], &["vpc", "show", ""]);
    assert_eq!(away, Vec::<String>::new());
}

/// What bash offers for the last word, by what `berth completions bash` has told it.
pub(crate) fn complete(daemon: &[&str], words: &[&str]) -> Vec<String> {
    let words: Vec<_> = ["berth"].iter().chain(daemon).chain(words).collect();
    let script = r#"
        source <(berth completions bash)
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=9
        _clap_complete_berth berth "${COMP_WORDS[COMP_CWORD]}" ""
        (IFS=$'\013'; printf '%s\n' ${COMPREPLY[@]})
    "#;
    let programs = program("berth").parent().unwrap().display().to_string();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
    let mut bash = Command::new("bash");
    let bash = bash
        .args(["--norc", "-c", script, "bash"])
        .args(words)
        .env("PATH", path);
    let Output { stdout, stderr, .. } = bash.output().unwrap();
    assert!(stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
    let said = String::from_utf8_lossy(&stdout).into_owned();
    said.lines()
        .map(str::trim)
        .filter(|word| !word.is_empty() && !word.starts_with('-'))
        .map(str::to_owned)
        .collect()
}
