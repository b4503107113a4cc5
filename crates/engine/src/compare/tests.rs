//! Each kind of finding, and what is no finding.

#![allow(clippy::unwrap_used, reason = "tests")]

use berth_domain_xml::Identity;
use berth_model::{Gib, OffReason, default_catalog};
use jiff::Timestamp;

use super::*;

/// An instance at rest with its volume, and all that it has on the host.
fn whole(stable: Stable) -> (Records, Reality, InstanceId, VolumeId) {
    let (id, volume, image, owner) = (InstanceId::new(), VolumeId::new(), ImageId::new(), OwnerId::new());
    let layer = LayerId::new();
    let (name, now): (Name, _) = ("web".parse().unwrap(), Timestamp::now());
    let record = InstanceRecord {
        id,
        project: "default".to_owned(),
        name: name.clone(),
        revision: 1,
        standing: Standing::Resting(stable),
        operation: None,
        instance_type: default_catalog()[0].clone(),
        resized_from: None,
        resizing_to: None,
        image,
        key: None,
        policy: berth_model::Policy::default(),
        fault: None,
        degraded: None,
        created_at: now,
        updated_at: now,
    };
    let root = VolumeRecord {
        id: volume,
        project: "default".to_owned(),
        name: name.clone(),
        instance: Some(id),
        image: Some(image),
        layer: Some(layer),
        size: Gib(1),
        state: VolumeState::InUse,
        operation: None,
        root: true,
        slot: Some(0),
        delete_on_termination: true,
        volume_type: "ssd".to_owned(),
        fault: None,
        created_at: now,
    };
    let records = Records {
        owner,
        instances: [(id, record)].into(),
        volumes: [(volume, root)].into(),
        layers: [layer].into(),
        images: [(image, name)].into(),
        coming: HashSet::new(),
        networks: Vec::new(),
        publics: HashSet::new(),
    };
    let reality = Reality {
        domains: vec![domain(id, Some(owner))],
        files: berth_storage::Inventory {
            images: vec![image],
            layers: vec![layer],
            instances: vec![id],
            unknown: Vec::new(),
        },
        network: berth_network::Inventory::default(),
    };
    (records, reality, id, volume)
}

fn domain(id: InstanceId, owner: Option<OwnerId>) -> DomainSummary {
    DomainSummary {
        id,
        name: format!("berth-{id}"),
        status: GuestStatus::Off(OffReason::Shutdown),
        identity: owner.map(|owner| Identity { instance: id, owner }),
    }
}

fn told(records: &Records, reality: &Reality) -> Vec<(&'static str, &'static str)> {
    let found = compare(records, reality);
    found.iter().map(|finding| (finding.kind, finding.remedy())).collect()
}

#[test]
fn what_is_as_it_should_be_is_no_finding() {
    let (records, reality, ..) = whole(Stable::Stopped);
    assert_eq!(told(&records, &reality), []);
}

#[test]
fn a_domain_is_removed_only_with_our_mark_and_without_a_record() {
    let (records, mut reality, id, _) = whole(Stable::Stopped);
    reality.domains = vec![
        domain(InstanceId::new(), Some(records.owner)),
        domain(InstanceId::new(), Some(OwnerId::new())),
        domain(InstanceId::new(), None),
        domain(id, Some(OwnerId::new())),
        DomainSummary {
            name: "stranger".to_owned(),
            ..domain(InstanceId::new(), None)
        },
    ];
    let mut told = told(&records, &reality);
    told.sort_unstable();
    let none = ("domain", "none");
    assert_eq!(told, [none, none, none, ("domain", "remove")]);
}

#[test]
fn files_without_a_record_are_removed_unless_they_are_being_made() {
    let (mut records, mut reality, ..) = whole(Stable::Stopped);
    let coming = ImageId::new();
    records.coming.insert(coming);
    reality.files.images.extend([coming, ImageId::new()]);
    reality.files.layers.push(LayerId::new());
    reality.files.instances.push(InstanceId::new());
    reality.files.unknown.push("volumes/README".into());
    let expected = [
        ("directory", "remove"),
        ("file", "none"),
        ("image", "remove"),
        ("volume", "remove"),
    ];
    assert_eq!(told(&records, &reality), expected);
}

#[test]
fn what_a_record_speaks_of_and_is_not_there_is_told() {
    for stable in [Stable::Active, Stable::Stopped, Stable::Resized] {
        let (records, mut reality, ..) = whole(stable);
        reality.domains.clear();
        reality.files = berth_storage::Inventory::default();
        let files = [
            ("directory", "none"),
            ("image", "none"),
            ("instance", "repair"),
            ("volume", "none"),
        ];
        assert_eq!(told(&records, &reality), files);
    }
    let (records, mut reality, ..) = whole(Stable::Error);
    reality.domains.clear();
    (reality.files.layers, reality.files.instances) = (Vec::new(), Vec::new());
    assert_eq!(told(&records, &reality), [], "nothing is left of a failed create");
}

#[test]
fn the_file_of_a_shelved_volume_is_its_instances_to_remove() {
    let (records, mut reality, id, volume) = whole(Stable::ShelvedOffloaded);
    reality.domains.clear();
    let found = compare(&records, &reality);
    assert_eq!((found.len(), &found[0].name), (1, &volume.to_string()));
    assert_eq!(found[0].remedy, Remedy::Repair(Repair::Look(id)));
}

#[test]
fn a_vpc_without_its_namespace_is_mended_if_guests_run_in_it() {
    // A guest that runs is without its tap too.
    for (stable, expected) in [(Stable::Active, 2), (Stable::Stopped, 0)] {
        let (mut records, mut reality, id, _) = whole(stable);
        reality.domains[0].status = match stable {
            Stable::Active => GuestStatus::Running,
            _ => GuestStatus::Off(OffReason::Shutdown),
        };
        let network = NetworkRecord {
            id: VpcId::new(),
            name: "default".parse().unwrap(),
            namespace: "berth-b-1".to_owned(),
            taps: ["bt1".to_owned()].into(),
            plugged: vec![("bt1".to_owned(), id)],
            servers: 1,
            instances: [id].into(),
        };
        records.networks.push(network);
        let stray = |name: &str| Tap {
            name: name.to_owned(),
            namespace: None,
        };
        assert_eq!(told(&records, &reality).len(), expected);
        reality
            .network
            .namespaces
            .extend(["berth-b-1".to_owned(), "berth-b-2".to_owned()]);
        reality.network.taps.extend([stray("bt1"), stray("bt2")]);
        let mut left = vec![("namespace", "remove"), ("tap", "remove")];
        // On the host nobody hears it.
        if stable == Stable::Active {
            left.insert(1, ("tap", "none"));
        }
        let told: Vec<_> = told(&records, &reality)
            .into_iter()
            .filter(|one| one.0 != "network")
            .collect();
        assert_eq!(told, left);
    }
}
