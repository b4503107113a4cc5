//! `berth instance why` and `berth instance states`: what happened is told in full, and the table is the model's.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use berth_model::{Fallback, From, InstanceState, Landing, TABLE};
use berth_testkit::{Daemon, Guest, Host, Libvirt, Options};
use serde_json::{Value, json};

use crate::crash::rests;
use crate::guest::becomes;

fn create(daemon: &Daemon<'_>) -> String {
    daemon.create("web");
    let shown = daemon.json(["instance", "show", "web"]);
    shown["id"].as_str().unwrap().to_owned()
}

/// Whether the lines are in the text, in that order and each in a line of its own; a line is some words in their order.
fn assert_told(text: &str, lines: &[&[&str]]) {
    let mut told = text.lines();
    for words in lines {
        let found = told.any(|line| {
            let mut rest = line;
            words.iter().all(|word| match rest.split_once(word) {
                Some((_, after)) => {
                    rest = after;
                    true
                }
                None => false,
            })
        });
        assert!(found, "{words:?} is not told, or not in this order:\n{text}");
    }
}

/// The entries of that kind.
fn of_kind<'a>(history: &'a Value, kind: &str) -> Vec<&'a Value> {
    let entries = history.as_array().unwrap().iter();
    entries.filter(|entry| entry["kind"] == kind).collect()
}

/// What the daemon answers to a plain request.
fn get(daemon: &Daemon<'_>, path: &str) -> Value {
    let mut socket = UnixStream::connect(daemon.socket()).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: berth\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{answer}: {error}"))
}

/// A history read an operation at a time.
fn page_by_page(daemon: &Daemon<'_>, id: &str) -> Vec<Vec<Value>> {
    let (mut pages, mut after) = (Vec::new(), String::new());
    loop {
        let page = get(daemon, &format!("/v1/instances/{id}/history?limit=1{after}"));
        pages.push(page["items"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return pages,
        }
    }
}

#[test]
fn a_life_is_told_with_its_steps_and_with_what_libvirt_said_also_when_it_is_over() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let id = create(&daemon);
    Guest::of(&daemon, "web").wait_for_boot(1);
    daemon.ok(["instance", "stop", "web"]);
    daemon.ok(["instance", "start", "web"]);
    host.virsh(["destroy", &id]);
    becomes(&daemon, "web", "Stopped");
    daemon.ok(["instance", "delete", "web"]);

    let (problem, exit) = daemon.refuses(["instance", "why", "web"]);
    assert_eq!((problem["code"].as_str(), exit), (Some("not_found"), 3), "it is gone");
    let (problem, _) = daemon.refuses(["instance", "why", "0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b11"]);
    assert_eq!(problem["code"], "not_found", "there never was one of that id");
    let text = daemon.ok(["instance", "why", &id]);
    assert_told(
        &text,
        &[
            &["  create asked for by local:root"],
            &["Building", "done in"],
            &["Scheduling", "done in"],
            &["Block_device_mapping", "done in"],
            &["Networking", "done in"],
            &["Spawning", "done in"],
            &["Starting", "done in"],
            &["  create succeeded in", "; the instance is Active"],
            &["  stop asked for by local:root"],
            &["Powering-off", "done in"],
            &["  stop succeeded in", "; the instance is Stopped"],
            &["  start succeeded in", "; the instance is Active"],
            &[
                "  the plug was pulled outside of Berth; libvirt: ",
                "; the instance is Stopped",
            ],
            &["  delete succeeded in", "; the instance is gone"],
        ],
    );

    for reported in ["started", "resumed", "shutdown finished", "stopped (shutdown)"] {
        assert!(text.contains(&format!("libvirt: {reported}\n")), "{reported}: {text}");
    }

    let history = daemon.json(["instance", "why", &id]);
    let moments: Vec<_> = history.as_array().unwrap().iter().map(|entry| &entry["at"]).collect();
    assert!(moments.is_sorted_by_key(|at| at.as_str()), "{moments:?}");
    let outcomes: Vec<_> = of_kind(&history, "ended")
        .iter()
        .map(|entry| (entry["action"].as_str().unwrap(), entry["outcome"].as_str().unwrap()))
        .collect();
    let succeeded = ["create", "stop", "start", "delete"].map(|action| (action, "succeeded"));
    assert_eq!(outcomes, succeeded);
    let pages = page_by_page(&daemon, &id);
    assert_eq!(pages.len(), outcomes.len(), "a page an operation");
    assert_eq!(
        json!(pages.concat()),
        history,
        "pages leave nothing out and tell nothing twice"
    );
    let step = of_kind(&history, "step")[0];
    assert_eq!((&step["state"], &step["attempt"]), (&json!("Building"), &json!(1)));
    assert!(step["took_micros"].is_u64() && step["operation"].is_string(), "{step}");
    let adopted = of_kind(&history, "adopted");
    assert_eq!(adopted.len(), 1, "{adopted:?}");
    assert_eq!(
        (&adopted[0]["guest"], &adopted[0]["state"]),
        (&json!("guest.stopped"), &json!("Stopped"))
    );
    // QEMU says that it goes down before it is down: whichever of the two was looked into first.
    let event = adopted[0]["event"].as_str();
    assert!(
        matches!(event, Some("shutdown finished" | "stopped (destroyed)")),
        "{event:?}"
    );
}

#[test]
fn a_daemon_that_died_in_a_create_says_that_it_went_on() {
    let host = Host::new(Libvirt::Started);
    let mut daemon = Daemon::start(&host);
    daemon.faults(&["create Networking after die"]);
    let mut create = daemon.berth(["instance", "create", "web", "--image", "tiny", "--type", "t1.nano"]);
    let mut create = create.spawn().unwrap();
    daemon.wait_until_it_dies();
    create.wait().unwrap();
    daemon.faults(&[]);
    daemon.start_again();
    assert_eq!(rests(&daemon, "web").as_deref(), Some("Active"));
    assert_told(
        &daemon.ok(["instance", "why", "web"]),
        &[
            &["  create asked for by local:root"],
            &["Block_device_mapping", "done in"],
            &["Networking", "the daemon started again and goes on with Networking"],
            &["Networking", "done in"],
            &["Starting", "done in"],
            &["  create succeeded in", "; the instance is Active"],
        ],
    );
}

#[test]
fn a_soft_reboot_that_became_a_hard_one_says_why() {
    let host = Host::new(Libvirt::Started);
    let options = Options {
        config: "reboot_grace = 1\n".to_owned(),
        tiny: true,
        ..Options::default()
    };
    let daemon = Daemon::start_with(&host, options);
    create(&daemon);
    // The guest has not booted far enough to hear that it is asked.
    daemon.ok(["instance", "reboot", "web"]);
    let text = daemon.ok(["instance", "why", "web"]);
    assert!(text.contains("libvirt: stopped (destroyed)\n"), "{text}");
    assert_told(
        &text,
        &[
            &["  soft_reboot asked for by local:root"],
            &["Rebooting ", "done in"],
            &[
                "Reboot_started",
                "failed after 1.",
                "the guest did not reboot within 1 s",
                "(deadline_exceeded)",
            ],
            &["  goes on as hard_reboot"],
            &["Rebooting_started_hard", "done in"],
            &["  hard_reboot succeeded in", "; the instance is Active"],
        ],
    );
}

#[test]
fn what_libvirt_refused_is_told_in_its_own_words() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    create(&daemon);
    daemon.ok(["instance", "stop", "web", "--force"]);
    let image = daemon.json(["image", "show", "tiny"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let file = daemon.state_dir().join("images").join(format!("{image}.qcow2"));
    let aside = file.with_extension("aside");
    std::fs::rename(&file, &aside).unwrap();
    daemon.refuses(["instance", "start", "web"]);
    assert_told(
        &daemon.ok(["instance", "why", "web"]),
        &[
            &["  start asked for by local:root"],
            &[
                "Powering-on",
                "failed after",
                "No such file or directory",
                "(libvirt error ",
                "(hypervisor_error)",
            ],
            &["Powering-on", "undone in"],
            &["Powering-on", "fell back to Stopped"],
            &["  start failed after", "; the instance is Stopped"],
        ],
    );
    std::fs::rename(aside, file).unwrap();
}

#[test]
fn the_states_and_the_actions_are_those_of_the_model() {
    let host = Host::new(Libvirt::Absent);
    let daemon = Daemon::start_with(&host, Options::default());
    let shown = daemon.json(["instance", "states"]);
    let (states, actions) = (
        shown["states"].as_array().unwrap(),
        shown["actions"].as_array().unwrap(),
    );
    assert_eq!((states.len(), actions.len()), (26, 11));
    for (shown, state) in states.iter().zip(InstanceState::ALL) {
        assert_eq!(
            (&shown["state"], &shown["billed"]),
            (&json!(state.as_str()), &json!(state.billed()))
        );
    }
    for (shown, row) in actions.iter().zip(TABLE) {
        assert_eq!(shown["action"], row.action.as_str());
        let begins = match row.from {
            From::Nothing => "nothing",
            From::At(_) => "at_rest",
            From::Anything => "anything",
        };
        assert_eq!(shown["begins"], begins, "{}", row.action);
        assert_eq!(shown["allowed_from"], json!(row.from.stables()), "{}", row.action);
        let steps = row.steps.iter().map(|step| {
            let after_crash = match step.after_crash {
                berth_model::AfterCrash::GoOn => "go_on",
                berth_model::AfterCrash::RollBack => "roll_back",
            };
            json!({ "state": step.state, "billed": step.state.billed(), "after_crash": after_crash })
        });
        assert_eq!(shown["steps"], json!(steps.collect::<Vec<_>>()), "{}", row.action);
        assert_eq!(shown["lands"] == "gone", row.lands == Landing::Gone, "{}", row.action);
        let becomes = match row.on_failure {
            Fallback::Becomes(other) => Some(other.as_str()),
            Fallback::Error | Fallback::Origin | Fallback::AsFound => None,
        };
        assert_eq!(shown["becomes"].as_str(), becomes, "{}", row.action);
    }
    let text = daemon.ok(["instance", "states"]);
    assert_told(
        &text,
        &[
            &["Rebooting_started_hard", "yes", "hard_reboot"],
            &["delete", "any state", "gone", "Error"],
            &["resize", "2", "Resize_migrating", "no", "rolls back"],
        ],
    );
}
