//! What may be typed.

use std::path::PathBuf;

use berth_model::{Code, Name};
use clap::{Args, Command, CommandFactory as _, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::commands::audit::AuditVerb;
use crate::commands::context::ContextVerb;
use crate::commands::event::EventVerb;
use crate::commands::host::HostVerb;
use crate::commands::image::ImageVerb;
use crate::commands::init::Init;
use crate::commands::instance::InstanceVerb;
use crate::commands::keypair::KeypairVerb;
use crate::commands::member::MemberVerb;
use crate::commands::operation::OperationVerb;
use crate::commands::port::PortVerb;
use crate::commands::project::ProjectVerb;
use crate::commands::public_ip::PublicIpVerb;
use crate::commands::quota::QuotaVerb;
use crate::commands::security_group::SecurityGroupVerb;
use crate::commands::snapshot::SnapshotVerb;
use crate::commands::subnet::SubnetVerb;
use crate::commands::token::TokenVerb;
use crate::commands::top::Top;
use crate::commands::types::TypeVerb;
use crate::commands::usage::UsageArgs;
use crate::commands::volume::VolumeVerb;
use crate::commands::vpc::VpcVerb;

const ABOUT: &str = "\
Berth turns a Linux host with KVM into a cloud VM service; this is its command line.

Commands are a noun, then a verb: 'berth instance create web --image tiny --type t1.nano'. \
Whatever is named may be given by its name or its id. A command that changes something waits until it is done \
and shows each documented state as it is passed; with --no-wait it prints the operation's id and returns.";

// Examples are run by tests/system/examples.rs, each in a world of its own that has what it names: images such as `tiny`
// and their files, the key pair `laptop` in ~/.ssh, instances, volumes, networks. Behind `#` stands what it is for.
const EXAMPLES: &str = "\
Examples:
  berth image import debian.qcow2 --name debian --user debian
  berth keypair create laptop --out ~/.ssh/laptop
  berth instance create web --image debian --type m2.large --key laptop --count 3
  berth volume create data --size 20 && berth volume attach data web-1
  berth vpc create lab && berth subnet create front --vpc lab --cidr 10.1.0.0/24
  berth instance create db --image debian --type m2.large --subnet lab/front --public-ip
  berth security-group rule add lab/default --port 443
  berth public-ip allocate && berth public-ip attach 203.0.113.7 web-1
  berth instance ssh web-1 -i ~/.ssh/laptop
  berth instance list -o json | jq -r '.[].name'
  berth usage --from 2026-11-01
  berth event watch
  berth top --sort memory";

const COMPLETIONS: &str = "\
The Debian package has them in place already. Elsewhere, in the shell's own start file:
  bash    source <(berth completions bash)
  zsh     source <(berth completions zsh)
  fish    berth completions fish | source

Examples:
  berth completions bash";

/// Berth, a VM manager.
#[derive(Debug, Parser)]
#[command(name = "berth", version, about = "Berth, a VM manager", long_about = ABOUT, after_help = EXAMPLES)]
#[command(after_long_help = after_long_help(), max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) daemon: Daemon,
    /// How results are printed
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) output: Format,
    /// Tell what the command would change, quotas, prices and all, and change nothing
    #[arg(id = "only-tried", long = "dry-run", global = true)]
    pub(crate) dry_run: bool,
    #[command(subcommand)]
    pub(crate) noun: Noun,
}

/// Which daemon is meant, as it was typed. The ids are apart from those of what nouns call a context or a project.
#[derive(Debug, Clone, Args)]
pub(crate) struct Daemon {
    /// The daemon's socket [env: BERTH_SOCKET] [default: that of the context in use, or /run/berth/berth.sock]
    #[arg(id = "the-socket", long = "socket", global = true, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// The context: a daemon that 'berth context add' remembers [env: BERTH_CONTEXT]
    #[arg(id = "the-context", long = "context", global = true, value_name = "CONTEXT")]
    pub(crate) context: Option<String>,
    /// The project that it is about [default: the context's, or the only one you are in]
    #[arg(id = "the-project", long = "project", global = true, env = "BERTH_PROJECT", value_parser = name)]
    #[arg(value_name = "PROJECT")]
    pub(crate) project: Option<Name>,
}

/// The command line as it is shown: the help of each verb has those examples of its noun's that are of it.
pub(crate) fn command() -> Command {
    Cli::command().mut_subcommands(|noun| {
        let help = noun.get_after_help().map(ToString::to_string).unwrap_or_default();
        let begins = format!("  berth {} ", noun.get_name());
        noun.mut_subcommands(|verb| {
            let of_verb = |line: &str| {
                let words = line.strip_prefix(&begins);
                words.is_some_and(|words| words.split(' ').next() == Some(verb.get_name()))
            };
            let shown = examples(&help, of_verb);
            if shown.is_empty() || verb.get_after_help().is_some() {
                return verb;
            }
            verb.after_help(format!("Examples:\n{shown}"))
        })
    })
}

/// The examples that are wanted, with the lines that they go on in.
fn examples(help: &str, wanted: impl Fn(&str) -> bool) -> String {
    let mut shown = Vec::new();
    let mut goes_on = false;
    for line in help.lines() {
        goes_on = wanted(line) || (goes_on && line.starts_with("    "));
        if goes_on {
            shown.push(line);
        }
    }
    shown.join("\n")
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people
    Table,
    /// One JSON value, as the API has it
    Json,
    /// The same in YAML
    Yaml,
    /// A line for each line: of 'berth usage'
    Csv,
    /// Only the names, one a line; an id where there is none
    Name,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Noun {
    /// Virtual machines: create, start, stop, reboot, delete, console, ssh
    #[command(subcommand, visible_alias = "i")]
    Instance(InstanceVerb),
    /// Disks: create, attach, detach, extend, delete
    #[command(subcommand, visible_alias = "v")]
    Volume(VolumeVerb),
    /// What a volume held at one instant
    #[command(subcommand)]
    Snapshot(SnapshotVerb),
    /// What instances are made from
    #[command(subcommand)]
    Image(ImageVerb),
    /// What an instance may be: vCPUs, memory, price
    #[command(subcommand)]
    Type(TypeVerb),
    /// Who may log in by ssh
    #[command(subcommand)]
    Keypair(KeypairVerb),
    /// Private networks that know nothing of each other
    #[command(subcommand)]
    Vpc(VpcVerb),
    /// The ranges of addresses of a VPC
    #[command(subcommand)]
    Subnet(SubnetVerb),
    /// What may reach an instance, and what it may reach
    #[command(subcommand, visible_alias = "sg")]
    SecurityGroup(SecurityGroupVerb),
    /// The NICs of instances
    #[command(subcommand)]
    Port(PortVerb),
    /// Addresses at which instances are reached from outside
    #[command(subcommand)]
    PublicIp(PublicIpVerb),
    /// Who works on what, apart from others
    #[command(subcommand)]
    Project(ProjectVerb),
    /// Who is in a project, and as what
    #[command(subcommand)]
    Member(MemberVerb),
    /// What programs sign in with
    #[command(subcommand)]
    Token(TokenVerb),
    /// What was asked, by whom, and what was decided
    #[command(subcommand)]
    Audit(AuditVerb),
    /// Tell who you are to the daemon, and what you may
    Whoami,
    /// How much of each resource a project may have
    #[command(subcommand)]
    Quota(QuotaVerb),
    /// Work under way, and work that is done
    #[command(subcommand)]
    Operation(OperationVerb),
    /// What happens, as it happens
    #[command(subcommand)]
    Event(EventVerb),
    /// Who held what for how long, and what that comes to
    Usage(UsageArgs),
    /// This host
    #[command(subcommand)]
    Host(HostVerb),
    /// Other daemons, near and far, and by what you are known there
    #[command(subcommand)]
    Context(ContextVerb),
    Top(Top),
    Init(Box<Init>),
    /// Print what makes a shell complete commands, and the names that there are now
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Write man pages into a directory
    #[command(hide = true)]
    Man {
        /// The directory
        dir: PathBuf,
    },
}

/// Whether a command waits for what it started.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Waiting {
    /// Print the operation's id and return at once
    #[arg(long)]
    pub(crate) no_wait: bool,
}

/// A name, checked before anything is sent.
pub(crate) fn name(text: &str) -> Result<Name, String> {
    text.parse()
        .map_err(|error: berth_model::ParseNameError| error.to_string())
}

/// A moment, or the beginning of a day (UTC).
pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    let midnight = |date: Date| TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0));
    let moment = text.parse().or_else(|_| text.parse().and_then(midnight));
    moment.map_err(|_| format!("'{text}' is neither a time such as 2026-11-01T08:00:00Z nor a date such as 2026-11-01"))
}

fn after_long_help() -> String {
    let mut text = format!("{EXAMPLES}\n\nExit codes (with the error codes they stand for):\n    0  done\n");
    let mut exits: Vec<u8> = Code::ALL.iter().map(|code| code.exit()).collect();
    exits.sort_unstable();
    exits.dedup();
    for exit in exits {
        let codes: Vec<_> = Code::ALL
            .iter()
            .filter(|code| code.exit() == exit)
            .map(|code| code.as_str())
            .collect();
        text.push_str(&format!("  {exit:>3}  {}\n", codes.join(", ")));
    }
    text.push_str("  130  interrupted while waiting; the operation goes on");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_typed_makes_sense() {
        command().debug_assert();
    }

    #[test]
    fn every_noun_has_examples_and_a_verb_has_its_own() {
        let command = command();
        let without = command.get_subcommands().filter(|noun| {
            let help = noun.get_after_help().map(ToString::to_string).unwrap_or_default();
            !help.contains("Examples:\n  berth ")
        });
        // What has nothing to be typed behind it is its own example.
        let without: Vec<_> = without.map(Command::get_name).collect();
        assert_eq!(without, ["whoami", "man"]);
        let help = "Examples:\n  berth image import a \\\n      --tpm on\n  berth image list\n";
        let import = examples(help, |line| line.contains("import"));
        assert_eq!(import, "  berth image import a \\\n      --tpm on");
    }
}
