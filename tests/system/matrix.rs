//! The crash matrix: for every action and every step, the daemon is killed before the effect, after it, and after it
//! was written down; and the step fails. Afterwards the instance is where the action table says, libvirt agrees, and
//! once it is deleted nothing is left: no domain, file, tap, namespace, DHCP entry, and no open usage.
//!
//! The cases are made from the table, so that a new action or step is in it without being asked.

use berth_model::{Action, AfterCrash, Fallback, Landing, Position, Stable};
use berth_testkit::{Daemon, Guest, Host, Libvirt, Options};

use crate::crash::rests;

/// What happens at a fault point: the lines of the file, and whether the daemon dies of it.
struct Case {
    faults: Vec<String>,
    dies: bool,
    /// Where the instance is in the end; none if it is gone.
    ends: Option<Stable>,
}

/// The state at rest that the cases of an action begin in; none for create.
fn origin(action: Action) -> Option<Stable> {
    match action {
        Action::Create => None,
        Action::Start => Some(Stable::Stopped),
        Action::Stop | Action::SoftReboot | Action::HardReboot | Action::Shelve | Action::Resize | Action::Delete => {
            Some(Stable::Active)
        }
        Action::Unshelve => Some(Stable::ShelvedOffloaded),
        Action::ConfirmResize | Action::RevertResize => Some(Stable::Resized),
    }
}

/// Where the action lands.
fn landing(action: Action) -> Option<Stable> {
    match action.row().lands {
        Landing::In(stable) => Some(stable),
        // All resizes here come from Active.
        Landing::BeforeResize => Some(Stable::Active),
        Landing::Gone => None,
    }
}

/// Where the action falls back when a step fails before it has done anything.
fn fallback(action: Action) -> Option<Stable> {
    match action.row().on_failure {
        Fallback::Error => Some(Stable::Error),
        Fallback::Origin => origin(action),
        // The guest wasn't touched yet.
        Fallback::AsFound => Some(Stable::Active),
        Fallback::Becomes(other) => landing(other),
    }
}

fn line(position: Position, point: &str, what: &str) -> String {
    format!("{} {} {point} {what}", position.action(), position.state())
}

/// Every case of an action.
fn cases(action: Action) -> Vec<Case> {
    let positions = || (0..action.row().steps.len()).filter_map(|step| Position::at(action, step));
    let mut cases = Vec::new();
    for position in positions() {
        for (point, found_at) in [
            ("before", Some(position)),
            ("after", Some(position)),
            ("committed", position.next()),
        ] {
            let rolled_back = found_at.is_some_and(|found| found.after_crash() == AfterCrash::RollBack);
            cases.push(Case {
                faults: vec![line(position, point, "die")],
                dies: true,
                ends: if rolled_back { fallback(action) } else { landing(action) },
            });
        }
        cases.push(Case {
            faults: vec![line(position, "before", "fail")],
            dies: false,
            ends: fallback(action),
        });
    }
    // The last step has done its work and fails: all of it is undone, and the daemon dies on the way back.
    if action.row().steps.len() > 2 {
        let last = positions().next_back().unwrap();
        for (position, point) in positions().flat_map(|position| [(position, "undo-before"), (position, "undo-after")])
        {
            cases.push(Case {
                faults: vec![line(last, "after", "fail"), line(position, point, "die")],
                dies: true,
                ends: fallback(action),
            });
        }
    }
    cases
}

/// An instance that the action may begin with.
fn arrange(daemon: &Daemon<'_>, action: Action, name: &str) {
    if action == Action::Create {
        return;
    }
    daemon.create(name);
    match action {
        Action::Start => drop(daemon.ok(["instance", "stop", name, "--force"])),
        // A guest that has booted hears its power button.
        Action::SoftReboot | Action::Shelve | Action::Resize => Guest::of(daemon, name).wait_for_boot(1),
        Action::Unshelve => {
            daemon.ok(["instance", "stop", name, "--force"]);
            daemon.ok(["instance", "shelve", name]);
        }
        Action::ConfirmResize | Action::RevertResize => {
            Guest::of(daemon, name).wait_for_boot(1);
            daemon.ok(["instance", "resize", name, "--type", "t1.micro"]);
            Guest::of(daemon, name).wait_for_boot(2);
        }
        Action::Create | Action::Stop | Action::HardReboot | Action::Delete => {}
    }
}

/// Asks for the action; the daemon may die of it before it answers.
fn ask(daemon: &Daemon<'_>, action: Action, name: &str) {
    let args: &[&str] = match action {
        Action::Create => &["create", name, "--image", "tiny", "--type", "t1.nano"],
        Action::Start => &["start", name],
        Action::Stop => &["stop", name, "--timeout", "1"],
        Action::SoftReboot => &["reboot", name],
        Action::HardReboot => &["reboot", name, "--hard"],
        Action::Shelve => &["shelve", name],
        Action::Unshelve => &["unshelve", name],
        Action::Resize => &["resize", name, "--type", "t1.micro"],
        Action::ConfirmResize => &["resize-confirm", name],
        Action::RevertResize => &["resize-revert", name],
        Action::Delete => &["delete", name],
    };
    let mut command = daemon.berth(["instance"]);
    command.args(args).arg("--no-wait").output().unwrap();
}

/// What libvirt says of the domain of an instance that rests there.
fn domain(ends: Option<Stable>) -> Option<&'static str> {
    match ends {
        Some(Stable::Active | Stable::Resized) => Some("running"),
        Some(Stable::Stopped) => Some("shut off"),
        Some(Stable::ShelvedOffloaded) | None => Some(""),
        // In Error it is whatever the failure left it.
        Some(Stable::Error) => None,
    }
}

fn check(daemon: &Daemon<'_>, name: &str, case: &Case, before: &[String]) {
    let told = case.faults.join(", ");
    let ends = rests(daemon, name);
    assert_eq!(
        ends.as_deref(),
        case.ends.map(|stable| stable.state().as_str()),
        "{told}: {}",
        daemon.log()
    );
    let Some(state) = ends else {
        assert_eq!(daemon.inventory(), before, "{told}: something is left");
        return;
    };
    let shown = daemon.json(["instance", "show", name]);
    let id = shown["id"].as_str().unwrap();
    // The lowest one: whatever was given out before is free again.
    assert_eq!(
        shown["addresses"][0]["address"], "10.0.0.2",
        "{told}: an address is lost"
    );
    if let Some(expected) = domain(case.ends) {
        assert_eq!(daemon.host().virsh(["domstate", id]), expected, "{told}: {state}");
    }
    if state == "Error" && told.starts_with("create") {
        assert!(shown["fault"]["message"].is_string(), "{told}: Error without a reason");
        assert_eq!(daemon.inventory(), before, "{told}: what was built is not undone");
    }
    if !case.dies && told.starts_with("resize ") {
        assert_eq!(shown["type"], "t1.nano", "{told}: the type did not come back");
    }
    daemon.ok(["instance", "delete", name]);
    assert_eq!(daemon.inventory(), before, "{told}: something is left after the delete");
}

fn matrix(action: Action) {
    let host = Host::new(Libvirt::Started);
    let mut daemon = Daemon::start_with(
        &host,
        Options {
            config: "stop_grace = 30\nreboot_grace = 30\n".to_owned(),
            tiny: true,
            ..Options::default()
        },
    );
    daemon.create("first");
    daemon.ok(["instance", "delete", "first"]);
    let before = daemon.inventory();
    let cases = cases(action);
    for (number, case) in cases.iter().enumerate() {
        let name = format!("web{number}");
        arrange(&daemon, action, &name);
        let faults: Vec<_> = case.faults.iter().map(String::as_str).collect();
        daemon.faults(&faults);
        ask(&daemon, action, &name);
        if case.dies {
            daemon.wait_until_it_dies();
            daemon.faults(&[]);
            daemon.start_again();
        } else {
            rests(&daemon, &name);
            daemon.faults(&[]);
        }
        check(&daemon, &name, case, &before);
    }
    println!("{action}: {} cases", cases.len());
    assert!(daemon.terminate().success());
    crate::usage::assert_whole(&daemon);
}

/// A test for each action of a table, of the function `matrix`, and one that there is a test for each.
macro_rules! each {
    ($table:ident, $all:ident: $($name:ident = $action:ident;)+) => {$(
        #[test]
        fn $name() {
            matrix($table::$action);
        }
    )+

        #[test]
        fn $all() {
            assert_eq!($table::ALL, [$($table::$action),+]);
        }
    };
}
pub(crate) use each;

each! {
    Action, every_action_is_in_the_matrix:
    create = Create;
    start = Start;
    stop = Stop;
    soft_reboot = SoftReboot;
    hard_reboot = HardReboot;
    shelve = Shelve;
    unshelve = Unshelve;
    resize = Resize;
    confirm_resize = ConfirmResize;
    revert_resize = RevertResize;
    delete = Delete;
}
