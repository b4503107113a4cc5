//! What each project has, counted from the records by queries that the store knows nothing of.

use std::collections::BTreeMap;

use berth_model::Resource;
use serde_json::Value;
use sqlx::{AnyConnection, Row as _};

/// What one query counts.
async fn number(connection: &mut AnyConnection, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(connection).await.unwrap()
}

async fn rows(connection: &mut AnyConnection, query: &'static str) -> Vec<sqlx::any::AnyRow> {
    sqlx::query(query).fetch_all(connection).await.unwrap()
}

fn parsed(row: &sqlx::any::AnyRow, column: &str) -> Value {
    let text: Option<String> = row.get(column);
    text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
}

/// What the records say, read past the store.
pub(super) async fn counted(past: &mut AnyConnection) -> BTreeMap<Resource, i64> {
    let mut counted = BTreeMap::new();
    for (resource, query) in [
        (Resource::Instances, "SELECT COUNT(*) FROM instances"),
        (Resource::Volumes, "SELECT COUNT(*) FROM volumes"),
        (
            Resource::Snapshots,
            "SELECT COUNT(*) FROM snapshots WHERE name NOT LIKE 'hidden-%'",
        ),
        (Resource::Vpcs, "SELECT COUNT(*) FROM vpcs"),
        (Resource::Subnets, "SELECT COUNT(*) FROM subnets"),
        (Resource::SecurityGroups, "SELECT COUNT(*) FROM security_groups"),
        (Resource::PublicIps, "SELECT COUNT(*) FROM public_ips"),
        (Resource::KeyPairs, "SELECT COUNT(*) FROM keypairs"),
    ] {
        counted.insert(resource, number(past, query).await);
    }
    let own = "SELECT COUNT(*) FROM images WHERE public = 0 AND shelf_of IS NULL";
    let mut images = number(past, own).await;
    let making = "SELECT params FROM operations WHERE action IN ('image.import', 'volume.save_as_image') \
                  AND finished_at IS NULL";
    for row in rows(past, making).await {
        images += i64::from(parsed(&row, "params")["image"]["visibility"] != "default");
    }
    counted.insert(Resource::Images, images);
    let mut rules = 0;
    for row in rows(past, "SELECT rules FROM security_groups").await {
        rules += parsed(&row, "rules").as_array().unwrap().len();
    }
    counted.insert(Resource::SecurityGroupRules, rules.try_into().unwrap());
    capacity(past, &mut counted).await;
    counted.insert(Resource::VolumeGb, gib(past).await);
    counted
}

/// vCPUs and memory: of the type, or of the larger of two while it is resized; none of what is shelved.
async fn capacity(past: &mut AnyConnection, counted: &mut BTreeMap<Resource, i64>) {
    let (mut vcpus, mut memory) = (0, 0);
    let instances = "SELECT i.stable, i.instance_type, i.before_resize, o.action, o.params FROM instances i \
                     LEFT JOIN operations o ON o.id = i.operation";
    for row in rows(past, instances).await {
        let (stable, action): (Option<String>, Option<String>) = (row.get("stable"), row.get("action"));
        if stable.as_deref() == Some("Shelved_offloaded") && action.as_deref() != Some("unshelve") {
            continue;
        }
        let mut types = vec![
            parsed(&row, "instance_type"),
            parsed(&row, "before_resize")["instance_type"].clone(),
        ];
        if action.as_deref() == Some("resize") {
            types.push(parsed(&row, "params")["instance_type"].clone());
        }
        let most = |property: &str| types.iter().filter_map(|kind| kind[property].as_i64()).max().unwrap();
        vcpus += most("vcpus");
        memory += most("memory");
    }
    counted.insert(Resource::Vcpus, vcpus);
    counted.insert(Resource::MemoryMib, memory);
}

/// GiB of volumes: their sizes, or the larger ones that operations in flight give them.
async fn gib(past: &mut AnyConnection) -> i64 {
    let volumes = "SELECT v.size, v.root, o.action, o.params, io.action AS resize, io.params AS of_instance \
                   FROM volumes v LEFT JOIN operations o ON o.id = v.operation \
                   LEFT JOIN instances i ON i.id = v.instance LEFT JOIN operations io ON io.id = i.operation";
    let mut gib = 0;
    for row in rows(past, volumes).await {
        let (size, root): (i64, i64) = (row.get("size"), row.get("root"));
        let (action, resize): (Option<String>, Option<String>) = (row.get("action"), row.get("resize"));
        let extended = parsed(&row, "params")["size"].as_i64();
        let grown = parsed(&row, "of_instance")["root_size"].as_i64();
        let extended = extended.filter(|_| action.as_deref() == Some("volume.extend"));
        let grown = grown.filter(|_| resize.as_deref() == Some("resize") && root == 1);
        gib += size.max(extended.unwrap_or_default()).max(grown.unwrap_or_default());
    }
    gib
}
