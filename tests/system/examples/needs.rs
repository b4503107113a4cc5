//! What an example takes for granted, found in its own words: the things it names and doesn't make.
//!
//! `berth volume attach data web` speaks of a volume `data` and an instance `web`; `--image debian` of an image. A few
//! verbs want what they name in a state of its own: `start` what is stopped, `detach` what is attached.

/// Options that name a thing, and of which kind it is.
const OPTIONS: &[(&str, &str)] = &[
    ("--image", "image"),
    ("--key", "keypair"),
    ("--vpc", "vpc"),
    ("--subnet", "subnet"),
    ("--volume", "volume"),
    ("--from-volume", "volume"),
    ("--snapshot", "snapshot"),
    ("--instance", "instance"),
    ("--group", "security-group"),
    ("--security-group", "security-group"),
    ("--project", "project"),
    ("--for", "project"),
    ("--of", "project"),
];

/// Verbs that make what they name, or name nothing that has to be there.
const MAKES: &[&str] = &[
    "create", "import", "pull", "allocate", "catalog", "list", "states", "pools", "types",
];

/// Verbs of which only the first word is a thing.
const OF_ONE: &[&str] = &[
    "extend", "set", "rename", "describe", "keep", "export", "ssh", "resize", "console", "add", "remove",
];

/// What is done to an instance before a verb is used on it.
const BEFORE: &[(&str, &str)] = &[
    ("start", "stop --force"),
    ("unshelve", "shelve"),
    ("resize-confirm", "resize --type t1.micro"),
    ("resize-revert", "resize --type t1.micro"),
];

/// Verbs that a guest has to be booted for: it is asked to shut down.
const ASKS_THE_GUEST: &[&str] = &[
    "stop",
    "resize",
    "resize-confirm",
    "resize-revert",
    "shelve",
    "unshelve",
];

/// What lets everything out of a new group, so that a rule that does can be added.
const EGRESS: &str = "jq -r '.rules[] | select(.direction == \"egress\").id'";

/// What has to be typed before the example, in order.
pub(super) fn needs(line: &str) -> Vec<String> {
    let mut needs = Needs::default();
    for command in line.split("&&") {
        let command = command.split(['|', '>', '#']).next().unwrap_or_default();
        let words: Vec<&str> = command
            .split_whitespace()
            .skip(1)
            .map(|word| word.trim_matches('\''))
            .collect();
        needs.command(&words);
    }
    needs.lines
}

#[derive(Default)]
struct Needs {
    lines: Vec<String>,
    /// Whether instances need room for another NIC.
    nics: bool,
    /// What the example itself has made so far.
    made: Vec<(String, String)>,
}

impl Needs {
    fn command(&mut self, words: &[&str]) {
        let Some((noun, words)) = words.split_first() else {
            return;
        };
        let noun = match *noun {
            "i" => "instance",
            "v" => "volume",
            "sg" => "security-group",
            noun => noun,
        };
        self.nics = noun == "port";
        let words = words.strip_prefix(&["rule"]).unwrap_or(words);
        for pair in words.windows(2) {
            if pair[0] == "--name" {
                self.made.push((noun.to_owned(), pair[1].to_owned()));
            }
            let option = OPTIONS.iter().find(|(option, _)| *option == pair[0]);
            // `--volume 20` makes one with the instance.
            if let (Some((_, kind)), Err(_)) = (option, pair[1].parse::<u32>()) {
                self.thing(kind, pair[1]);
            }
        }
        let Some((verb, rest)) = words.split_first() else {
            return;
        };
        let named: Vec<&str> = rest.iter().copied().take_while(|word| !word.starts_with('-')).collect();
        if noun == "token" && words.contains(&"--for") {
            let project = words.iter().skip_while(|word| **word != "--for").nth(1);
            self.line(format!("berth member add {} local:root", project.unwrap_or(&"default")));
        }
        if MAKES.contains(verb) && noun != "member" {
            let made = |name: &&str| (noun.to_owned(), (*name).to_owned());
            self.made.extend(named.iter().map(made));
            return;
        }
        match (noun, *verb) {
            ("context" | "project", "add") => {}
            ("member" | "quota", _) => named.iter().take(1).for_each(|name| self.thing("project", name)),
            ("image", "create-from-volume") => named.iter().for_each(|name| self.thing("volume", name)),
            (_, "attach") => [noun, "instance"]
                .iter()
                .zip(&named)
                .for_each(|(kind, name)| self.thing(kind, name)),
            (_, "attach-ephemeral") => named.iter().for_each(|name| self.thing("instance", name)),
            (noun, "detach") => named.iter().for_each(|name| self.attached(noun, name)),
            (noun, verb) if OF_ONE.contains(&verb) => named.iter().take(1).for_each(|name| self.thing(noun, name)),
            (noun, _) => named.iter().for_each(|name| self.thing(noun, name)),
        }
        if noun == "instance" && ASKS_THE_GUEST.contains(verb) {
            for name in &named {
                self.line(format!(
                    "until berth instance console {name} --log | grep -q TINY-BOOTED; do sleep 0.5; done"
                ));
            }
        }
        if words.contains(&"--egress") {
            let group = named.first().unwrap_or(&"");
            self.line(format!(
                "berth sg rule delete {group} $(berth sg show {group} -o json | {EGRESS})"
            ));
        }
        if let Some((_, before)) = BEFORE.iter().find(|(after, _)| after == verb) {
            for name in &named {
                self.line(format!("berth instance {before} {name}"));
            }
        }
        if let ("member", "remove" | "set", [project, user, ..]) = (noun, *verb, &named[..]) {
            self.line(format!("berth member add {project} {user}"));
        }
    }

    fn line(&mut self, line: String) {
        if !self.lines.contains(&line) {
            self.lines.push(line);
        }
    }

    fn attached(&mut self, noun: &str, name: &str) {
        self.thing(noun, name);
        self.thing("instance", "holder");
        self.line(format!("berth {noun} attach {name} holder"));
    }

    /// Has a thing be there, and what it stands on.
    fn thing(&mut self, kind: &str, name: &str) {
        if self.made.contains(&(kind.to_owned(), name.to_owned())) {
            return;
        }
        let (name, address) = name.split_once(':').unwrap_or((name, ""));
        let (vpc, within) = name.split_once('/').unwrap_or(("", name));
        if !vpc.is_empty() {
            self.thing("vpc", vpc);
        }
        let of_vpc = if vpc.is_empty() {
            String::new()
        } else {
            format!(" --vpc {vpc}")
        };
        match (kind, within) {
            ("security-group" | "project" | "vpc", "default") | ("context", "local") => {}
            ("image", _) => self.line(format!("berth image import tiny.qcow2 --name {name}")),
            ("keypair", _) => self.line(format!("berth keypair create {name} --out ~/.ssh/{name}")),
            ("instance", _) => {
                self.thing("image", "tiny");
                self.thing("keypair", "laptop");
                let kind = if self.nics { "t1.small" } else { "t1.nano" };
                self.line(format!(
                    "berth instance create {name} --image tiny --type {kind} --key laptop"
                ));
            }
            ("volume", _) => self.line(format!("berth volume create {name} --size 1")),
            ("snapshot", _) => {
                self.line(format!("berth volume create of-{name} --size 1"));
                self.line(format!("berth snapshot create {name} --volume of-{name}"));
            }
            ("subnet", _) => {
                let cidr = format!("{}/24", network(name, address));
                self.line(format!("berth subnet create {within}{of_vpc} --cidr {cidr}"));
            }
            ("security-group", _) => self.line(format!("berth security-group create {within}{of_vpc}")),
            ("port", _) => {
                self.thing("subnet", "front");
                self.line(format!("berth port create --name {name} --subnet front"));
            }
            ("public-ip", _) => self.line(format!("berth public-ip allocate --address {name}")),
            ("context", _) => self.line(format!("berth context add {name} --socket $BERTH_SOCKET")),
            ("token", _) => self.line(format!("berth token create {name} --operator")),
            ("vpc" | "project", _) => self.line(format!("berth {kind} create {name}")),
            _ => {}
        }
    }
}

/// A network for a subnet: that of its address, else one of its name's.
fn network(name: &str, address: &str) -> String {
    match address.rsplit_once('.') {
        Some((network, _)) => format!("{network}.0"),
        None => format!("192.168.{}.0", name.bytes().fold(0, u8::wrapping_add)),
    }
}

#[test]
fn an_example_says_what_it_needs() {
    let of = |line: &str| needs(line).join("; ");
    assert_eq!(of("berth instance list -o json | jq -r '.[].name'"), "");
    assert_eq!(of("berth volume create data --size 20"), "");
    let attach = of("berth volume create data --size 20 && berth volume attach data web");
    assert!(
        attach.starts_with("berth image import tiny")
            && attach.ends_with("create web --image tiny --type t1.nano --key laptop")
    );
    assert!(of("berth v detach data").ends_with("berth volume attach data holder"));
    assert_eq!(of("berth sg rule add lab/default --port 443"), "berth vpc create lab");
    let create = of("berth instance create db --image debian --subnet lab/front:10.1.0.5");
    let subnet = "berth vpc create lab; berth subnet create front --vpc lab --cidr 10.1.0.0/24";
    assert_eq!(create, format!("berth image import tiny.qcow2 --name debian; {subnet}"));
    assert!(of("berth i start web").ends_with("berth instance stop --force web"));
    assert_eq!(of("berth quota set default vcpus=4"), "");
}
