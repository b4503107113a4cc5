//! What is told of the keys: a commented configuration file and man pages, made of the lists in [`crate::keys`].

use std::fmt::Write as _;
use std::path::Path;

use berth_model::Code;
use roff::{Roff, bold, italic, roman};

use crate::failure::Failure;
use crate::key::{Key, Kind, Value, When};
use crate::keys::{File, Leaf, leaves};

/// What is true of all keys.
const ABOUT: [&str; 3] = [
    "Each key can be set by a variable of the environment too, which wins over the file: a text as it is, all else as in \
     TOML. A flag wins over both.",
    "berthd --check says whether all is right. A key that there isn't is an error.",
    "SIGHUP (systemctl reload berthd) has the file read again. Keys marked 'reload' are taken then, the others by the \
     next start, which the log says. If anything is wrong nothing is changed.",
];

/// Where a line of a comment ends at the latest.
const WIDTH: usize = 118;

/// An example of `berthd.toml` with every key: its default, or what it could be.
pub fn example() -> String {
    let mut text = String::from("# Every key of /etc/berth/berthd.toml. Made of the code by 'cargo run -p xtask'.\n");
    for paragraph in ABOUT {
        text.push_str("#\n");
        comment(&mut text, paragraph);
    }
    let leaves = leaves();
    // What stands behind a table's head is the table's: those without one come first.
    for leaf in leaves.iter().filter(|leaf| is_plain(leaf)) {
        text.push('\n');
        plain(&mut text, leaf);
    }
    for key in File::KEYS {
        match key.kind {
            Kind::Table(_) => {
                text.push('\n');
                comment(&mut text, &key.about.concat());
                let _ = writeln!(text, "#[{}]", key.name);
                for leaf in leaves.iter().filter(|leaf| leaf.path[0] == key.name) {
                    plain(&mut text, leaf);
                }
            }
            Kind::Tables(inner) => {
                text.push('\n');
                for leaf in leaves.iter().filter(|leaf| leaf.path[0] == key.name) {
                    comment(&mut text, &key.about.concat());
                    comment(&mut text, &facts(leaf));
                }
                let _ = writeln!(text, "#[[{}]]", key.name);
                for each in inner {
                    comment(&mut text, &each.about.concat());
                    let _ = writeln!(text, "#{} = {}", each.name, literal(each));
                }
            }
            Kind::Text | Kind::Texts | Kind::Names | Kind::Limit | Kind::Integer | Kind::Number | Kind::Switch => {}
        }
    }
    text
}

/// berthd.toml(5).
pub fn man() -> String {
    let mut page = Roff::new();
    page.control("TH", ["berthd.toml", "5", "", "Berth", "Berth"])
        .control("SH", ["NAME"])
        .text([roman("berthd.toml - configuration of berthd")])
        .control("SH", ["SYNOPSIS"])
        .text([roman("/etc/berth/berthd.toml")])
        .control("SH", ["DESCRIPTION"]);
    for paragraph in ABOUT {
        page.text([roman(paragraph)]).control("PP", []);
    }
    page.control("SH", ["KEYS"]);
    let leaves = leaves();
    for leaf in leaves.iter().filter(|leaf| is_plain(leaf)) {
        entry(&mut page, leaf);
    }
    for key in File::KEYS {
        match key.kind {
            Kind::Table(_) => {
                section(&mut page, &format!("[{}]", key.name), key);
                for leaf in leaves.iter().filter(|leaf| leaf.path[0] == key.name) {
                    entry(&mut page, leaf);
                }
            }
            Kind::Tables(inner) => {
                section(&mut page, &format!("[[{}]]", key.name), key);
                for leaf in leaves.iter().filter(|leaf| leaf.path[0] == key.name) {
                    page.text([roman(facts(leaf))]);
                }
                for each in inner {
                    item(&mut page, each);
                }
            }
            Kind::Text | Kind::Texts | Kind::Names | Kind::Limit | Kind::Integer | Kind::Number | Kind::Switch => {}
        }
    }
    page.control("SH", ["SEE ALSO"])
        .text([bold("berthd"), roman("(8), "), bold("berth"), roman("(1)")]);
    page.render()
}

/// Writes the man pages of the daemon into a directory.
pub(crate) fn write_man(mut command: clap::Command, dir: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(Code::StorageError, format!("{}: {error}", dir.display()));
    std::fs::create_dir_all(dir).map_err(failed)?;
    std::fs::write(dir.join("berthd.toml.5"), man()).map_err(failed)?;
    command = command.disable_help_subcommand(true);
    command.build();
    let pages = command.get_subcommands().filter(|one| !one.is_hide_set()).cloned();
    for page in pages.chain([command.clone()]) {
        clap_mangen::Man::new(page)
            .section("8")
            .generate_to(dir)
            .map_err(failed)?;
    }
    Ok(())
}

/// Whether it stands in no table.
fn is_plain(leaf: &Leaf) -> bool {
    leaf.path.len() == 1 && !matches!(leaf.key.kind, Kind::Tables(_))
}

fn plain(text: &mut String, leaf: &Leaf) {
    comment(text, &leaf.key.about.concat());
    comment(text, &facts(leaf));
    let _ = writeln!(text, "#{} = {}", leaf.key.name, literal(leaf.key));
}

/// What kind of value it has, when another one is taken, and the variable that sets it.
fn facts(leaf: &Leaf) -> String {
    let default = match leaf.key.value {
        Value::Default(_) => "",
        Value::Example(_) => "; unset by default",
    };
    let when = match leaf.key.when {
        When::Reload => "reload",
        When::Restart => "restart",
    };
    format!("({}{default}; {when}; {})", leaf.key.kind.word(), leaf.variable())
}

fn literal(key: &Key) -> &'static str {
    match key.value {
        Value::Default(text) | Value::Example(text) => text,
    }
}

/// A paragraph as lines that begin with `# `.
fn comment(text: &mut String, paragraph: &str) {
    let mut line = String::from("#");
    for word in paragraph.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(text, "{line}");
            "#".clone_into(&mut line);
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}

fn section(page: &mut Roff, head: &str, key: &Key) {
    page.control("SS", [head]).text([roman(words(key))]);
}

fn item(page: &mut Roff, key: &Key) {
    page.control("TP", [])
        .text([bold(key.name), roman(" = "), italic(literal(key))])
        .text([roman(words(key))]);
}

fn entry(page: &mut Roff, leaf: &Leaf) {
    item(page, leaf.key);
    page.control("br", []).text([roman(facts(leaf))]);
}

fn words(key: &Key) -> String {
    key.about.concat().trim().to_owned()
}
