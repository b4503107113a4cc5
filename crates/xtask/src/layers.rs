//! Dependencies point downwards only: what each crate may use, as `ARCHITECTURE.md` has it.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::generated::root;

/// A crate, and the crates of ours that it may use. The test-only crates may use any.
const LAYERS: [(&str, &[&str]); 13] = [
    ("berth-model", &[]),
    ("berth-domain-xml", &["model"]),
    ("berth-storage", &["model"]),
    ("berth-network", &["model"]),
    ("berth-store", &["model"]),
    ("berth-api-types", &["model"]),
    ("berth-hypervisor", &["domain-xml", "model"]),
    ("berth-client", &["api-types", "model"]),
    ("berth-ops", &["store", "model"]),
    (
        "berth-engine",
        &[
            "domain-xml",
            "hypervisor",
            "model",
            "network",
            "ops",
            "storage",
            "store",
        ],
    ),
    ("berth-api", &["api-types", "engine", "model"]),
    ("berth", &["api-types", "client", "model"]),
    (
        "berthd",
        &["api", "engine", "hypervisor", "model", "network", "storage", "store"],
    ),
];

/// Only one crate may use each of these.
const OWNED: [(&str, &str); 4] = [
    ("virt", "berth-hypervisor"),
    ("virt-sys", "berth-hypervisor"),
    ("sqlx", "berth-store"),
    ("quick-xml", "berth-domain-xml"),
];

const TEST_ONLY: [&str; 3] = ["berth-testkit", "berth-tests", "xtask"];

#[test]
fn dependencies_point_downwards_only() -> anyhow::Result<()> {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()?;
    let layers: BTreeMap<_, _> = LAYERS.into_iter().collect();
    for package in &metadata.packages {
        let name = package.name.as_str();
        if TEST_ONLY.contains(&name) {
            continue;
        }
        let allowed = layers
            .get(name)
            .unwrap_or_else(|| panic!("{name} is in no layer: add it to the table"));
        for dependency in package
            .dependencies
            .iter()
            .filter(|one| one.kind == DependencyKind::Normal)
        {
            if let Some(ours) = dependency
                .path
                .as_ref()
                .and_then(|_| dependency.name.strip_prefix("berth-"))
            {
                assert!(allowed.contains(&ours), "{name} may not use {}", dependency.name);
            }
            if let Some((_, owner)) = OWNED.iter().find(|(owned, _)| *owned == dependency.name) {
                assert_eq!(name, *owner, "{} belongs to {owner} alone", dependency.name);
            }
        }
    }
    Ok(())
}
