//! The catalog of instance types as a configuration file writes it.

use std::collections::HashSet;

use berth_model::{Code, InstanceType};

use crate::failure::Failure;

/// The catalog: the file's if it has one, else the default.
pub(crate) fn catalog(written: Vec<InstanceType>) -> Result<Vec<InstanceType>, Failure> {
    if written.is_empty() {
        return Ok(berth_model::default_catalog());
    }
    let mut names = HashSet::new();
    for entry in &written {
        check(entry)?;
        if !names.insert(entry.name.as_str()) {
            return Err(wrong(&entry.name, "is there twice"));
        }
    }
    Ok(written)
}

fn check(entry: &InstanceType) -> Result<(), Failure> {
    if entry.name.parse::<berth_model::Name>().is_err() {
        return Err(wrong(&entry.name, "is not a name such as m2.large"));
    }
    if !(1..=1024).contains(&entry.vcpus) {
        return Err(wrong(&entry.name, "needs 1 to 1024 vcpus"));
    }
    if entry.memory.0 < 32 {
        return Err(wrong(&entry.name, "needs a memory of at least 32 (MiB)"));
    }
    if !(berth_model::VOLUME_MIN..=berth_model::VOLUME_MAX).contains(&entry.storage) {
        return Err(wrong(&entry.name, "needs a storage of 1 to 5120 (GiB)"));
    }
    if entry.nics == 0 || entry.bandwidth == 0 {
        return Err(wrong(&entry.name, "needs nics and bandwidth of at least 1"));
    }
    Ok(())
}

fn wrong(name: &str, why: &str) -> Failure {
    Failure::new(
        Code::InvalidArgument,
        format!("configuration: instance type '{name}' {why}"),
    )
}
