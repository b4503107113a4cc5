//! What is counted is what was committed: each operation once, by how it ended, whoever ended it.

use berth_model::{Action, Position, Stable};
use berth_store::{Back, Found, InstanceLine, Store};
use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::registry::Registry;

use crate::support::*;

on_both! {
    an_operation_is_counted_once_by_how_it_ended
    a_step_is_counted_when_it_is_done
    lines_tell_where_every_instance_stands_and_whose_a_port_is
}

/// The value of a series; zero if it isn't there.
fn counted(store: &Store, series: &str) -> u32 {
    let (mut registry, mut text) = (Registry::default(), String::new());
    store.metrics().register(&mut registry);
    encode(&mut text, &registry).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(series));
    value.map_or(0, |value| value.trim().parse().unwrap())
}

fn ended(store: &Store, action: Action, outcome: &str) -> u32 {
    let labels = format!("resource=\"instance\",action=\"{action}\",outcome=\"{outcome}\"");
    counted(store, &format!("berth_operations_total{{{labels}}}"))
}

async fn an_operation_is_counted_once_by_how_it_ended(bed: Bed) {
    let store = &bed.store;
    // One that another takes the place of, and that one, which succeeds.
    let shelves = bed.moving(Position::first(Action::Shelve)).await;
    assert_eq!(ended(store, Action::Shelve, "cancelled"), 0);
    finish(bed.claim(shelves.instance(), Action::Delete).await).await;
    assert_eq!(ended(store, Action::Shelve, "cancelled"), 1);
    assert_eq!(ended(store, Action::Delete, "succeeded"), 1);
    assert_eq!(ended(store, Action::Create, "succeeded"), 1);
    // One that is taken back; whoever ran it before has lost it.
    let stops = bed.moving(Position::first(Action::Stop)).await;
    let Some(Back::Instance(mut claim)) = store.cancel(stops.operation(), &by()).await.unwrap() else {
        panic!("not taken back");
    };
    assert!(!claim.undone().await.unwrap());
    claim.fall_back(Found::Running).await.unwrap();
    assert_eq!(ended(store, Action::Stop, "cancelled"), 1);
    // One that fails.
    bed.resting(Stable::Error).await;
    assert_eq!(ended(store, Action::Create, "failed"), 1);
    let duration = "berth_operation_duration_seconds_count{resource=\"instance\",action=\"create\"}";
    assert_eq!(counted(store, duration), 3);
    assert!(counted(store, "berth_store_write_duration_seconds_count") > 10);
}

async fn a_step_is_counted_when_it_is_done(bed: Bed) {
    let step = |number: u32, state: &str| {
        let labels = format!("resource=\"instance\",action=\"create\",step=\"{number}\",state=\"{state}\"");
        counted(
            &bed.store,
            &format!("berth_operation_step_duration_seconds_count{{{labels}}}"),
        )
    };
    let mut claim = bed.building().await;
    assert_eq!(step(0, "Building"), 0);
    advance(&mut claim).await;
    assert_eq!((step(0, "Building"), step(1, "Scheduling")), (1, 0));
    finish(claim).await;
    assert_eq!((step(0, "Building"), step(5, "Starting")), (1, 1));
}

async fn lines_tell_where_every_instance_stands_and_whose_a_port_is(bed: Bed) {
    let active = bed.resting(Stable::Active).await;
    let shelves = bed.moving(Position::first(Action::Shelve)).await;
    let (one, other) = (bed.get(active).await, bed.get(shelves.instance()).await);
    let lines = bed.store.instance_lines().await.unwrap();
    let wanted = [one, other].map(|record| InstanceLine {
        id: record.id,
        project: record.project,
        name: record.name,
        standing: record.standing,
        instance_type: record.instance_type,
    });
    assert_eq!(lines, wanted);
    let ports = bed.store.port_lines().await.unwrap();
    let whose: Vec<_> = ports
        .iter()
        .map(|port| (port.instance, port.slot, port.vpc_index))
        .collect();
    assert_eq!(
        whose,
        [(active, 0, bed.vpc.index), (shelves.instance(), 0, bed.vpc.index)]
    );
    bed.store.check_writable().await.unwrap();
    bed.store.close().await;
    bed.store.check_writable().await.unwrap_err();
}
