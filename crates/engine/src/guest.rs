//! What more than one recipe does with a guest: define it, switch it on, switch it off, connect it.
//!
//! ```text
//!   connect ─▶ define ─▶ start paused ─▶ plug the taps ─▶ resume ─▶ wait until it runs
//!   switch off ─▶ disconnect            (taps outlive the domain: they are removed here)
//! ```

use std::time::{Duration, Instant};

use berth_domain_xml::{Disk, DomainSpec, Limits, Nic, Paths};
use berth_model::metadata::config_drive;
use berth_model::{Code, DiskFormat, GuestStatus, InstanceType, LayerId, PauseReason};
use berth_network::GUEST_MTU;
use berth_ops::Failure;
use berth_store::{PortRecord, VolumeRecord};

use crate::context::{Context, OrFail, Subject};
use crate::facts::facts;
use crate::wiring;
use crate::world::World;

/// How long QEMU may take from *resume* to *running*.
const STARTED_WITHIN: Duration = Duration::from_secs(30);

/// The name of an instance's domain. The instance's own name is its title: two projects may use the same.
pub(crate) fn domain_name(subject: &Subject) -> String {
    format!("berth-{}", subject.instance.id)
}

/// Makes sure the domain is defined, as the records have it now, as that type.
pub(crate) fn define_as(cx: &Context, kind: &InstanceType) -> Result<(), Failure> {
    let volumes: Vec<_> = cx.subject.volumes.iter().collect();
    define_with(&cx.world, &cx.subject, kind, &volumes)
}

/// Makes sure the domain is defined, as that type and with these volumes.
pub(crate) fn define_with(
    world: &World,
    subject: &Subject,
    kind: &InstanceType,
    volumes: &[&VolumeRecord],
) -> Result<(), Failure> {
    let xml = written(&spec(world, subject, kind, volumes)?)?;
    world.hypervisor.define(&xml).or_fail()
}

/// The definition of the domain, as the records have it.
pub(crate) fn definition(world: &World, subject: &Subject) -> Result<String, Failure> {
    let volumes: Vec<_> = subject.volumes.iter().collect();
    written(&spec(world, subject, &subject.instance.instance_type, &volumes)?)
}

fn written(spec: &DomainSpec) -> Result<String, Failure> {
    spec.to_xml().map_err(|error| Failure::fatal(Code::Internal, error))
}

/// Makes sure the domain is defined, as the records have it now.
pub(crate) fn define(cx: &Context) -> Result<(), Failure> {
    define_as(cx, &cx.subject.instance.instance_type)
}

/// Makes sure the guest runs.
pub(crate) fn power_on(cx: &Context) -> Result<(), Failure> {
    power_on_as(cx, &cx.subject.instance.instance_type)
}

/// Makes sure the guest runs, from whatever it is in; if it has to be started, then as that type.
pub(crate) fn power_on_as(cx: &Context, kind: &InstanceType) -> Result<(), Failure> {
    let hypervisor = &cx.world.hypervisor;
    match hypervisor.status(cx.id()).or_fail()? {
        Some(GuestStatus::Running) => return Ok(()),
        // Started by this operation, before the daemon died: it goes on from there.
        Some(GuestStatus::Paused(PauseReason::StartingUp | PauseReason::Asked)) => {}
        Some(GuestStatus::Crashed | GuestStatus::Paused(_) | GuestStatus::ShuttingDown) => {
            power_off(cx)?;
            prepare(cx, kind)?;
        }
        Some(GuestStatus::Off(_)) | None => prepare(cx, kind)?,
    }
    hypervisor.start_paused(cx.id()).or_fail()?;
    wiring::plug(cx, kind)?;
    hypervisor.resume(cx.id()).or_fail()?;
    until_running(cx)
}

/// Makes sure the guest is off and has no taps; its addresses stay its own.
pub(crate) fn power_off(cx: &Context) -> Result<(), Failure> {
    cx.world.hypervisor.destroy(cx.id()).or_fail()?;
    wiring::unplug(cx)
}

/// Makes sure the host has no QEMU, no definition and no port of the guest. Its files stay.
pub(crate) fn remove(cx: &Context) -> Result<(), Failure> {
    cx.world.hypervisor.destroy(cx.id()).or_fail()?;
    cx.world.hypervisor.undefine(cx.id()).or_fail()?;
    wiring::disconnect(cx)
}

/// What has to be there before QEMU starts.
fn prepare(cx: &Context, kind: &InstanceType) -> Result<(), Failure> {
    root(cx)?;
    for volume in &cx.subject.volumes {
        let info = match volume.layer {
            Some(layer) => cx.world.storage.layer_info(layer).or_fail()?,
            None => None,
        };
        if info.is_none() {
            let instead = if volume.root {
                "delete the instance"
            } else {
                "detach it, and delete it"
            };
            let message = format!(
                "the file of volume '{}' ({}) is missing; {instead}",
                volume.name, volume.id
            );
            return Err(Failure::fatal(Code::StorageError, message));
        }
    }
    disk_of_seed(cx, kind)?;
    wiring::connect(cx, kind)?;
    define_as(cx, kind)
}

/// Makes sure the instance's directory and its seed disk, as a guest of that type reads it, are there.
pub(crate) fn disk_of_seed(cx: &Context, kind: &InstanceType) -> Result<(), Failure> {
    let files = config_drive(&facts(&cx.subject, kind));
    cx.world.storage.ensure_instance_dir(cx.id()).or_fail()?;
    cx.world.storage.ensure_seed(cx.id(), &files).or_fail()?;
    Ok(())
}

/// The root volume's record.
pub(crate) fn root(cx: &Context) -> Result<&VolumeRecord, Failure> {
    cx.subject.root.as_ref().ok_or_else(|| {
        Failure::fatal(
            Code::Internal,
            format!("instance {} has no root volume; delete it", cx.subject.instance.name),
        )
    })
}

/// The layer of the root volume that is written.
pub(crate) fn root_layer(cx: &Context) -> Result<LayerId, Failure> {
    let root = root(cx)?;
    root.layer.ok_or_else(|| {
        let message = format!("root volume {} has no file; delete the instance", root.id);
        Failure::fatal(Code::StorageError, message)
    })
}

/// Waits until a fresh query says that the guest runs.
fn until_running(cx: &Context) -> Result<(), Failure> {
    let deadline = Instant::now() + STARTED_WITHIN;
    loop {
        let status = cx.world.hypervisor.status(cx.id()).or_fail()?;
        match status {
            Some(GuestStatus::Running) => return Ok(()),
            Some(GuestStatus::Paused(_)) if Instant::now() < deadline => {}
            other => {
                let message = format!("the guest should run and libvirt says {other:?}; see its console log");
                return Err(Failure::fatal(Code::HypervisorError, message));
            }
        }
        cx.watch.next(deadline)?;
    }
}

/// The layer of a volume that is written.
pub(crate) fn layer_of(volume: &VolumeRecord) -> Result<LayerId, Failure> {
    volume.layer.ok_or_else(|| {
        let message = format!("volume '{}' ({}) has no file", volume.name, volume.id);
        Failure::fatal(Code::StorageError, message)
    })
}

/// A volume as a guest has it.
pub(crate) fn disk(world: &World, subject: &Subject, volume: &VolumeRecord) -> Result<Disk, Failure> {
    Ok(Disk {
        path: world.storage.layer_path(layer_of(volume)?),
        format: DiskFormat::Qcow2,
        bus: subject.image.properties.disk_bus,
        serial: Some(volume.id.to_string()),
        read_only: false,
        direct: world.storage.direct_io(),
        boot: volume.root,
        slot: volume.slot.unwrap_or_default(),
        limits: world.settings().limits_of(&volume.volume_type),
    })
}

/// A port as a guest has it.
pub(crate) fn nic(world: &World, subject: &Subject, port: &PortRecord) -> Nic {
    Nic {
        mac: port.mac,
        tap: world.network.tap_name(port.id),
        mtu: GUEST_MTU,
        model: subject.image.properties.nic_model,
    }
}

/// The place of the seed disk among the disks; volumes other than the root come after it.
const SEED_SLOT: u32 = 1;

fn spec(
    world: &World,
    subject: &Subject,
    kind: &InstanceType,
    volumes: &[&VolumeRecord],
) -> Result<DomainSpec, Failure> {
    let instance = &subject.instance;
    let dir = world.storage.instance_dir(instance.id);
    let image = &subject.image.properties;
    let mut disks = vec![Disk {
        path: dir.seed,
        format: DiskFormat::Raw,
        bus: image.disk_bus,
        serial: None,
        read_only: true,
        direct: false,
        boot: false,
        slot: SEED_SLOT,
        limits: Limits::default(),
    }];
    for volume in volumes {
        disks.push(disk(world, subject, volume)?);
    }
    disks.sort_by_key(|disk| disk.slot);
    Ok(DomainSpec {
        id: instance.id,
        owner: world.owner,
        name: domain_name(subject),
        title: instance.name.to_string(),
        project: instance.project.clone(),
        accel: world.host().or_fail()?.accel,
        vcpus: kind.vcpus,
        memory: kind.memory,
        firmware: image.firmware,
        tpm: image.has_tpm(),
        os: image.os,
        clock: image.guest_clock(),
        hyperv: image.speaks_hyperv(),
        disks,
        nics: subject.ports.iter().map(|port| nic(world, subject, port)).collect(),
        paths: Paths {
            console_socket: dir.console_socket,
            console_log: dir.console_log,
            vnc_socket: dir.vnc_socket,
            nvram: dir.nvram,
        },
    })
}
