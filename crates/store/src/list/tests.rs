//! What a page costs: which indexes SQLite reads for it, among ten thousand.

#![allow(clippy::unwrap_used, reason = "tests")]

use berth_model::{Cursor, InstanceState, Sort, SortKey};

use super::*;
use crate::lists::{INSTANCES, InstanceFilter, instances_of};
use crate::row::sql;
use crate::{Database, Store};

/// Ten thousand instances in one project; one in fifty is labelled, and one in a thousand is in Error.
const MANY: &str = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 10000) \
                    INSERT INTO instances (id, project, name, revision, stable, instance_type, image, created_at, updated_at) \
                    SELECT 'id-' || n, 'default', 'web-' || n, 1, \
                    CASE WHEN n % 1000 = 0 THEN 'Error' ELSE 'Active' END, '{\"name\":\"t1.nano\",\"vcpus\":1}', 'image', n, n FROM n";
const LABELLED: &str = "INSERT INTO labels (project, resource, label_key, label_value) \
                        SELECT 'default', id, 'env', 'prod' FROM instances WHERE created_at % 50 = 0";

/// How a page of instances is read, and the names on it.
async fn explained(store: &Store, filter: &InstanceFilter, by: &ListBy) -> (String, Vec<String>) {
    let select = instances_of("default", filter)
        .unwrap()
        .page(INSTANCES, Some("default"), by);
    let mut plan = select.clone();
    plan.text = format!("EXPLAIN QUERY PLAN {}", plan.text);
    let rows = store.all(plan.all()).await.unwrap();
    let plan: Vec<_> = rows.iter().map(|row| row.text("detail").unwrap()).collect();
    let rows = store.all(select.all()).await.unwrap();
    let names = rows.iter().map(|row| row.text("name").unwrap());
    (plan.join("\n"), names.collect())
}

#[tokio::test]
async fn a_page_among_ten_thousand_is_read_by_indexes() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&Database::Sqlite(dir.path().join("berth.db")))
        .await
        .unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.run(sql(MANY)).await.unwrap();
    tx.run(sql(LABELLED)).await.unwrap();
    tx.commit().await.unwrap();
    let after = |sort: Sort, key: &str, id: &str| Cursor {
        sort,
        key: key.to_owned(),
        id: id.to_owned(),
    };

    let mut by = ListBy::first(100, Sort::OLDEST);
    by.labels = vec!["env=prod".parse().unwrap()];
    by.after = Some(after(Sort::OLDEST, "5000", "id-5000"));
    let (plan, names) = explained(&store, &InstanceFilter::default(), &by).await;
    assert!(
        plan.contains("labels_by_key (project=? AND label_key=? AND label_value=?)"),
        "{plan}"
    );
    assert!(plan.contains("instances_by_age (project=?"), "{plan}");
    assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{plan}");
    assert_eq!((names[0].as_str(), names.len()), ("web-5050", 100));

    let sort = Sort {
        key: SortKey::Name,
        descending: true,
    };
    let mut by = ListBy::first(100, sort);
    by.after = Some(after(sort, "web-5000", "id-5000"));
    let (plan, names) = explained(&store, &InstanceFilter::default(), &by).await;
    assert!(plan.contains("(project=? AND name<?)"), "{plan}");
    assert_eq!((names[0].as_str(), names.len()), ("web-500", 101));

    let failed = InstanceFilter {
        state: Some(InstanceState::Error),
        ..InstanceFilter::default()
    };
    let (plan, names) = explained(&store, &failed, &ListBy::first(100, Sort::OLDEST)).await;
    assert!(!plan.contains("SCAN i"), "the whole table is read: {plan}");
    assert_eq!(names.len(), 10);
}
