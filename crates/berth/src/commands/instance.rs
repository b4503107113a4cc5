//! `berth instance …`

use std::process::ExitCode;

use berth_api_types::{
    AddressView, ChangeLabels, InstanceQuery, InstanceView, OperationView, RebootInstance, StopInstance,
};
use berth_client::ClientError;
use berth_model::InstanceState;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};

use crate::cli::Waiting;
use crate::commands::label::{self, Listing, Relabel};
use crate::commands::network::{dash, joined};
use crate::commands::{Context, begun, create, resize, ssh, states, why};
use crate::console::{Console, Escape};
use crate::output::{self, ago, fields, lines, or_dash, table};
use crate::several::{self, Failures, Holds, Sure};
use crate::wait::Follower;
use crate::watch::Watching;

const CONSOLE: &str = "\
Keys, with the default --escape:
  Ctrl-]           leaves, after a second; Ctrl-] . and Ctrl-] q at once
  Ctrl-] s         types 'stty rows … columns …' into the guest's shell: a serial line knows no window size
  Ctrl-] Ctrl-]    types Ctrl-]
  Ctrl-] ?         says which keys there are

On a terminal it connects again by itself when the guest is rebooted or the daemon starts again.

Examples:
  berth instance console web --log --lines 20";

const EXAMPLES: &str = "\
Examples:
  berth instance create web --image tiny --type t1.nano --key laptop
  berth instance create db --image tiny --type t1.micro --subnet lab/front:10.1.0.5 --volume 20
  berth instance list -o name
  berth instance show web
  berth instance why web
  berth instance stop web db
  berth instance start web
  berth instance reboot web --hard
  berth instance resize web --type t1.micro --confirm
  berth instance shelve web
  berth instance ssh web -i ~/.ssh/laptop -- hostname
  berth instance console web --log --lines 20
  berth instance delete web db --yes";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum InstanceVerb {
    /// Make an instance and start it
    Create(create::Create),
    /// List the instances
    List {
        #[command(flatten)]
        which: Wanted,
        #[command(flatten)]
        watching: Watching,
    },
    /// Show an instance
    Show {
        /// Its name or id
        instance: String,
        #[command(flatten)]
        watching: Watching,
    },
    /// Label an instance, or take labels from it
    Label(Relabel),
    /// Tell what happened to an instance, and why, oldest first
    Why {
        /// Its name or id; the id of one that is gone is taken too
        instance: String,
    },
    /// Show the states of an instance, and what moves it from which to which
    States,
    /// Switch instances on
    Start {
        #[command(flatten)]
        which: Which,
    },
    /// Shut instances down: the power button, then the plug
    Stop {
        #[command(flatten)]
        which: Which,
        /// Seconds a guest may take before the plug is pulled [default: 60]
        #[arg(long, value_name = "SECONDS")]
        timeout: Option<u32>,
        /// Pull the plug at once
        #[arg(long, conflicts_with = "timeout")]
        force: bool,
    },
    /// Reboot instances: the guest is asked, and reset if it doesn't listen
    Reboot {
        #[command(flatten)]
        which: Which,
        /// Pull the plug rather than ask; also brings an instance back from Error
        #[arg(long)]
        hard: bool,
    },
    /// Change an instance's type: it is stopped, and started again if it ran
    Resize(resize::Resize),
    /// Keep the new type of resized instances
    ResizeConfirm {
        #[command(flatten)]
        which: Which,
    },
    /// Go back to the old type of resized instances
    ResizeRevert {
        #[command(flatten)]
        which: Which,
    },
    /// Save instances as images and give back all they hold of the host; they are not billed then
    Shelve {
        #[command(flatten)]
        which: Which,
    },
    /// Make shelved instances anew and start them
    Unshelve {
        #[command(flatten)]
        which: Which,
    },
    /// Delete instances and all that is their own
    #[command(visible_alias = "terminate")]
    Delete {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        sure: Sure,
    },
    /// Attach to an instance's serial console; leave with Ctrl-]
    #[command(after_help = CONSOLE)]
    Console {
        /// Its name or id
        instance: String,
        /// Print what it has written instead
        #[arg(long)]
        log: bool,
        /// Only the last so many lines
        #[arg(long, requires = "log", value_name = "N")]
        lines: Option<usize>,
        /// The key that is meant for berth and not for the guest: ^ and a letter, or 'none'
        #[arg(long, value_name = "KEY", default_value = "^]", conflicts_with = "log")]
        escape: Escape,
        /// End when the guest is switched off or the daemon starts again, rather than wait for it
        #[arg(long, conflicts_with = "log")]
        no_reconnect: bool,
    },
    /// Log in to an instance by ssh: at its public IP if it has one that answers, else from within its VPC
    Ssh(ssh::Ssh),
    /// Connect stdin and stdout to a TCP port of an instance, from within its VPC
    #[command(hide = true)]
    Proxy {
        /// Its name or id
        instance: String,
        /// The port
        port: u16,
    },
}

/// Which instances are listed.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// Only those in this state: see 'berth instance states'
    #[arg(long, value_parser = PossibleValuesParser::new(InstanceState::ALL.iter().map(|state| state.as_str())))]
    state: Option<String>,
    /// Only those of this type
    #[arg(long = "type", value_name = "TYPE")]
    instance_type: Option<String>,
    /// Only those made from this image
    #[arg(long)]
    image: Option<String>,
    #[command(flatten)]
    listing: Listing,
}

impl From<Wanted> for InstanceQuery {
    fn from(list: Wanted) -> Self {
        Self {
            state: list.state,
            r#type: list.instance_type,
            image: list.image,
            name: list.listing.name,
            sort: list.listing.sort,
            label: list.listing.by.label,
            ..Self::default()
        }
    }
}

/// Which instances.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Their names or ids
    #[arg(required = true, value_name = "INSTANCE")]
    instances: Vec<String>,
    #[command(flatten)]
    waiting: Waiting,
}

pub(crate) async fn run(verb: InstanceVerb, cx: &Context) -> anyhow::Result<ExitCode> {
    match verb {
        InstanceVerb::Create(new) => create::run(new, cx).await?,
        InstanceVerb::List { which, watching } => {
            let query = which.into();
            let fetch = async || cx.client.instances(&query).await;
            watching.show(cx, KINDS, fetch, |all| list(all)).await?;
        }
        InstanceVerb::Show { instance, watching } => {
            let fetch = async || cx.client.instance(&instance).await;
            watching.show(cx, KINDS, fetch, shown).await?;
        }
        InstanceVerb::Label(change) => {
            let labels = change.patch();
            let changed = cx.client.change_instance(&change.of, &ChangeLabels { labels }).await?;
            output::text(cx.format, &changed, shown)?;
        }
        InstanceVerb::Why { instance } => why::run(&instance, cx).await?,
        InstanceVerb::States => states::run(cx).await?,
        InstanceVerb::Start { which } => act(&which, cx, async |one| cx.client.start_instance(one).await).await?,
        InstanceVerb::Stop { which, timeout, force } => {
            let how = StopInstance {
                timeout_seconds: timeout,
                force,
            };
            act(&which, cx, async |one| cx.client.stop_instance(one, &how).await).await?;
        }
        InstanceVerb::Reboot { which, hard } => {
            let how = RebootInstance { hard };
            act(&which, cx, async |one| cx.client.reboot_instance(one, &how).await).await?;
        }
        InstanceVerb::Resize(how) => resize::run(&how, cx).await?,
        InstanceVerb::ResizeConfirm { which } => {
            act(&which, cx, async |one| cx.client.confirm_resize(one).await).await?;
        }
        InstanceVerb::ResizeRevert { which } => {
            act(&which, cx, async |one| cx.client.revert_resize(one).await).await?;
        }
        InstanceVerb::Shelve { which } => act(&which, cx, async |one| cx.client.shelve_instance(one).await).await?,
        InstanceVerb::Unshelve { which } => {
            act(&which, cx, async |one| cx.client.unshelve_instance(one).await).await?;
        }
        InstanceVerb::Delete { which, sure } => {
            sure.ask(cx, "delete", ("instance", "instances"), &which.instances, Holds::Data)?;
            act(&which, cx, async |one| cx.client.delete_instance(one).await).await?;
        }
        InstanceVerb::Console {
            instance,
            log: true,
            lines,
            ..
        } => {
            output::raw(&cx.client.console_log(&instance, lines).await?)?;
        }
        InstanceVerb::Console {
            instance,
            escape,
            no_reconnect,
            ..
        } => {
            let console = Console {
                client: &cx.client,
                instance: &instance,
                escape,
                reconnect: !no_reconnect,
            };
            console.attach().await?;
        }
        InstanceVerb::Ssh(ssh) => return ssh::run(ssh, cx).await,
        InstanceVerb::Proxy { instance, port } => {
            ssh::pipe(cx.client.connect(&instance, port).await?).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks for the same of each, waits for all, and shows them as they are then.
async fn act(
    which: &Which,
    cx: &Context,
    ask: impl AsyncFn(&str) -> Result<OperationView, ClientError>,
) -> anyhow::Result<()> {
    let mut failures = Failures::new(cx, which.instances.len());
    let follower = begun::begin(which.waiting, cx).await?;
    let operations = several::ask(&which.instances, &mut failures, ask).await;
    finish(follower, &operations, failures, cx).await
}

/// Without waiting the operations' ids are the result; else the instances as they are then.
pub(super) async fn finish(
    follower: Option<Follower>,
    operations: &[OperationView],
    mut failures: Failures<'_>,
    cx: &Context,
) -> anyhow::Result<()> {
    let ended = begun::finish(follower, operations, &mut failures).await?;
    let mut instances = Vec::with_capacity(ended.len());
    for operation in ended.iter().filter(|operation| operation.action != "delete") {
        instances.push(cx.client.instance(&operation.resource).await?);
    }
    if !instances.is_empty() {
        output::show(cx.format, &instances, |all| list(all))?;
    }
    failures.end()
}

/// From this age on a list says that it may be old: libvirt is away.
const OLD: SignedDuration = SignedDuration::from_secs(10);

/// What changes what is shown of an instance.
const KINDS: &[&str] = &["instance", "guest", "public_ip", "port", "volume"];

fn list(instances: &[InstanceView]) -> String {
    if let Some(first) = instances
        .first()
        .filter(|one| Timestamp::now().duration_since(one.as_of) > OLD)
    {
        output::error(&format!(
            "libvirt is away: this is as of {} (see 'berth host show')",
            first.as_of
        ));
    }
    let row = |one: &InstanceView| {
        let state = match &one.degraded {
            Some(why) => format!("{} ({why})", one.state),
            None => one.state.clone(),
        };
        [
            one.name.to_string(),
            state,
            one.instance_type.clone(),
            dash(one.addresses.first().map(|first| first.address)),
            dash(one.addresses.iter().find_map(|one| one.public)),
            ago(one.created_at),
        ]
    };
    lines(&table(
        ["name", "state", "type", "address", "public ip", "created"],
        instances.iter().map(row),
    ))
}

/// All its addresses, each with its public one.
fn addresses(instance: &InstanceView) -> String {
    let one = |one: &AddressView| match one.public {
        Some(public) => format!("{} (public {public})", one.address),
        None => one.address.to_string(),
    };
    joined(&instance.addresses.iter().map(one).collect::<Vec<_>>())
}

fn volumes(instance: &InstanceView) -> String {
    let all: Vec<_> = instance.volumes.iter().map(ToString::to_string).collect();
    all.join(", ")
}

fn shown(instance: &InstanceView) -> String {
    lines(&fields([
        ("id", instance.id.to_string()),
        ("name", instance.name.to_string()),
        ("project", instance.project.clone()),
        ("state", instance.state.clone()),
        ("billed", if instance.billed { "yes" } else { "no" }.to_owned()),
        ("type", instance.instance_type.clone()),
        ("image", instance.image.to_string()),
        ("key", or_dash(instance.key.as_ref())),
        ("address", addresses(instance)),
        ("volumes", volumes(instance)),
        ("labels", label::shown(&instance.labels)),
        ("created", instance.created_at.to_string()),
        ("as of", instance.as_of.to_string()),
        ("fault", or_dash(instance.fault.as_ref().map(|fault| &fault.message))),
        ("degraded", or_dash(instance.degraded.as_ref())),
        ("allowed now", instance.allowed_actions.join(", ")),
    ]))
}
