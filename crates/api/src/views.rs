//! Records as they are shown.

use berth_api_types::{
    AddressView, EventView, FaultView, ImageView, InstanceView, KeyPairView, OperationView, Outcome, SnapshotView,
    VolumeView,
};
use berth_engine::{
    Consistency, Detail, EventRecord, Fault, ImageRecord, KeyPairRecord, NicDetail, OperationRecord, Phase,
    SnapshotRecord, VolumeRecord,
};
use berth_model::{Action, VolumeAction};

use crate::label::LabelsOf;

pub(crate) fn instance(detail: &Detail, labels: &LabelsOf) -> InstanceView {
    let record = &detail.instance;
    let state = record.standing.state();
    let address = |nic: &NicDetail| AddressView {
        port: nic.port.id,
        address: nic.port.address,
        mac: nic.port.mac,
        subnet: nic.subnet.clone(),
        public: nic.public,
    };
    let mut volumes: Vec<_> = detail.volumes.iter().collect();
    volumes.sort_by_key(|volume| volume.slot);
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
        addresses: detail.nics.iter().map(address).collect(),
        root_volume: detail.volumes.iter().find(|volume| volume.root).map(|volume| volume.id),
        volumes: volumes.iter().map(|volume| volume.id).collect(),
        labels: labels.of(&record.id),
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
        kind: record.work.kind().to_owned(),
        action: record.work.action().to_owned(),
        resource: record.subject.clone(),
        resource_name: record.subject_name.clone(),
        outcome: outcome(record.phase),
        state: record.work.state().map(str::to_owned),
        progress: None,
        error: record.fault.as_ref().map(fault),
        created_at: record.created_at,
        finished_at: record.finished_at,
    }
}

pub(crate) fn image(record: &ImageRecord, labels: &LabelsOf) -> ImageView {
    ImageView {
        id: record.id,
        name: record.name.clone(),
        visibility: record.visibility,
        format: record.format.to_string(),
        virtual_size: record.virtual_size,
        file_size: record.file_size,
        sha256: record.sha256.clone(),
        properties: (&record.properties).into(),
        labels: labels.of(&record.id),
        created_at: record.created_at,
    }
}

pub(crate) fn volume(record: &VolumeRecord, labels: &LabelsOf) -> VolumeView {
    let serial: String = record.id.to_string().chars().take(VIRTIO_SERIAL).collect();
    VolumeView {
        id: record.id,
        name: record.name.clone(),
        project: record.project.clone(),
        state: record.state.to_string(),
        size: record.size,
        volume_type: record.volume_type.clone(),
        image: record.image,
        instance: record.instance,
        root: record.root,
        device: record.instance.map(|_| format!("/dev/disk/by-id/virtio-{serial}")),
        delete_on_termination: record.delete_on_termination,
        fault: record.fault.as_ref().map(fault),
        labels: labels.of(&record.id),
        created_at: record.created_at,
        allowed_actions: VolumeAction::allowed_from(record.state, record.root)
            .iter()
            .filter(|_| record.operation.is_none())
            .map(ToString::to_string)
            .collect(),
        operation: record.operation.map(|id| id.to_string()),
    }
}

/// How much of a serial number virtio has room for (virtio 1.3, 5.2.6.1).
const VIRTIO_SERIAL: usize = 20;

pub(crate) fn snapshot(record: &SnapshotRecord, labels: &LabelsOf) -> SnapshotView {
    SnapshotView {
        id: record.id,
        name: record.name.clone(),
        volume: record.volume,
        volume_name: record.volume_name.clone(),
        size: record.size,
        ready: record.operation.is_none(),
        consistency: match record.consistency {
            Consistency::Crash => "crash",
            Consistency::Application => "application",
        }
        .to_owned(),
        labels: labels.of(&record.id),
        created_at: record.created_at,
    }
}

pub(crate) fn keypair(record: &KeyPairRecord, labels: &LabelsOf) -> KeyPairView {
    KeyPairView {
        id: record.id,
        name: record.name.clone(),
        owner: record.owner.clone(),
        public_key: record.public_key.clone(),
        fingerprint: record.fingerprint.clone(),
        labels: labels.of(&record.id),
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
