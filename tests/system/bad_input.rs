//! Bad input: one clear message with a stable code, and nothing left behind.

use berth_testkit::{Daemon, Host, Libvirt, Options};

/// Name, image, type and more of a create; the code, exit code and words of its refusal.
type Case<'a> = (&'a str, &'a str, &'a str, &'a [&'a str], &'a str, i32, &'a str);

#[test]
fn bad_requests_are_refused_and_change_nothing() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let before = daemon.inventory();
    let long = "x".repeat(300);
    let large = host.dir().join("large");
    std::fs::write(&large, vec![b'#'; 1 << 20]).unwrap();
    let large = large.to_str().unwrap();

    let create = |name: &str, image: &str, kind: &str, more: &[&str]| {
        let mut command = daemon.berth([
            "-o", "json", "instance", "create", name, "--image", image, "--type", kind,
        ]);
        let output = command.args(more).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let problem: serde_json::Value = stderr.find('{').map_or(serde_json::Value::Null, |at| {
            serde_json::from_str(&stderr[at..]).unwrap()
        });
        let text = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
        (text("code"), text("detail"), output.status.code().unwrap(), stderr)
    };
    let cases: [Case<'_>; 11] = [
        ("web", "nope", "t1.nano", &[], "not_found", 3, "nope"),
        ("web", "tiny", "t9.huge", &[], "not_found", 3, "t9.huge"),
        ("web", "tiny", "t1.nano", &["--key", "nope"], "not_found", 3, "nope"),
        ("a/b", "tiny", "t1.nano", &[], "invalid_argument", 2, "'/'"),
        ("a\nb", "tiny", "t1.nano", &[], "invalid_argument", 2, "'\\n'"),
        (&long, "tiny", "t1.nano", &[], "invalid_argument", 2, "this one has 300"),
        (
            "web",
            "tiny",
            "t1.nano",
            &["--count", "0"],
            "invalid_argument",
            2,
            "0 is not between 1 and 100",
        ),
        (
            "web",
            "tiny",
            "t1.nano",
            &["--count", "10000"],
            "invalid_argument",
            2,
            "10000 is not between 1 and 100",
        ),
        (
            "web",
            "tiny",
            "t1.nano",
            &["--user-data", large],
            "too_large",
            2,
            "16384",
        ),
        ("", "tiny", "t1.nano", &[], "invalid_argument", 2, "this one has 0"),
        ("web", "../../etc/passwd", "t1.nano", &[], "not_found", 3, "passwd"),
    ];
    for (name, image, kind, more, code, exit, says) in cases {
        let (got, detail, status, stderr) = create(name, image, kind, more);
        assert_eq!(
            (got.as_str(), status),
            (code, exit),
            "{name:?} {image} {kind} {more:?}: {stderr}"
        );
        assert!(detail.contains(says), "{detail:?} does not say {says:?}");
    }
    assert_eq!(daemon.json(["instance", "list"]), serde_json::json!([]));
    assert_eq!(daemon.inventory(), before);
}

#[test]
fn a_hostile_image_is_refused() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let before = daemon.inventory();
    let backed = host.dir().join("backed.qcow2");
    let backed = backed.to_str().unwrap();
    host.run(
        "qemu-img",
        [
            "create",
            "-q",
            "-f",
            "qcow2",
            "-F",
            "raw",
            "-b",
            "/etc/shadow",
            "-u",
            backed,
            "1M",
        ],
    );
    let (problem, exit) = daemon.refuses(["image", "import", backed, "--name", "evil"]);
    assert_eq!((problem["code"].as_str(), exit), (Some("invalid_image"), 2));
    assert_eq!(daemon.inventory(), before);
}

#[test]
fn a_state_directory_that_is_full_is_said_and_left_as_it_was() {
    let host = Host::new(Libvirt::Started);
    let state = host.dir().join("state");
    std::fs::create_dir(&state).unwrap();
    host.run(
        "mount",
        ["-t", "tmpfs", "-o", "size=12m", "tmpfs", state.to_str().unwrap()],
    );
    let daemon = Daemon::start_with(&host, Options::default());
    // The state directory of the host is a mount that only the host sees.
    let seen = || {
        host.run(
            "sh",
            [
                "-c",
                "cd $0 && find . -type f -not -name 'berth*' | sort",
                state.to_str().unwrap(),
            ],
        )
    };
    let before = seen();
    let image = berth_testkit::tiny_image();
    let (problem, exit) = daemon.refuses(["image", "import", image.to_str().unwrap(), "--name", "tiny"]);
    assert_eq!(
        (problem["code"].as_str(), problem["status"].as_u64(), exit),
        (Some("storage_full"), Some(507), 6)
    );
    assert_eq!(seen(), before);
    assert_eq!(daemon.json(["image", "list"]), serde_json::json!([]));
}

#[test]
fn a_state_directory_that_cannot_be_written_stops_the_daemon_from_starting() {
    let host = Host::new(Libvirt::Absent);
    let state = host.dir().join("state");
    std::fs::create_dir(&state).unwrap();
    host.run("mount", ["-t", "tmpfs", "-o", "ro", "tmpfs", state.to_str().unwrap()]);
    let output = Daemon::refused(&host, []);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{stderr}");
    assert!(
        stderr.contains("Read-only file system") && stderr.contains("(storage_error)"),
        "{stderr}"
    );
}

#[test]
fn without_libvirtd_the_daemon_serves_and_says_so() {
    let host = Host::new(Libvirt::Absent);
    let daemon = Daemon::start(&host);
    let shown = daemon.json(["host", "show"]);
    assert_eq!(shown["libvirt"]["up"], false);
    let (problem, exit) = daemon.refuses(["instance", "create", "web", "--image", "tiny", "--type", "t1.nano"]);
    assert_eq!((problem["code"].as_str(), exit), (Some("hypervisor_unavailable"), 5));
    assert_eq!(daemon.json(["instance", "list"]), serde_json::json!([]));

    host.start_libvirt();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while daemon.json(["host", "show"])["libvirt"]["up"] != true {
        assert!(
            std::time::Instant::now() < deadline,
            "libvirtd is back and nobody noticed"
        );
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    daemon.create("web");
}

#[test]
fn a_socket_and_a_state_directory_in_use_are_refused() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let said = |output: std::process::Output| {
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (exit, stderr) = said(Daemon::refused(&host, []));
    assert_eq!(exit, Some(8), "{stderr}");
    assert!(
        stderr.contains("socket") && stderr.contains("in use by another berthd"),
        "{stderr}"
    );

    let other = host.dir().join("other.sock");
    let (exit, stderr) = said(Daemon::refused(&host, ["--socket", other.to_str().unwrap()]));
    assert_eq!(exit, Some(8), "{stderr}");
    assert!(
        stderr.contains("state directory") && stderr.contains("in use by another berthd"),
        "{stderr}"
    );
    daemon.ok(["host", "show"]);
}
