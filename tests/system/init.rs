//! `berth init`: a host is set up by flags, and by answers.

use std::fs;
use std::process::Command;

use berth_testkit::{Daemon, Host, Libvirt, Options, Terminal, program, tiny_image};

/// `berth init` on a host, with a configuration of its own.
fn init(host: &Host, more: &[&str]) -> Command {
    let mut command = host.command(program("berth"));
    command.arg("--socket").arg(host.dir().join("berth.sock"));
    command
        .arg("init")
        .arg("--config")
        .arg(host.dir().join("etc/berthd.toml"));
    command.arg("--no-start").args(more);
    command
}

fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn a_host_is_set_up_by_flags_and_again_without_any_change() {
    let host = Host::new(Libvirt::Started);
    let config = host.dir().join("etc/berthd.toml");
    let state = host.dir().join("state");
    let state = state.to_str().unwrap();
    let pool = ["--public-ip-range", "203.0.113.16/28", "--public-ip-pool", "office"];
    let flags = [
        &[
            "--yes",
            "--state-dir",
            state,
            "--subnet",
            "10.9.0.0/20",
            "--admin",
            "cert:ops",
        ],
        &pool[..],
    ]
    .concat();

    // Nobody to ask: it says what is missing. A dry run shows what would be, and changes nothing.
    let output = init(&host, &["--state-dir", state]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("--yes") && said.contains("--subnet") && !said.contains("--state-dir,"),
        "{said}"
    );
    let shown = succeeds(&mut init(&host, &[&flags[..], &["--dry-run"]].concat()));
    assert!(
        shown.contains("would be made") && shown.contains("subnet = \"10.9.0.0/20\""),
        "{shown}"
    );
    assert!(!config.exists());

    // What the daemon doesn't take is not put in place.
    let output = init(&host, &["--yes", "--public-ip-range", "everything"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("nothing was changed") && said.contains("everything"),
        "{said}"
    );
    assert!(!config.exists());

    let shown = succeeds(&mut init(&host, &flags));
    assert!(
        shown.contains("This host is set up") && shown.contains("--config"),
        "{shown}"
    );
    let written = fs::read_to_string(&config).unwrap();
    assert!(succeeds(&mut init(&host, &flags)).contains("is as it should be"));
    assert_eq!(fs::read_to_string(&config).unwrap(), written);

    // A file that is there keeps what else is in it, and the old one is kept.
    fs::write(&config, format!("# mine\nstop_grace = 5\n{written}")).unwrap();
    succeeds(&mut init(
        &host,
        &[&flags[..], &["--admin", "oidc:bob@example.com"]].concat(),
    ));
    let changed = fs::read_to_string(&config).unwrap();
    assert!(changed.contains("# mine\nstop_grace = 5") && changed.contains(r#"["cert:ops", "oidc:bob@example.com"]"#));
    assert!(
        fs::read_to_string(config.with_extension("toml.old"))
            .unwrap()
            .contains("# mine")
    );

    the_first_things_are_made_once(&host, changed);
}

fn the_first_things_are_made_once(host: &Host, config: String) {
    let tiny = tiny_image();
    let key = host.dir().join("laptop");
    let first = [
        "--yes",
        "--keypair",
        "laptop",
        "--keypair-out",
        key.to_str().unwrap(),
        "--image",
        tiny.to_str().unwrap(),
    ];
    let output = init(host, &first).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("berthd --config"), "how to start it: {said}");

    let options = Options {
        config,
        ..Options::default()
    };
    let daemon = Daemon::start_with(host, options);
    let shown = succeeds(&mut init(host, &first));
    assert!(
        shown.contains("berth instance create web --image tiny --type t1.nano --key laptop"),
        "{shown}"
    );
    assert!(key.is_file());
    let again = succeeds(&mut init(host, &first));
    assert!(
        again.contains("a key pair 'laptop' already") && again.contains("an image 'tiny' already"),
        "{again}"
    );
    assert!(daemon.ok(["public-ip", "pools"]).contains("office"));
    assert!(daemon.ok(["subnet", "list"]).contains("10.9.0.0/20"));
}

#[test]
fn a_host_is_set_up_by_answers() {
    let host = Host::new(Libvirt::Started);
    let mut terminal = Terminal::run(&init(&host, &[]), (100, 40));
    terminal.wait_for("where is the state kept? [/var/lib/berth] ");
    terminal.types("/srv/berth\r");
    terminal.wait_for("which addresses do instances have? [10.0.0.0/20] ");
    terminal.types("ten\r");
    terminal.wait_for("'ten' is not a range of IPv4 addresses");
    terminal.wait_for("[10.0.0.0/20] ");
    terminal.types("10.7.0.0/20\r");
    terminal.wait_for("public addresses");
    terminal.types("203.0.113.16/28\r");
    terminal.wait_for("which interface");
    terminal.types("\r");
    terminal.wait_for("served over TLS");
    terminal.types("\r");
    terminal.wait_for("who may do everything");
    terminal.types("cert:ops\r");
    terminal.wait_for("first key pair");
    terminal.types("\r");
    terminal.wait_for("first image");
    terminal.types("\r");
    terminal.wait_for("[y/N] ");
    assert!(
        !host.dir().join("etc/berthd.toml").exists(),
        "not before it is confirmed"
    );
    terminal.types("y\r");
    let (code, shown) = terminal.end();
    assert!(code == 0 && shown.contains("This host is set up"), "{code}: {shown}");
    let written = fs::read_to_string(host.dir().join("etc/berthd.toml")).unwrap();
    for line in [
        "state_dir = \"/srv/berth\"",
        "subnet = \"10.7.0.0/20\"",
        "operators = [\"cert:ops\"]",
        "ranges = [\"203.0.113.16/28\"]",
    ] {
        assert!(written.contains(line), "{line}: {written}");
    }
}
