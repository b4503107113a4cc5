//! A random walk: whatever is asked in whatever order, with virsh behind our back and the daemon killed in between,
//! the daemon and a model of the action table never disagree, and libvirt agrees with both.
//!
//! A short one is in the suite; `scripts/soak N` walks N steps. The seed is printed, and `BERTH_WALK_SEED` repeats it.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::{Duration, Instant};

use berth_model::{Action, Landing, Stable, Standing};
use berth_testkit::{Daemon, Host, Libvirt, Options};

use crate::crash::rests;

const STEPS: u32 = 40;
const NAMES: [&str; 3] = ["ann", "bob", "eve"];

/// Two types that can be resized to each other, and guests that are given a second to shut down.
const CONFIG: &str = r#"
stop_grace = 1
reboot_grace = 1
[[types]]
name = "w.small"
vcpus = 1
memory = 128
storage = 1
nics = 1
bandwidth = 100
price_per_hour = "0.1"
[[types]]
name = "w.large"
vcpus = 1
memory = 160
storage = 1
nics = 1
bandwidth = 100
price_per_hour = "0.2"
"#;

/// xorshift64* (Vigna, 2016): small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % bound
    }
}

/// An instance as the model has it.
#[derive(Debug, Clone, Copy)]
struct Known {
    stable: Stable,
    large: bool,
    /// What a resize came from.
    before_resize: Stable,
}

struct Walk<'a> {
    daemon: Daemon<'a>,
    random: Random,
    known: BTreeMap<&'static str, Known>,
    told: Vec<String>,
}

impl Walk<'_> {
    fn step(&mut self) {
        let name = NAMES[self.random.below(NAMES.len())];
        match self.random.below(12) {
            0 => self.destroy(name),
            1 => self.restart(),
            choice => {
                let action = Action::ALL[self.random.below(Action::ALL.len())];
                self.ask(name, action, choice == 2);
            }
        }
        self.check();
    }

    fn tell(&mut self, what: String) {
        self.told.push(what);
    }

    /// Asks for an action; the daemon may be killed in the middle of it.
    fn ask(&mut self, name: &'static str, action: Action, kill: bool) {
        self.tell(format!("{action} {name}{}", if kill { ", killed" } else { "" }));
        let before = self.known.get(name).copied();
        let other = if before.is_some_and(|known| known.large) {
            "w.small"
        } else {
            "w.large"
        };
        let args: &[&str] = match action {
            Action::Create => &["create", name, "--image", "tiny", "--type", "w.small"],
            Action::Start => &["start", name],
            Action::Stop => &["stop", name],
            Action::SoftReboot => &["reboot", name],
            Action::HardReboot => &["reboot", name, "--hard"],
            Action::Shelve => &["shelve", name],
            Action::Unshelve => &["unshelve", name],
            Action::Resize => &["resize", name, "--type", other],
            Action::ConfirmResize => &["resize-confirm", name],
            Action::RevertResize => &["resize-revert", name],
            Action::Delete => &["delete", name],
        };
        let output = self
            .daemon
            .berth(["instance"])
            .args(args)
            .arg("--no-wait")
            .output()
            .unwrap();
        let allowed = match before {
            None => action == Action::Create,
            Some(known) => action.allowed(Standing::Resting(known.stable)),
        };
        assert_eq!(output.status.success(), allowed, "{}", self.story());
        if !allowed {
            return;
        }
        if kill {
            std::thread::sleep(Duration::from_millis(u64::try_from(self.random.below(600)).unwrap()));
            self.daemon.kill();
            self.daemon.start_again();
        }
        let ends = rests(&self.daemon, name);
        self.land(name, action, before, ends.as_deref());
    }

    /// Compares where an instance came to rest with where the table lets it, and remembers it.
    fn land(&mut self, name: &'static str, action: Action, before: Option<Known>, ends: Option<&str>) {
        let landing = match action.row().lands {
            Landing::In(stable) => Some(stable),
            Landing::BeforeResize => before.map(|known| known.before_resize),
            Landing::Gone => None,
        };
        let from = before.map(|known| known.stable);
        // A guest that hasn't booted doesn't hear its power button, and a crash before the change is rolled back.
        let may_fall_back = matches!(action, Action::Shelve | Action::Resize);
        let says = |stable: Option<Stable>| stable.map(|stable| stable.state().as_str());
        let landed = ends == says(landing);
        assert!(
            landed || (may_fall_back && ends == says(from)),
            "{ends:?} after {}",
            self.story()
        );
        let Some(stable) = (if landed { landing } else { from }) else {
            self.known.remove(name);
            return;
        };
        let mut known = before.unwrap_or(Known {
            stable,
            large: false,
            before_resize: stable,
        });
        match action {
            Action::Resize if landed => {
                known.before_resize = known.stable;
                known.large = !known.large;
            }
            Action::RevertResize => known.large = !known.large,
            _ => {}
        }
        self.known.insert(name, Known { stable, ..known });
        if !landed && stable == Stable::Active {
            // Its button was pressed, which can't be taken back: sooner or later it hears it.
            self.destroy(name);
        }
    }

    /// Somebody pulls the plug behind our back.
    fn destroy(&mut self, name: &'static str) {
        let Some(known) = self.known.get(name).copied() else {
            return;
        };
        self.tell(format!("virsh destroy {name}"));
        let id = self.daemon.id(name);
        self.daemon.host().virsh(["destroy", &id]);
        match known.stable {
            Stable::Active => {
                crate::guest::becomes(&self.daemon, name, "Stopped");
                self.known.insert(
                    name,
                    Known {
                        stable: Stable::Stopped,
                        ..known
                    },
                );
            }
            // A resized guest that was on is off now, and confirmed or reverted all the same; where it lands then is
            // what it came from, and what is off is adopted.
            Stable::Resized if known.before_resize == Stable::Active => {
                self.ask(name, Action::RevertResize, false);
            }
            Stable::Resized | Stable::Stopped | Stable::ShelvedOffloaded | Stable::Error => {}
        }
    }

    fn restart(&mut self) {
        self.tell("kill -9".to_owned());
        self.daemon.kill();
        self.daemon.start_again();
    }

    /// The daemon, the model and libvirt agree on every instance.
    fn check(&self) {
        let listed = self.daemon.json(["instance", "list"]);
        let listed = listed.as_array().unwrap();
        assert_eq!(listed.len(), self.known.len(), "{}", self.story());
        for instance in listed {
            let known = self.known[instance["name"].as_str().unwrap()];
            let kind = if known.large { "w.large" } else { "w.small" };
            assert_eq!(instance["state"], known.stable.state().as_str(), "{}", self.story());
            assert_eq!(instance["type"], kind, "{}", self.story());
            let domain = self.daemon.host().virsh(["domstate", instance["id"].as_str().unwrap()]);
            let expected = match known.stable {
                Stable::Active => "running",
                Stable::Resized if known.before_resize == Stable::Active => "running",
                Stable::Stopped | Stable::Resized => "shut off",
                Stable::ShelvedOffloaded | Stable::Error => "",
            };
            assert_eq!(domain, expected, "{instance}: {}", self.story());
        }
    }

    fn story(&self) -> String {
        self.told.join("\n")
    }
}

fn from_environment(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn the_daemon_and_the_model_never_disagree() {
    let seed = from_environment("BERTH_WALK_SEED")
        .unwrap_or_else(|| std::collections::hash_map::RandomState::new().build_hasher().finish() | 1);
    let steps = from_environment("BERTH_WALK_STEPS").unwrap_or(u64::from(STEPS));
    println!("BERTH_WALK_SEED={seed}");
    let host = Host::new(Libvirt::Started);
    let options = Options {
        config: CONFIG.to_owned(),
        tiny: true,
        ..Options::default()
    };
    let daemon = Daemon::start_with(&host, options);
    daemon.ok(["instance", "create", "first", "--image", "tiny", "--type", "w.small"]);
    daemon.ok(["instance", "delete", "first"]);
    let before = daemon.inventory();
    let mut walk = Walk {
        daemon,
        random: Random(seed),
        known: BTreeMap::new(),
        told: vec![format!("BERTH_WALK_SEED={seed}")],
    };
    let begun = Instant::now();
    for _ in 0..steps {
        walk.step();
    }
    println!("{steps} steps in {:?}", begun.elapsed());
    let names: Vec<_> = walk.known.keys().copied().collect();
    for name in names {
        walk.daemon.ok(["instance", "delete", name]);
    }
    assert_eq!(walk.daemon.inventory(), before, "{}", walk.story());
    assert!(walk.daemon.terminate().success());
    crate::usage::assert_whole(&walk.daemon);
}
