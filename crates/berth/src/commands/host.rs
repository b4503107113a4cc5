//! `berth host …`

use berth_api_types::{FindingView, HostCheck, HostView};
use clap::Subcommand;

use crate::cli::Format;
use crate::commands::Context;
use crate::output::{self, bytes, fields, lines, or_dash, table};

const EXAMPLES: &str = "\
Examples:
  berth host show
  berth host check
  berth host check --fix";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum HostVerb {
    /// Show the host: its hypervisor, what guests run on and why, its room
    Show,
    /// Compare the records with what libvirt, the disk and the network really hold
    Check {
        /// Put right what can be: remove what is Berth's and belongs to no record, repair what differs
        #[arg(long)]
        fix: bool,
    },
}

pub(crate) async fn run(verb: HostVerb, cx: &Context) -> anyhow::Result<()> {
    match verb {
        HostVerb::Show => show(&cx.client.host().await?, cx)?,
        HostVerb::Check { fix: false } => findings(&cx.client.check_host().await?, cx)?,
        HostVerb::Check { fix: true } => findings(&cx.client.fix_host().await?, cx)?,
    }
    Ok(())
}

fn findings(check: &HostCheck, cx: &Context) -> anyhow::Result<()> {
    if check.findings.is_empty() && cx.format == Format::Table {
        return Ok(output::line("all is as the records have it")?);
    }
    output::text(cx.format, check, |check| {
        let row = |one: &FindingView| {
            let done = one.done.as_ref().unwrap_or(&one.remedy);
            let done = match &one.error {
                Some(error) => format!("{done}: {error}"),
                None => done.replace('_', " "),
            };
            [one.kind.clone(), one.name.clone(), one.what.clone(), done]
        };
        let fixed = check.findings.iter().any(|one| one.done.is_some());
        let last = if fixed { "done" } else { "to be done" };
        lines(&table(["kind", "name", "what", last], check.findings.iter().map(row)))
    })
}

fn show(host: &HostView, cx: &Context) -> anyhow::Result<()> {
    output::print(cx.format, host, |host| {
        let libvirt = match &host.libvirt.reason {
            None if host.libvirt.up => format!("{} at {}", or_dash(host.libvirt_version.as_ref()), host.libvirt_uri),
            reason => format!("not reached at {}: {}", host.libvirt_uri, or_dash(reason.as_ref())),
        };
        let accelerator = match &host.accelerator_warning {
            Some(warning) => format!("{} ({warning})", host.accelerator),
            None => host.accelerator.clone(),
        };
        let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        fields([
            ("host", host.hostname.clone()),
            ("berth", format!("{}, installation {}", host.version, host.installation)),
            ("libvirt", libvirt),
            ("qemu", or_dash(host.qemu_version.as_ref())),
            ("accelerator", accelerator),
            ("cpus", number(host.cpus.map(u64::from))),
            ("memory", format!("{} MiB", number(host.memory_mib))),
            (
                "state",
                format!(
                    "{}, {} free of {}",
                    host.state_dir,
                    bytes(host.disk_free_bytes),
                    bytes(host.disk_bytes)
                ),
            ),
            (
                "volumes",
                format!(
                    "{} GB promised of {} GB; {} reserved, {} kept free",
                    host.disk_promised.0,
                    host.disk_promise_max.0,
                    bytes(host.disk_reserved_bytes),
                    bytes(host.disk_low_bytes)
                ),
            ),
            ("direct i/o", if host.direct_io { "yes" } else { "no" }.to_owned()),
            ("database", host.database.clone()),
            ("instances", host.instances.to_string()),
        ])
    })
}
