//! Usage as the database holds it: no second lost, none billed twice.

use berth_model::InstanceId;
use berth_store::{Database, Page, Store};
use berth_testkit::Daemon;

/// Reads the database of a daemon that has ended, and makes sure of the usage of every instance there ever was: its
/// intervals follow each other without overlap, and none is open, since all instances are gone.
pub(crate) fn assert_whole(daemon: &Daemon<'_>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let database = Database::Sqlite(daemon.state_dir().join("berth.db"));
        let store = Store::open(&database).await.unwrap();
        let mut seen = std::collections::HashSet::new();
        let mut after = None;
        loop {
            let page = store.operations(None, None, Page { limit: 500, after }).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            seen.extend(
                page.iter()
                    .filter_map(|operation| operation.subject.parse::<InstanceId>().ok()),
            );
        }
        assert!(!seen.is_empty(), "there was no instance");
        for instance in seen {
            let intervals = store.usage(instance).await.unwrap();
            for interval in &intervals {
                let to = interval
                    .to
                    .unwrap_or_else(|| panic!("{instance} is gone and billed: {intervals:?}"));
                assert!(interval.from <= to, "{intervals:?}");
            }
            for pair in intervals.windows(2) {
                assert!(pair[0].to <= Some(pair[1].from), "billed twice: {intervals:?}");
            }
        }
    });
}
