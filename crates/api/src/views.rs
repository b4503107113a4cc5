//! Records as they are shown.

use berth_api_types::{
    AddressView, EventView, FaultView, ImageView, InstanceView, KeyPairView, OperationView, Outcome,
};
use berth_engine::{Detail, EventRecord, Fault, ImageRecord, KeyPairRecord, OperationRecord, Phase};
use berth_model::{Action, DiskFormat};

pub(crate) fn instance(detail: &Detail) -> InstanceView {
    let record = &detail.instance;
    let state = record.standing.state();
    let address = |(port, subnet): &(berth_engine::PortRecord, String)| AddressView {
        address: port.address,
        mac: port.mac,
        subnet: subnet.clone(),
    };
    InstanceView {
        id: record.id,
        name: record.name.clone(),
        project: record.project.clone(),
        state: state.to_string(),
        billed: state.billed(),
        instance_type: record.instance_type.name.clone(),
        resized_from: record.resized_from.as_ref().map(|from| from.instance_type.name.clone()),
        image: record.image,
        login: detail.login.clone(),
        key: record.key.as_ref().map(|key| key.name.to_string()),
        addresses: detail.ports.iter().map(address).collect(),
        root_volume: detail.volumes.iter().find(|volume| volume.root).map(|volume| volume.id),
        created_at: record.created_at,
        as_of: detail.as_of,
        fault: record.fault.as_ref().map(fault),
        degraded: record.degraded.clone(),
        on_crash: record.policy.on_crash,
        on_boot: record.policy.on_boot,
        allowed_actions: Action::allowed_from(record.standing)
            .iter()
            .map(ToString::to_string)
            .collect(),
        operation: record.operation.map(|id| id.to_string()),
    }
}

pub(crate) fn fault(fault: &Fault) -> FaultView {
    FaultView {
        code: fault.code,
        message: fault.message.clone(),
        at: fault.at,
    }
}

pub(crate) fn outcome(phase: Phase) -> Outcome {
    match phase {
        Phase::Running => Outcome::Running,
        Phase::Undoing => Outcome::Undoing,
        Phase::Succeeded => Outcome::Succeeded,
        Phase::Failed => Outcome::Failed,
        Phase::Cancelled => Outcome::Cancelled,
    }
}

pub(crate) fn operation(record: &OperationRecord) -> OperationView {
    OperationView {
        id: record.id,
        action: record.action.to_string(),
        instance: record.instance,
        instance_name: record.instance_name.clone(),
        outcome: outcome(record.phase),
        state: record.position.state().to_string(),
        error: record.fault.as_ref().map(fault),
        created_at: record.created_at,
        finished_at: record.finished_at,
    }
}

pub(crate) fn image(record: &ImageRecord) -> ImageView {
    ImageView {
        id: record.id,
        name: record.name.clone(),
        visibility: record.visibility,
        format: match record.format {
            DiskFormat::Qcow2 => "qcow2",
            DiskFormat::Raw => "raw",
        }
        .to_owned(),
        virtual_size: record.virtual_size,
        file_size: record.file_size,
        sha256: record.sha256.clone(),
        properties: (&record.properties).into(),
        created_at: record.created_at,
    }
}

pub(crate) fn keypair(record: &KeyPairRecord) -> KeyPairView {
    KeyPairView {
        id: record.id,
        name: record.name.clone(),
        public_key: record.public_key.clone(),
        fingerprint: record.fingerprint.clone(),
        created_at: record.created_at,
    }
}

pub(crate) fn event(record: &EventRecord) -> EventView {
    EventView {
        seq: record.seq,
        at: record.at,
        kind: record.kind.clone(),
        resource: record.resource.clone(),
        name: record.name.clone(),
        state: record.state.clone(),
        operation: record.operation.map(|id| id.to_string()),
        message: record.message.clone(),
        heard: record.heard.clone(),
    }
}
