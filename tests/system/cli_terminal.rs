//! The command line on a terminal, with a guest: live lines, colours, questions, `--watch`, the console.

use berth_testkit::{Daemon, Guest, Host, Libvirt, Terminal};

use crate::cli::complete;

const WINDOW: (u16, u16) = (100, 30);

/// What is shown where the cursor is, without what makes colours.
fn plain(shown: &str) -> String {
    let mut text = String::new();
    let mut rest = shown;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        text.push_str(before);
        let end = after.find(|character: char| character.is_ascii_alphabetic());
        rest = end.map_or("", |end| &after[end + 1..]);
    }
    text + rest
}

#[test]
fn on_a_terminal_it_is_alive_asks_before_data_goes_and_the_console_comes_back() {
    let host = Host::new(Libvirt::Started);
    let mut daemon = Daemon::start(&host);

    // A live line for each instance, states in colours, and a table that fits.
    let create = [
        "instance", "create", "web", "--image", "tiny", "--type", "t1.nano", "--count", "2",
    ];
    let (code, shown) = Terminal::run(&daemon.berth(create), WINDOW).end();
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("\u{1b}[38;5;2m Active"), "green: {shown:?}");
    let plainly = plain(&shown);
    assert!(
        plainly.contains("web-1  Active") && plainly.contains("NAME   STATE   TYPE"),
        "{plainly}"
    );
    let mut quiet = daemon.berth(["instance", "list"]);
    let (_, shown) = Terminal::run(quiet.env("NO_COLOR", "1"), (34, 24)).end();
    assert!(
        shown.lines().all(|line| plain(line).trim_end().chars().count() <= 34),
        "{shown:?}"
    );

    completions_follow_the_states(&daemon);
    a_list_is_watched(&daemon);
    the_console_comes_back(&mut daemon);
    nothing_goes_unasked(&daemon);
}

fn completions_follow_the_states(daemon: &Daemon<'_>) {
    let socket = daemon.socket().display().to_string();
    let of = |verb: &str| complete(&["--socket", &socket], &["instance", verb, ""]);
    daemon.ok(["instance", "stop", "web-2", "--force"]);
    assert_eq!(of("stop"), ["web-1"]);
    assert_eq!(of("start"), ["web-2"]);
    assert_eq!(of("delete"), ["web-1", "web-2"]);
}

fn a_list_is_watched(daemon: &Daemon<'_>) {
    let mut list = Terminal::run(&daemon.berth(["instance", "list", "--watch"]), WINDOW);
    list.wait_for("Stopped");
    daemon.ok(["instance", "start", "web-2"]);
    list.wait_for("Powering-on");
    list.wait_for("Active");
    list.types("\u{3}");
    let (code, shown) = list.end();
    assert_eq!(code, 0, "Ctrl-C is how it ends");
    assert!(shown.contains("\u{1b}[?1049l"), "the other screen is left: {shown:?}");
}

/// Ctrl-C typed into a guest is the guest's; a hard reboot and a daemon that starts again break the line, and it is
/// connected again.
fn the_console_comes_back(daemon: &mut Daemon<'_>) {
    let boots = |daemon: &Daemon<'_>, times| Guest::of(daemon, "web-1").wait_for_boot(times);
    boots(daemon, 1);
    let mut console = Terminal::run(&daemon.berth(["instance", "console", "web-1"]), WINDOW);
    console.wait_for("Ctrl-] leaves");
    console.types("\r");
    console.wait_for("login:");
    daemon.ok(["instance", "reboot", "web-1", "--hard"]);
    console.wait_for("has broken; waiting for it");
    console.wait_for("connected to web-1 again");
    boots(daemon, 2);
    daemon.kill();
    console.wait_for("has broken");
    daemon.start_again();
    console.wait_for("connected to web-1 again");
    console.types("\r");
    console.wait_for("login:");
    console.resize((120, 40));
    console.wait_for("another size");
    console.types("\u{1d}s");
    console.wait_for("stty rows 40 columns 120");
    console.types("\u{1d}.");
    let (code, shown) = console.end();
    assert_eq!(code, 0, "{shown}");
}

fn nothing_goes_unasked(daemon: &Daemon<'_>) {
    let mut delete = Terminal::run(&daemon.berth(["instance", "delete", "web-1", "web-2"]), WINDOW);
    delete.wait_for("delete 2 instances: web-1, web-2? [y/N] ");
    delete.types("\r");
    let (code, shown) = delete.end();
    assert!(code == 1 && shown.contains("nothing was done"), "{code}: {shown}");
    assert_eq!(daemon.ok(["-o", "name", "instance", "list"]), "web-1\nweb-2\n");

    let mut delete = Terminal::run(&daemon.berth(["instance", "delete", "web-1"]), WINDOW);
    delete.wait_for("delete instance web-1? [y/N] ");
    delete.types("y\r");
    assert_eq!(delete.end().0, 0);
    let sure = daemon.berth(["instance", "delete", "web-2", "--yes"]);
    let (code, shown) = Terminal::run(&sure, WINDOW).end();
    assert!(code == 0 && !shown.contains("[y/N]"), "{shown}");
}
