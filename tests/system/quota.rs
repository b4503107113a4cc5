//! Quotas: exactly as much as there may be, however many ask at once; shown, raised, and lowered below what is used.

use berth_api_types::{ChangeQuota, CreateInstances, InstanceQuery, QuotaView};
use berth_model::{Code, Limit, Resource};
use berth_testkit::{Daemon, Host, Libvirt, Options};
use serde_json::json;

/// A daemon on libvirt's test driver, whose guests cost nothing.
fn without_guests<'a>(host: &'a Host, config: &str) -> Daemon<'a> {
    let options = Options {
        config: config.to_owned(),
        args: ["--libvirt-uri", "test:///default"].map(str::to_owned).to_vec(),
        tiny: true,
    };
    Daemon::start_with(host, options)
}

fn used(quota: &QuotaView, resource: Resource) -> u64 {
    quota.quotas.iter().find(|one| one.resource == resource).unwrap().used
}

/// A request for one instance.
fn one(number: usize) -> CreateInstances {
    let request = json!({ "name": format!("i{number}"), "image": "tiny", "type": "t1.nano" });
    serde_json::from_value(request).unwrap()
}

#[test]
fn two_hundred_creates_at_once_against_a_quota_of_fifty_give_exactly_fifty() {
    let host = Host::new(Libvirt::Absent);
    let daemon = without_guests(&host, "[quotas]\ninstances = 50\n");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = daemon.client();
        let create = |number| {
            let client = daemon.client();
            tokio::spawn(async move { client.create_instances(&one(number)).await.map(drop) })
        };
        let creates: Vec<_> = (0..200).map(create).collect();
        let mut accepted = 0;
        for create in creates {
            match create.await.unwrap() {
                Ok(()) => accepted += 1,
                Err(refused) => assert_eq!(refused.code(), Code::QuotaExceeded, "{refused}"),
            }
        }
        assert_eq!(accepted, 50);
        let quota = client.quota("default").await.unwrap();
        assert_eq!(used(&quota, Resource::Instances), 50);
        assert_eq!(used(&quota, Resource::Volumes), 50);
        assert_eq!(used(&quota, Resource::Vcpus), 50);
        assert_eq!(client.instances(&InstanceQuery::default()).await.unwrap().len(), 50);

        for instance in client.instances(&InstanceQuery::default()).await.unwrap() {
            let delete = client.delete_instance(&instance.id.to_string()).await.unwrap();
            daemon.ok(["operation", "wait", &delete.id.to_string()]);
        }
        assert_eq!(client.instances(&InstanceQuery::default()).await.unwrap(), []);
    });
    let quota = runtime.block_on(daemon.client().quota("default")).unwrap();
    for resource in [
        Resource::Instances,
        Resource::Vcpus,
        Resource::MemoryMib,
        Resource::Volumes,
        Resource::VolumeGb,
    ] {
        assert_eq!(used(&quota, resource), 0, "{resource}");
    }
    assert_eq!(daemon.json(["host", "check"])["findings"], json!([]));
}

#[test]
fn a_quota_is_set_shown_hit_and_raised() {
    let host = Host::new(Libvirt::Absent);
    let daemon = without_guests(&host, "[quotas]\nimages = 1\nkey_pairs = 2\n");
    let shown = daemon.ok(["quota", "set", "default", "vcpus=2", "memory_mib=unlimited"]);
    assert_eq!(shown, daemon.ok(["quota", "show"]));
    let row = |resource: &str| {
        let table = daemon.ok(["quota", "show", "default"]);
        let line = table
            .lines()
            .find(|line| line.split_whitespace().next() == Some(resource));
        line.unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("RESOURCE"), "RESOURCE USED LIMIT");
    assert_eq!(row("vcpus"), "vcpus 0 2");
    assert_eq!(row("memory_mib"), "memory_mib 0 unlimited");
    assert_eq!(row("images"), "images 1 1 (default)");
    assert_eq!(row("subnets"), "subnets 0 unlimited");

    let (problem, exit) = daemon.refuses([
        "instance", "create", "web", "--image", "tiny", "--type", "t1.nano", "--count", "3",
    ]);
    assert_eq!(
        (problem["code"].as_str(), problem["status"].as_u64(), exit),
        (Some("quota_exceeded"), Some(403), 4)
    );
    assert_eq!(
        problem["detail"],
        "quota vcpus of project 'default': 0 of 2 used, 3 more asked for: delete something, or ask the operator for more"
    );
    assert_eq!(row("instances"), "instances 0 unlimited", "refused as a whole");

    daemon.ok(["quota", "set", "default", "vcpus=3"]);
    daemon.ok([
        "instance", "create", "web", "--image", "tiny", "--type", "t1.nano", "--count", "3",
    ]);
    assert_eq!(row("vcpus"), "vcpus 3 3");
    daemon.ok(["quota", "set", "default", "vcpus=1", "images=default"]);
    assert_eq!(row("vcpus"), "vcpus 3 1", "nothing is taken away");
    daemon.ok(["instance", "delete", "web-1", "web-2"]);
    let create = ["instance", "create", "db", "--image", "tiny", "--type", "t1.nano"];
    assert_eq!(daemon.refuses(create).0["code"], "quota_exceeded");
    daemon.ok(["instance", "delete", "web-3"]);
    daemon.ok(create);

    let change = |limit| ChangeQuota {
        limits: [(Resource::KeyPairs, limit)].into(),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let changed = runtime
        .block_on(daemon.client().change_quota("default", &change(Some(Limit::Unlimited))))
        .unwrap();
    let pairs = changed
        .quotas
        .iter()
        .find(|one| one.resource == Resource::KeyPairs)
        .unwrap();
    assert_eq!((pairs.limit, pairs.set), (Limit::Unlimited, true));
    let changed = runtime
        .block_on(daemon.client().change_quota("default", &change(None)))
        .unwrap();
    let pairs = changed
        .quotas
        .iter()
        .find(|one| one.resource == Resource::KeyPairs)
        .unwrap();
    assert_eq!((pairs.limit, pairs.set), (Limit::AtMost(2), false));
    let nowhere = runtime.block_on(daemon.client().quota("elsewhere")).unwrap_err();
    assert_eq!(nowhere.code(), Code::NotFound);
}
