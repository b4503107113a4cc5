//! Create: from a record to a guest that runs, one documented state a step.

use berth_model::{Action, Code, InstanceState, InstanceType};
use berth_ops::{Failure, Memo, Recipe, Step, nothing};
use berth_storage::Under;
use berth_store::VolumeRecord;

use crate::context::{Context, OrFail};
use crate::{guest, space, wiring};

pub(super) const RECIPE: Recipe<Context> = Recipe {
    action: Action::Create,
    steps: &[
        Step {
            state: InstanceState::Building,
            make: build,
            unmake: unbuild,
        },
        Step {
            state: InstanceState::Scheduling,
            make: schedule,
            unmake: nothing,
        },
        Step {
            state: InstanceState::BlockDeviceMapping,
            make: map_devices,
            unmake: unmap_devices,
        },
        Step {
            state: InstanceState::Networking,
            make: connect,
            unmake: disconnect,
        },
        Step {
            state: InstanceState::Spawning,
            make: spawn,
            unmake: unspawn,
        },
        Step {
            state: InstanceState::Starting,
            make: start,
            unmake: power_off,
        },
    ],
};

/// The record is there since the request was accepted; its directory and its seed disk join it.
fn build(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    guest::disk_of_seed(cx, &cx.subject.instance.instance_type)
}

fn unbuild(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    cx.world.storage.delete_instance_dir(cx.id()).or_fail()
}

fn schedule(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    room_for(cx, &cx.subject.instance.instance_type)
}

/// One host for now: what it can't hold at all is refused before anything is made.
pub(super) fn room_for(cx: &Context, wanted: &InstanceType) -> Result<(), Failure> {
    let host = &cx.world.host().or_fail()?.facts;
    let refuse = |what: String| Err(Failure::fatal(Code::NoCapacity, what));
    if wanted.memory > host.memory {
        return refuse(format!(
            "type {} needs {} of memory and the host has {}",
            wanted.name, wanted.memory, host.memory
        ));
    }
    space::low(cx.world.storage.space().or_fail()?).or_else(|error| refuse(error.to_string()))
}

fn map_devices(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    for volume in made_with(cx) {
        let under = match volume.image {
            Some(image) => Under::Image(image),
            None => Under::Nothing,
        };
        if let Some(layer) = volume.layer {
            cx.world.storage.ensure_layer(layer, under, volume.size).or_fail()?;
        }
    }
    Ok(())
}

fn unmap_devices(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    let made: Vec<_> = made_with(cx).filter_map(|volume| volume.layer).collect();
    cx.world.storage.delete_layers(&made).or_fail()
}

/// The volumes that are made with the instance: the others were there before.
fn made_with(cx: &Context) -> impl Iterator<Item = &VolumeRecord> {
    let created = cx.subject.instance.created_at;
    cx.subject
        .volumes
        .iter()
        .filter(move |volume| volume.created_at == created)
}

fn connect(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    wiring::connect(cx, &cx.subject.instance.instance_type)
}

fn disconnect(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    wiring::disconnect(cx)
}

fn spawn(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    guest::define(cx)
}

fn unspawn(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    cx.world.hypervisor.undefine(cx.id()).or_fail()
}

fn start(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    guest::power_on(cx)
}

fn power_off(cx: &Context, _: &mut Memo) -> Result<(), Failure> {
    guest::power_off(cx)
}
