//! Quotas: how limits are written, and what an instance is charged for in each standing.

#![allow(clippy::unwrap_used, reason = "tests")]

use berth_model::{
    Action, Capacity, InstanceType, Limit, Position, QuotaLimits, Resource, Stable, Standing, default_catalog,
};
use proptest::prelude::*;

fn types() -> (InstanceType, InstanceType) {
    let catalog = default_catalog();
    let named = |name: &str| catalog.iter().find(|entry| entry.name == name).unwrap().clone();
    (named("c2.xlarge"), named("r2.large"))
}

fn every_standing() -> Vec<Standing> {
    let resting = Stable::ALL.iter().map(|stable| Standing::Resting(*stable));
    let steps = |action: &Action| {
        let action = *action;
        (0..action.row().steps.len()).filter_map(move |step| Position::at(action, step))
    };
    let moving = Action::ALL.iter().flat_map(steps).flat_map(|position| {
        let froms = std::iter::once(None).chain(Stable::ALL.iter().copied().map(Some));
        froms.map(move |from| Standing::Moving { from, position })
    });
    resting.chain(moving).collect()
}

#[test]
fn nothing_is_charged_of_what_is_shelved_until_an_unshelve_is_claimed() {
    let (kind, _) = types();
    for standing in every_standing() {
        let shelved = match standing {
            Standing::Resting(stable) => stable == Stable::ShelvedOffloaded,
            Standing::Moving { from, position } => {
                from == Some(Stable::ShelvedOffloaded) && position.action() != Action::Unshelve
            }
        };
        let charged = Capacity::charged(standing, &kind, None);
        let expected = if shelved { Capacity::NONE } else { Capacity::of(&kind) };
        assert_eq!(charged, expected, "{standing:?}");
    }
}

#[test]
fn a_resize_is_charged_the_larger_of_each() {
    let (many_cpus, much_memory) = types();
    let both = Capacity {
        vcpus: many_cpus.vcpus,
        memory: much_memory.memory,
    };
    for standing in [
        Standing::Moving {
            from: Some(Stable::Active),
            position: Position::first(Action::Resize),
        },
        Standing::Resting(Stable::Resized),
    ] {
        assert_eq!(Capacity::charged(standing, &many_cpus, Some(&much_memory)), both);
        assert_eq!(Capacity::charged(standing, &much_memory, Some(&many_cpus)), both);
    }
}

#[test]
fn every_word_of_a_quota_is_read_back_and_another_is_refused_with_all_of_them() {
    for resource in Resource::ALL {
        assert_eq!(resource.as_str().parse(), Ok(*resource));
        assert_eq!(serde_json::to_value(resource).unwrap(), resource.as_str());
    }
    let message = "ram".parse::<Resource>().unwrap_err().to_string();
    assert_eq!(
        message,
        "there is no quota 'ram'; there are instances, vcpus, memory_mib, volumes, volume_gb, snapshots, images, vpcs, \
         subnets, security_groups, security_group_rules, public_ips, key_pairs"
    );
}

#[test]
fn what_can_be_no_limit_is_refused_in_words() {
    for (json, message) in [
        (
            "-1",
            "'-1' is no limit: give a number from 0 to 9223372036854775807, or 'unlimited'",
        ),
        (
            "\"no\"",
            "'no' is no limit: give a number from 0 to 9223372036854775807, or 'unlimited'",
        ),
        (
            "1.5",
            "invalid type: floating point `1.5`, expected a number from 0, or \"unlimited\"",
        ),
    ] {
        let error = serde_json::from_str::<Limit>(json).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
    assert!(serde_json::from_str::<Limit>("9223372036854775808").is_err());
    let limits: QuotaLimits = toml::from_str("vcpus = 64\nmemory_mib = \"unlimited\"").unwrap();
    assert_eq!(limits.get(Resource::Vcpus), Some(Limit::AtMost(64)));
    assert_eq!(limits.get(Resource::MemoryMib), Some(Limit::Unlimited));
    assert_eq!(limits.get(Resource::Images), None);
    let error = toml::from_str::<QuotaLimits>("cpus = 64").unwrap_err().to_string();
    assert!(
        error.contains("unknown variant `cpus`, expected one of `instances`"),
        "{error}"
    );
}

proptest! {
    #[test]
    fn a_limit_is_read_as_it_is_written(number in 0..=Limit::MAX) {
        for limit in [Limit::AtMost(number), Limit::Unlimited] {
            prop_assert_eq!(limit.to_string().parse(), Ok(limit));
            let json = serde_json::to_string(&limit).unwrap();
            prop_assert_eq!(serde_json::from_str::<Limit>(&json).unwrap(), limit);
        }
    }

    #[test]
    fn a_limit_allows_what_is_not_above_it(limit in 0..=Limit::MAX, used: u64) {
        prop_assert_eq!(Limit::AtMost(limit).allows(used), used <= limit);
        prop_assert!(Limit::Unlimited.allows(used));
    }
}
