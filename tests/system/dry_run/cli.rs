//! `berth --dry-run`: the same for people and for scripts.

use berth_testkit::Daemon;
use serde_json::Value;

/// What a command prints that is only tried.
fn tried<const N: usize>(daemon: &Daemon<'_>, args: [&str; N]) -> String {
    let output = daemon.berth(args).arg("--dry-run").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "berth {args:?} --dry-run: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(super) fn commands_are_tried(daemon: &Daemon<'_>) {
    let create = ["instance", "create", "tried", "--image", "blank", "--type", "w.small"];
    let text = tried(daemon, create);
    for part in [
        "Nothing was changed.",
        "create",
        "Building → Scheduling",
        "QUOTA",
        "instances",
        "Price of an hour of the project: ",
        " EUR\n",
        "domain tried\n",
        "+  <name>berth-",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains('\u{1b}'), "no colours where nobody sees them");
    println!("{text}");
    let json = daemon.berth(["-o", "json", "--dry-run"]).args(create).output().unwrap();
    let view: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        (&view["dry_run"], &view["operations"][0]["action"]),
        (&true.into(), &"create".into())
    );

    // Of several each is told, and nothing is asked.
    let text = tried(daemon, ["instance", "delete", "web", "off"]);
    assert_eq!(text.matches("Nothing was changed.").count(), 2, "{text}");
    let refused = daemon.refuses(["vpc", "create", "net", "--dry-run"]);
    assert_eq!(
        (refused.0["code"].as_str(), refused.1),
        (Some("already_exists"), 4),
        "{}",
        refused.0
    );
    for looks in [["vpc", "list"], ["context", "list"]] {
        let refused = daemon.berth(looks).arg("--dry-run").output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{looks:?}");
    }
}
