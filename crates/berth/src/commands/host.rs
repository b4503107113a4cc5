//! `berth host …`

use clap::Subcommand;

use crate::commands::Context;
use crate::output::{self, bytes, fields, or_dash};

#[derive(Debug, Subcommand)]
pub(crate) enum HostVerb {
    /// Show the host: its hypervisor, what guests run on and why, its room
    Show,
}

pub(crate) async fn run(verb: HostVerb, cx: &Context) -> anyhow::Result<()> {
    let HostVerb::Show = verb;
    let host = cx.client.host().await?;
    output::print(cx.format, &host, |host| {
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
            ("direct i/o", if host.direct_io { "yes" } else { "no" }.to_owned()),
            ("database", host.database.clone()),
            ("instances", host.instances.to_string()),
        ])
    })?;
    Ok(())
}
