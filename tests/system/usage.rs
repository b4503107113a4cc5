//! Usage as the database and the command line have it: no second lost, none billed twice, none changed afterwards.

use std::collections::BTreeMap;

use berth_model::InstanceState;
use berth_model::metering::LedgerKind;
use berth_store::{Database, EventRecord, Store, StoreError, UsageFilter};
use berth_testkit::{Daemon, Guest, Host, Libvirt, Options};
use sqlx::{Connection as _, Executor as _};

use crate::crash::rests;

/// Reads the database of a daemon that has ended, and makes sure of its ledger: it is whole, which holds every moment of
/// every resource once, and of the instances, which are all gone, none is metered any more.
pub(crate) fn assert_whole(daemon: &Daemon<'_>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = store_of(daemon).await;
        store.verify_usage(None).await.unwrap().unwrap();
        let mut instances = 0;
        let each = |span: berth_model::metering::Span| {
            if span.kind == LedgerKind::Instance {
                instances += 1;
                assert!(span.to.is_some(), "it is gone and metered: {span:?}");
            }
            Ok::<_, StoreError>(())
        };
        let all = UsageFilter {
            elapsed: 0..i64::MAX,
            ..UsageFilter::default()
        };
        store.usage_spans(&all, each).await.unwrap();
        assert!(instances > 0, "there was no instance");
    });
}

async fn store_of(daemon: &Daemon<'_>) -> Store {
    let database = Database::Sqlite(daemon.state_dir().join("berth.db"));
    Store::open(&database).await.unwrap()
}

/// How long an instance that is gone was in each state, in microseconds, as its events have it.
async fn told(store: &Store, id: &str) -> BTreeMap<String, i64> {
    let mut events: Vec<EventRecord> = Vec::new();
    loop {
        let after = events.last().map_or(0, |event| event.seq);
        let page = store.events_after(None, after, 500).await.unwrap();
        if page.is_empty() {
            break;
        }
        events.extend(page);
    }
    let ours = |event: &EventRecord| {
        event.resource == id && matches!(event.kind.as_str(), "instance.state" | "instance.deleted")
    };
    events.retain(ours);
    let mut told = BTreeMap::new();
    for pair in events.windows(2) {
        let lasted = pair[1].at.as_microsecond() - pair[0].at.as_microsecond();
        *told.entry(pair[0].state.clone().unwrap()).or_default() += lasted;
    }
    told
}

/// Begins what is killed in the middle of it.
fn killed_in(daemon: &mut Daemon<'_>, action: &str) {
    daemon.ok(["instance", action, "web", "--no-wait"]);
    daemon.kill();
    daemon.start_again();
}

#[test]
fn a_life_with_kills_in_between_is_billed_by_the_second_and_nobody_changes_it_later() {
    let host = Host::new(Libvirt::Started);
    let config = "[prices]\ncurrency = 'EUR'\nsnapshot = '0.0001'\n[prices.volume]\nssd = '0.0002'\n".to_owned();
    let mut daemon = Daemon::start_with(
        &host,
        Options {
            config,
            tiny: true,
            ..Options::default()
        },
    );
    let id = daemon.create("web");
    Guest::of(&daemon, "web").wait_for_boot(1);
    // The guest runs on without the daemon, and is billed.
    daemon.kill();
    daemon.start_again();
    killed_in(&mut daemon, "stop");
    assert_eq!(rests(&daemon, "web").as_deref(), Some("Stopped"));
    daemon.ok(["instance", "resize", "web", "--type", "t1.micro"]);
    daemon.ok(["instance", "resize-confirm", "web"]);
    killed_in(&mut daemon, "shelve");
    assert_eq!(rests(&daemon, "web").as_deref(), Some("Shelved_offloaded"));
    daemon.ok(["instance", "unshelve", "web"]);
    daemon.ok(["instance", "delete", "web"]);

    let by_state = daemon.json(["usage", "--instance", "web", "--by-state"]);
    let bill = daemon.json(["usage", "--instance", &id]);
    let (problem, _) = daemon.refuses(["usage", "--instance", "wbe"]);
    assert_eq!(problem["code"], "not_found", "{problem}");
    let earlier = daemon.json(["usage", "--instance", "web", "--to", "2026-01-01"]);
    assert_eq!(
        earlier["lines"],
        serde_json::json!([]),
        "it wasn't there then: no error"
    );
    let all = daemon.json(["usage"]);
    let verified = daemon.json(["usage", "verify"]);
    let head = verified["head"].as_str().unwrap().to_owned();
    daemon.ok(["usage", "verify", "--head", &head]);
    daemon.kill();

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let told = runtime.block_on(async { told(&store_of(&daemon).await, &id).await });
    let mut metered = BTreeMap::new();
    for line in by_state["lines"].as_array().unwrap() {
        let state: InstanceState = line["state"].as_str().unwrap().parse().unwrap();
        assert_eq!(line["billed"], state.billed(), "{line}");
        *metered.entry(state.to_string()).or_insert(0) += line["duration_micros"].as_i64().unwrap();
    }
    assert_eq!(metered.keys().collect::<Vec<_>>(), told.keys().collect::<Vec<_>>());
    for (state, micros) in &told {
        let difference = (metered[state] - micros).abs();
        assert!(difference < 1_000_000, "{state}: {} and {micros}", metered[state]);
    }
    for state in [
        "Active",
        "Powering-off",
        "Stopped",
        "Shelving",
        "Shelved_offloaded",
        "Resized",
        "Unshelving",
    ] {
        assert!(metered.contains_key(state), "{metered:?}");
    }
    // The bill is of the billed states, at each type it had: both the old and the new one.
    let billed: i64 = metered
        .iter()
        .filter(|(state, _)| state.parse::<InstanceState>().unwrap().billed())
        .map(|(_, micros)| micros)
        .sum();
    let lines = bill["lines"].as_array().unwrap();
    let rates: Vec<_> = lines.iter().map(|line| line["rate"].as_str().unwrap()).collect();
    assert_eq!(rates, ["t1.nano", "t1.micro"]);
    let sum: i64 = lines.iter().map(|line| line["duration_micros"].as_i64().unwrap()).sum();
    assert_eq!(sum, billed);
    // Its volume was there while it was shelved too; the new type made it larger.
    let all_lines = all["lines"].as_array().unwrap().iter();
    let volumes: Vec<_> = all_lines.filter(|line| line["kind"] == "volume").collect();
    let sizes: Vec<_> = volumes.iter().map(|line| line["quantity"].as_i64().unwrap()).collect();
    assert_eq!(sizes, [1, 5], "{all}");
    let stored: i64 = volumes
        .iter()
        .map(|line| line["duration_micros"].as_i64().unwrap())
        .sum();
    assert!(stored > billed + metered["Shelved_offloaded"], "{all}");
    assert_eq!(
        (&volumes[0]["price_per_hour"], &all["currency"]),
        (&"0.0002".into(), &"EUR".into())
    );

    runtime.block_on(async {
        let url = format!("sqlite:{}", daemon.state_dir().join("berth.db").display());
        sqlx::any::install_default_drivers();
        let mut database = sqlx::AnyConnection::connect(&url).await.unwrap();
        let gift = "DROP TRIGGER ledger_stays; UPDATE ledger SET billed = 1 - billed WHERE number = 9";
        database.execute(sqlx::raw_sql(gift)).await.unwrap();
        database.close().await.unwrap();
    });
    daemon.start_again();
    let found = daemon.berth(["-o", "json", "usage", "verify"]).output().unwrap();
    let verified: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(
        (&verified["whole"], &verified["broken"]["number"], found.status.code()),
        (&false.into(), &9.into(), Some(6)),
        "{verified}"
    );
}
