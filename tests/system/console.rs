//! The serial console and its log.

use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

use berth_testkit::{Daemon, Guest, Host, Libvirt};

#[test]
fn the_console_takes_a_login_and_its_log_keeps_what_was_said() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    daemon.create("web");
    let guest = Guest::of(&daemon, "web");
    guest.wait_for_boot(1);
    guest.wait_for("login:", 1);

    let mut berth = daemon
        .berth(["instance", "console", "web"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = berth.stdin.take().unwrap();
    let mut stdout = berth.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut said = Vec::new();
        let _ = stdout.read_to_end(&mut said);
        String::from_utf8_lossy(&said).into_owned()
    });
    stdin.write_all(b"\n").unwrap();
    std::thread::sleep(Duration::from_millis(500));
    stdin.write_all(b"root\n").unwrap();
    guest.wait_for("Password:", 1);
    stdin.write_all(b"tiny\n").unwrap();
    std::thread::sleep(Duration::from_secs(1));
    stdin.write_all(b"echo sum=$((40+2))\n").unwrap();
    guest.wait_for("sum=42", 1);
    // Ctrl-] leaves.
    stdin.write_all(&[0x1d]).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while berth.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "Ctrl-] does not leave the console");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(reader.join().unwrap().contains("sum=42"));
    assert!(
        daemon
            .ok(["instance", "console", "web", "--log", "--lines", "5"])
            .lines()
            .count()
            <= 5
    );
}

#[test]
fn the_console_log_is_capped() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let script = host.dir().join("user-data");
    std::fs::write(&script, "#!/bin/sh\nyes 0123456789012345678901234567890123456789 | head -c 600000 > /dev/ttyS0\necho THE-END > /dev/ttyS0\n")
        .unwrap();
    daemon.ok([
        "instance",
        "create",
        "web",
        "--image",
        "tiny",
        "--type",
        "t1.nano",
        "--user-data",
        script.to_str().unwrap(),
    ]);
    Guest::of(&daemon, "web").wait_for("THE-END", 1);
    let id = daemon.id("web");
    let kept: u64 = std::fs::read_dir(daemon.state_dir().join("instances").join(id))
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("console.log"))
        .map(|entry| entry.metadata().unwrap().len())
        .sum();
    // The host's virtlogd keeps one file of 64 KiB and three older ones.
    assert!(kept <= 4 * 65_536 + 4096, "{kept} bytes of console log are kept");
}
