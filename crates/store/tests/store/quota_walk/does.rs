//! What may be done in a walk, and how often.

use berth_model::Resource;
use proptest::prelude::*;

/// One thing that is done; numbers choose among what there is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Does {
    Create {
        count: usize,
        more: bool,
    },
    /// Begins one of the actions that are allowed.
    Act(usize, usize),
    /// Takes the operation of an instance a step further, or to its end.
    Go(usize, bool),
    Fail(usize),
    GiveUp(usize),
    NewVolume,
    Clone(usize),
    Extend(usize),
    Snapshot(usize),
    Save(usize),
    Import {
        default: bool,
    },
    DeleteVolume(usize),
    /// Ends an operation on volumes or images.
    End(usize),
    /// It fails; whether a guest has seen an extend.
    FailTask(usize, bool),
    DeleteSnapshot(usize),
    Upload,
    Publish(usize),
    DeleteImage(usize),
    NewVpc,
    DeleteVpc(usize),
    NewSubnet(usize, u8),
    DeleteSubnet(usize),
    NewGroup(usize),
    DeleteGroup(usize),
    AddRule(usize, u16),
    RemoveRule(usize),
    Allocate,
    Release(usize),
    NewKey,
    DeleteKey(usize),
    /// Sets a quota that far above what is used, or takes it away.
    Limit(Resource, Option<i8>),
    Restart,
}

pub(super) fn does() -> impl Strategy<Value = Does> {
    let n = any::<usize>;
    let instances = prop_oneof![
        4 => (1..4_usize, any::<bool>()).prop_map(|(count, more)| Does::Create { count, more }),
        8 => (n(), n()).prop_map(|(nth, action)| Does::Act(nth, action)),
        10 => (n(), prop::bool::weighted(0.7)).prop_map(|(nth, end)| Does::Go(nth, end)),
        3 => n().prop_map(Does::Fail),
        1 => n().prop_map(Does::GiveUp),
    ];
    let volumes = prop_oneof![
        2 => Just(Does::NewVolume),
        1 => n().prop_map(Does::Clone),
        3 => n().prop_map(Does::Extend),
        2 => n().prop_map(Does::Snapshot),
        2 => n().prop_map(Does::Save),
        1 => any::<bool>().prop_map(|default| Does::Import { default }),
        1 => n().prop_map(Does::DeleteVolume),
        6 => n().prop_map(Does::End),
        3 => (n(), any::<bool>()).prop_map(|(nth, seen)| Does::FailTask(nth, seen)),
        1 => n().prop_map(Does::DeleteSnapshot),
        1 => Just(Does::Upload),
        2 => n().prop_map(Does::Publish),
        1 => n().prop_map(Does::DeleteImage),
    ];
    let networks = prop_oneof![
        Just(Does::NewVpc),
        n().prop_map(Does::DeleteVpc),
        (n(), any::<u8>()).prop_map(|(nth, third)| Does::NewSubnet(nth, third)),
        n().prop_map(Does::DeleteSubnet),
        n().prop_map(Does::NewGroup),
        n().prop_map(Does::DeleteGroup),
        (n(), 1..9_u16).prop_map(|(nth, port)| Does::AddRule(nth, port)),
        n().prop_map(Does::RemoveRule),
        Just(Does::Allocate),
        n().prop_map(Does::Release),
        Just(Does::NewKey),
        n().prop_map(Does::DeleteKey),
    ];
    let limit = (
        prop::sample::select(Resource::ALL),
        prop::option::weighted(0.6, -2..4_i8),
    );
    prop_oneof![
        10 => instances,
        8 => volumes,
        5 => networks,
        3 => limit.prop_map(|(resource, above)| Does::Limit(resource, above)),
        1 => Just(Does::Restart),
    ]
}
