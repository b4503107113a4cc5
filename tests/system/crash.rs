//! `kill -9` at random moments: afterwards the instance is Active or gone, and nothing is left over.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::{Duration, Instant};

use berth_testkit::{Daemon, Host, Libvirt};

const ROUNDS: u32 = 20;

/// How long an undisturbed create or delete takes here, and a little more: kills come at any moment of it.
const WINDOW_MILLIS: u64 = 900;

fn random_moment() -> Duration {
    let random = RandomState::new().build_hasher().finish();
    Duration::from_millis(random % WINDOW_MILLIS)
}

/// Waits until the instance rests: its state, or none if it is gone.
pub(crate) fn rests(daemon: &Daemon<'_>, name: &str) -> Option<String> {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let listed = daemon.json(["instance", "list"]);
        let found = listed
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["name"] == name)
            .cloned();
        let instance = found?;
        if instance.get("operation").is_none() {
            return instance["state"].as_str().map(str::to_owned);
        }
        assert!(Instant::now() < deadline, "{name} is stranded: {instance}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn killed_in_create_and_in_delete_twenty_times_nothing_is_lost_or_left() {
    let host = Host::new(Libvirt::Started);
    let mut daemon = Daemon::start(&host);
    daemon.create("first");
    daemon.ok(["instance", "delete", "first"]);
    let before = daemon.inventory();

    let (mut in_create, mut in_delete) = (0, 0);
    for round in 0..ROUNDS {
        let name = format!("web{round}");
        let mut create = daemon
            .berth([
                "instance",
                "create",
                &name,
                "--image",
                "tiny",
                "--type",
                "t1.nano",
                "--no-wait",
            ])
            .spawn()
            .unwrap();
        let moment = random_moment();
        std::thread::sleep(moment);
        daemon.kill();
        let _ = create.wait();
        daemon.start_again();
        match rests(&daemon, &name).as_deref() {
            // Killed before the request was written down: there is no such instance, and nothing of it.
            None => {
                assert_eq!(daemon.inventory(), before, "round {round}: left over after {moment:?}");
                continue;
            }
            Some("Active") => {}
            Some(other) => panic!("round {round}: killed after {moment:?}, the instance is {other}"),
        }
        in_create += 1;
        let id = daemon.id(&name);
        assert_eq!(host.virsh(["domstate", &id]), "running", "round {round}");

        daemon.ok(["instance", "delete", &name, "--no-wait"]);
        std::thread::sleep(random_moment());
        daemon.kill();
        daemon.start_again();
        assert_eq!(
            rests(&daemon, &name),
            None,
            "round {round}: delete was accepted and the instance is there"
        );
        assert_eq!(daemon.inventory(), before, "round {round}: left over after delete");
        in_delete += 1;
    }
    println!("killed {in_create} times after a create was accepted, {in_delete} times after a delete was");
    assert!(in_delete > 0, "no create was ever accepted before the kill");
}
