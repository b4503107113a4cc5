//! The examples in the help of `berth` are run, all of them: whoever types one gets what it promises.
//!
//! ```text
//!   berth --help ─▶ its commands ─▶ their --help ─▶ … ─▶ lines of `Examples:` that begin with `berth `
//!       each in a world of its own (`world`): a fresh daemon, and what the example takes for granted (`needs`)
//! ```
//!
//! What the reader has to put in (an id, a head that was kept) is put in; what goes on for ever is interrupted.

mod needs;
mod world;

use std::process::{Command, Stdio};

use berth_testkit::program;

use self::needs::needs;
use self::world::World;

/// An example that isn't run, by how it begins, and why not.
const NOT_RUN: &[(&str, &str)] = &[
    ("berth image pull ", "the catalog's images are on the Internet"),
    ("berth image import https://", "it is on the Internet"),
    ("berth init --yes --keypair", "it sets up the machine itself"),
    ("berth init --yes --public", "it sets up the machine itself"),
];

/// What the reader has to put in, and where a reader gets it from.
const PUT_IN: &[(&str, &str)] = &[
    ("1066:5f2c…", "$(berth usage verify -o json | jq -r .head)"),
    ("/run/berth/test.sock", "$BERTH_SOCKET"),
];

/// What goes on until somebody ends it, by its beginning: it is given some seconds.
const ENDLESS: &[&str] = &["berth event watch", "berth top", "berth instance console"];

/// An example, and the command whose help has it.
#[derive(Debug, Clone)]
struct Example {
    of: String,
    line: String,
}

#[test]
fn examples_of_instances_run() {
    run_all(|noun| noun == "instance");
}

#[test]
fn examples_of_disks_run() {
    run_all(|noun| ["volume", "snapshot", "image"].contains(&noun));
}

#[test]
fn examples_of_networks_run() {
    run_all(|noun| ["vpc", "subnet", "security-group", "port", "public-ip"].contains(&noun));
}

#[test]
fn all_other_examples_run() {
    let others = [
        "instance",
        "volume",
        "snapshot",
        "image",
        "vpc",
        "subnet",
        "security-group",
        "port",
        "public-ip",
    ];
    run_all(|noun| !others.contains(&noun));
}

fn run_all(of: impl Fn(&str) -> bool) {
    let mut examples = Vec::new();
    collect(&[], &of, &mut examples);
    let (mut run, mut failed) = (0, Vec::new());
    for Example { of, line } in &examples {
        if let Some((_, why)) = NOT_RUN.iter().find(|(begins, _)| line.starts_with(begins)) {
            println!("berth {of} --help: '{line}' isn't run: {why}");
            continue;
        }
        run += 1;
        if let Err(why) = perform(line) {
            failed.push(format!("berth {of} --help: {line}\n{why}"));
        }
    }
    println!("{run} examples were run");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// The examples of a command and of those below it.
fn collect(path: &[String], of: &impl Fn(&str) -> bool, found: &mut Vec<Example>) {
    let noun = path.first().map_or("", String::as_str);
    let help = Command::new(program("berth"))
        .args(path)
        .arg("--help")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    if of(noun) {
        let words = path.join(" ");
        let example = |line| Example {
            of: words.clone(),
            line,
        };
        found.extend(examples(&help).into_iter().map(example));
    }
    for command in commands(&help) {
        let path: Vec<String> = path.iter().cloned().chain([command]).collect();
        collect(&path, of, found);
    }
}

/// The commands that a help lists.
fn commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names
        .filter(|name| !name.is_empty() && *name != "help")
        .map(str::to_owned)
        .collect()
}

/// The examples of a help: what is wrapped or goes on after a `\` is one line, and what is said of it is left out.
fn examples(help: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let section = help.lines().skip_while(|line| line.trim_end() != "Examples:").skip(1);
    for line in section.take_while(|line| line.starts_with(' ')) {
        let command = line.trim_start().starts_with("berth ");
        match found.last_mut() {
            Some(last) if !command => *last = format!("{} {}", last.trim_end_matches('\\').trim_end(), line.trim()),
            _ => found.push(line.trim().to_owned()),
        }
    }
    let said = |line: &String| line.split("  ").next().unwrap_or_default().to_owned();
    found.iter().map(said).collect()
}

/// Runs one, in a world of its own.
fn perform(line: &str) -> Result<(), String> {
    let world = World::new(line);
    let daemon = world.daemon();
    for before in needs(line) {
        world
            .shell(&daemon, &before)
            .map_err(|why| format!("before it, '{before}': {why}"))?;
    }
    if let Some(login) = line.strip_prefix("berth instance ssh ") {
        // It is Active before it has booted.
        let who = login.split(" -- ").next().unwrap_or_default();
        let wait = format!("until timeout 20 berth instance ssh {who} -- true 2>/dev/null; do sleep 1; done");
        world.shell(&daemon, &wait)?;
    }
    let line = PUT_IN
        .iter()
        .fold(line.to_owned(), |line, (known, place)| line.replace(known, place));
    if ENDLESS.iter().any(|begins| line.starts_with(begins)) && !line.contains("--log") {
        let script = format!(
            "timeout --foreground -s INT 3 {line}; code=$?; [ $code -eq 124 ] || [ $code -eq 130 ] || exit $code"
        );
        return world.shell(&daemon, &script);
    }
    world.shell(&daemon, &line)
}

#[test]
fn a_help_is_read_as_it_is_meant() {
    let help = "\
Does things.

Commands:
  create  Make it
          of something
  list    List them
  help    Print this

Options:
  -h  Help

Examples:
  berth volume create data --size 20          blank
  berth image import win.qcow2 --firmware
  uefi \\
      --min-disk 32  # no drivers
  berth usage

Exit codes:
  0  done
";
    assert_eq!(commands(help), ["create", "list"]);
    let expected = [
        "berth volume create data --size 20",
        "berth image import win.qcow2 --firmware uefi --min-disk 32",
        "berth usage",
    ];
    assert_eq!(examples(help), expected);
}
