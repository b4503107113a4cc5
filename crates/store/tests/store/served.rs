//! Which ports the network is to serve.

use berth_model::{Action, Stable};

use crate::support::*;

on_both! {
    a_port_is_served_until_its_instance_is_being_deleted
    a_port_is_not_served_while_its_instance_has_nothing_on_the_host
    a_port_is_not_served_once_its_create_is_being_undone
}

async fn a_port_is_served_until_its_instance_is_being_deleted(bed: Bed) {
    let id = bed.resting(Stable::Active).await;
    let port = bed.store.ports_of_instance(id).await.unwrap();
    assert_eq!(bed.store.served_ports_of_vpc(bed.vpc.id).await.unwrap(), port);
    let _stop = bed.claim(id, Action::Stop).await;
    assert_eq!(bed.store.served_ports_of_vpc(bed.vpc.id).await.unwrap(), port);
    let _delete = bed.claim(id, Action::Delete).await;
    assert_eq!(bed.store.served_ports_of_vpc(bed.vpc.id).await.unwrap(), []);
    assert_eq!(bed.store.ports_of_vpc(bed.vpc.id).await.unwrap(), port);
}

async fn a_port_is_not_served_while_its_instance_has_nothing_on_the_host(bed: Bed) {
    let id = bed.resting(Stable::ShelvedOffloaded).await;
    assert_eq!(bed.store.served_ports_of_vpc(bed.vpc.id).await.unwrap(), []);
    let _unshelve = bed.claim(id, Action::Unshelve).await;
    let port = bed.store.ports_of_instance(id).await.unwrap();
    assert_eq!(bed.store.served_ports_of_vpc(bed.vpc.id).await.unwrap(), port);
}

async fn a_port_is_not_served_once_its_create_is_being_undone(bed: Bed) {
    let mut create = bed.building().await;
    assert_eq!(bed.store.served_ports_of_vpc(bed.vpc.id).await.unwrap().len(), 1);
    create.undo(fault("no room")).await.unwrap();
    assert_eq!(bed.store.served_ports_of_vpc(bed.vpc.id).await.unwrap(), []);
}
