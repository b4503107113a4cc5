//! `crates/berthd/docs/operations.md` is true: its procedures are read from the page and done, and nothing is lost.

use std::path::Path;
use std::time::{Duration, Instant};

use berth_testkit::{Daemon, Guest, Host, Key, Libvirt, program};
use serde_json::Value;

use crate::guest::becomes;
use crate::vpc::create;

const PAGE: &str = include_str!("../../crates/berthd/docs/operations.md");

/// The families of metrics, as another test holds them.
const FAMILIES: &str =
    include_str!("snapshots/system__metrics__the_families_are_those_that_dashboards_are_built_on.snap");

/// The blocks of commands in the part of that title.
fn blocks(title: &str) -> Vec<Vec<&'static str>> {
    let (_, part) = PAGE.split_once(&format!("### {title}\n")).expect("the part");
    let part = part.split("\n#").next().unwrap_or_default();
    let lines: Vec<_> = part.lines().collect();
    let runs = lines.chunk_by(|one, other| one.starts_with("    ") == other.starts_with("    "));
    let commands = runs.filter(|run| run[0].starts_with("    "));
    commands
        .map(|run| run.iter().map(|line| line.trim()).collect())
        .collect()
}

/// Does what an operator is told to: on this host things are elsewhere, and the daemon is no unit of systemd's.
fn follow(daemon: &mut Daemon<'_>, commands: &[&str]) {
    for command in commands {
        if command.starts_with("systemctl stop ") {
            assert!(daemon.terminate().success(), "{}", daemon.log());
            continue;
        }
        if command.starts_with("systemctl start ") {
            daemon.start_again();
            continue;
        }
        let dir = daemon.host().dir().display().to_string();
        let here = command.replace("/var/lib/berth", &format!("{dir}/state"));
        let here = here
            .replace("/backup", &format!("{dir}/backup"))
            .replace("-C /etc ", &format!("-C {dir}/etc "));
        let berth = program("berth").parent().unwrap().display().to_string();
        let mut shell = daemon.host().command("bash");
        shell.args(["-c", &here]).env("BERTH_SOCKET", daemon.socket());
        shell.env("PATH", format!("{berth}:{}", std::env::var("PATH").unwrap()));
        let output = shell.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {said}");
    }
}

fn place(host: &Host) {
    for dir in ["backup", "etc/berth"] {
        std::fs::create_dir_all(host.dir().join(dir)).unwrap();
    }
}

/// Waits until nothing on the host differs from the records.
fn all_is_well(daemon: &Daemon<'_>) {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let found = daemon.json(["host", "check"])["findings"].clone();
        if found == serde_json::json!([]) {
            return;
        }
        assert!(Instant::now() < deadline, "{found}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_host_that_was_backed_up_and_destroyed_is_restored_with_its_instances() {
    let host = Host::new(Libvirt::Started);
    place(&host);
    let mut daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    let known = {
        let web = create(&daemon, &key, "web", &["--type", "t1.nano"]);
        web.ssh(&key, "echo kept >/root/note; sync");
        daemon.create("db");
        daemon.json(["instance", "show", "web"])
    };
    let [back_up, restore] = &blocks("All of it, with guests at rest")[..] else {
        panic!("{PAGE}")
    };
    follow(&mut daemon, back_up);

    daemon.terminate();
    assert!(Daemon::refused(&host, ["clean"]).status.success());
    assert_eq!(daemon.inventory(), Vec::<String>::new());
    assert!(!daemon.state_dir().exists());
    // There is no daemon to be stopped on a fresh host.
    follow(&mut daemon, &restore[1..]);

    assert_eq!(
        (daemon.state("web"), daemon.state("db")),
        ("Active".to_owned(), "Active".to_owned())
    );
    let again = daemon.json(["instance", "show", "web"]);
    for field in ["id", "addresses", "root_volume", "created_at"] {
        assert_eq!(again[field], known[field], "{field}");
    }
    assert_eq!(Guest::of(&daemon, "web").ssh(&key, "cat /root/note").trim(), "kept");
    all_is_well(&daemon);
    daemon.ok(["usage", "verify"]);
}

#[test]
fn a_database_that_was_copied_while_all_ran_takes_the_place_of_a_lost_one() {
    let host = Host::new(Libvirt::Started);
    place(&host);
    let mut daemon = Daemon::start(&host);
    daemon.create("web");
    let qemu = host.run("pgrep", ["-f", "qemu-system"]);
    let [copy, restore] = &blocks("The database alone, with everything running")[..] else {
        panic!("{PAGE}")
    };
    follow(&mut daemon, copy);
    let later = daemon.create("later");
    let disk = daemon.disk_file("later");

    follow(&mut daemon, restore);
    // Who ran goes on running; what the copy doesn't know is gone, but for the file that was put aside.
    becomes(&daemon, "web", "Active");
    let deadline = Instant::now() + Duration::from_mins(1);
    while disk.exists() {
        assert!(Instant::now() < deadline, "{}", daemon.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(host.run("pgrep", ["-f", "qemu-system"]), qemu);
    assert!(!host.virsh(["list", "--all", "--name"]).contains(&later));
    let aside = daemon.state_dir().join("volumes.kept").join(disk.file_name().unwrap());
    assert!(aside.exists(), "{}", aside.display());
    all_is_well(&daemon);
    daemon.ok(["usage", "verify"]);
}

#[test]
fn a_volume_is_taken_away_as_a_file_that_stands_by_itself_while_its_guest_runs() {
    let host = Host::new(Libvirt::Started);
    place(&host);
    let mut daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    let web = create(&daemon, &key, "web", &["--type", "t1.nano"]);
    web.ssh(&key, "echo kept >/root/note; sync");
    drop(web);
    let [commands] = &blocks("One volume, while its guest runs")[..] else {
        panic!("{PAGE}")
    };
    follow(&mut daemon, commands);
    let file = host.dir().join("backup/web-monday.qcow2");
    assert!(standing_alone(&host, &file));
    daemon.ok(["image", "import", file.to_str().unwrap(), "--name", "saved"]);
    let more = ["--type", "t1.nano"];
    let mut command = daemon.berth(["instance", "create", "again", "--image", "saved", "--key", "laptop"]);
    assert!(command.args(more).output().unwrap().status.success());
    assert_eq!(Guest::of(&daemon, "again").ssh(&key, "cat /root/note").trim(), "kept");
}

/// Whether a file has no other beneath it.
fn standing_alone(host: &Host, file: &Path) -> bool {
    let info = host.run("qemu-img", ["info", "--output=json", file.to_str().unwrap()]);
    let info: Value = serde_json::from_str(&info).unwrap();
    info["format"] == "qcow2" && info["backing-filename"].is_null()
}

#[test]
fn alerts_are_on_metrics_that_there_are() {
    let families: Vec<_> = FAMILIES.lines().filter_map(|line| line.split(' ').next()).collect();
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    let named = PAGE.split(word).filter(|word| word.starts_with("berth_"));
    let mut count = 0;
    for metric in named {
        let family = ["_bucket", "_count", "_sum"]
            .iter()
            .fold(metric, |name, end| name.strip_suffix(end).unwrap_or(name));
        let known = families.contains(&family) || families.contains(&metric);
        assert!(known || metric == "berth_", "there is no metric '{metric}'");
        count += 1;
    }
    assert!(count > 10, "only {count} metrics are named");
}
