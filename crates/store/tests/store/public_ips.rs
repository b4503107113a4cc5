//! Public IPs: given once, static or ephemeral, and back in their pool when they should be.

use berth_model::{Action, Code, Labels, PublicIpKind, PublicIpPool, Stable};
use berth_store::{NewInstance, PublicIpFilter, PublicIpOfNew};

use crate::networks::{active, new_port};
use crate::support::*;

on_both! {
    a_public_ip_is_given_once
    an_ephemeral_public_ip_goes_when_its_instance_is_off
    the_public_ip_of_a_new_instance
}

pub(crate) fn pool(ranges: &[&str]) -> PublicIpPool {
    PublicIpPool {
        name: "public".to_owned(),
        interface: None,
        ranges: ranges.iter().map(|range| range.parse().unwrap()).collect(),
    }
}

async fn a_public_ip_is_given_once(bed: Bed) {
    let pools = [pool(&["203.0.113.8/31"])];
    let allocate = async |wanted: Option<&str>| {
        let wanted = wanted.map(|wanted| wanted.parse().unwrap());
        bed.store
            .allocate_public_ip("default", &pools, wanted, &Labels::default())
            .await
    };
    let one = allocate(None).await.unwrap();
    assert_eq!(
        (one.address.to_string().as_str(), one.kind),
        ("203.0.113.8", PublicIpKind::Static)
    );
    assert_eq!(
        allocate(Some("203.0.113.8")).await.unwrap_err().code(),
        Code::AlreadyExists
    );
    assert_eq!(
        allocate(Some("203.0.113.77")).await.unwrap_err().code(),
        Code::NoCapacity
    );
    let two = allocate(None).await.unwrap();
    assert_eq!(allocate(None).await.unwrap_err().code(), Code::NoCapacity);
    let none = bed
        .store
        .allocate_public_ip("default", &[], None, &Labels::default())
        .await
        .unwrap_err();
    assert_eq!(none.to_string(), "this host has no pool of public IPs");

    let subnet = bed.vpc.subnets[0].id;
    let (a, b) = (
        bed.store.create_port(new_port(subnet)).await.unwrap().id,
        bed.store.create_port(new_port(subnet)).await.unwrap().id,
    );
    let (attached, from) = bed.store.attach_public_ip(one.id, a, false).await.unwrap();
    assert_eq!((attached.port, from), (Some(a), None));
    assert_eq!(bed.store.public_ips_of_ports(&[a, b]).await.unwrap(), [attached]);
    assert!(bed.store.attach_public_ip(two.id, a, false).await.is_err());
    assert!(bed.store.attach_public_ip(one.id, b, false).await.is_err());
    let (moved, from) = bed.store.attach_public_ip(one.id, b, true).await.unwrap();
    assert_eq!((moved.port, from), (Some(b), Some(a)));
    assert_eq!(bed.store.public_ips_in_use().await.unwrap().len(), 1);
    assert!(bed.store.release_public_ip(one.id).await.is_err());
    bed.store.delete_port(b).await.unwrap();
    assert_eq!(
        bed.store.find_public_ip("default", "203.0.113.8").await.unwrap().port,
        None
    );
    assert!(bed.store.find_public_ip("other", "203.0.113.8").await.is_err());
    bed.store.release_public_ip(one.id).await.unwrap();
    bed.store.detach_public_ip(two.id).await.unwrap();
    assert_eq!(
        bed.store
            .list_public_ips("default", &PublicIpFilter::default(), &oldest())
            .await
            .unwrap()
            .items,
        [two]
    );
    assert_eq!(
        bed.store.public_ips_per_pool().await.unwrap(),
        [("public".to_owned(), 1)]
    );
}

async fn an_ephemeral_public_ip_goes_when_its_instance_is_off(bed: Bed) {
    let pools = [pool(&["203.0.113.8/30"])];
    let web = active(&bed, 1, |new| new).await;
    let port = bed.store.ports_of_instance(web).await.unwrap()[0].id;
    let given = bed
        .store
        .give_public_ip(port, &pools, &Labels::default())
        .await
        .unwrap();
    assert_eq!((given.kind, given.port), (PublicIpKind::Ephemeral, Some(port)));
    assert!(
        bed.store
            .give_public_ip(port, &pools, &Labels::default())
            .await
            .is_err()
    );
    assert!(
        bed.store
            .attach_public_ip(given.id, port, true)
            .await
            .unwrap()
            .1
            .is_none()
    );
    finish(bed.claim(web, Action::Stop).await).await;
    assert_eq!(
        bed.get(web).await.standing,
        berth_model::Standing::Resting(Stable::Stopped)
    );
    assert_eq!(
        bed.store
            .list_public_ips("default", &PublicIpFilter::default(), &oldest())
            .await
            .unwrap()
            .items,
        []
    );
    let off = bed
        .store
        .give_public_ip(port, &pools, &Labels::default())
        .await
        .unwrap_err();
    assert!(off.to_string().contains("Stopped"), "{off}");

    finish(bed.claim(web, Action::Start).await).await;
    let again = bed
        .store
        .give_public_ip(port, &pools, &Labels::default())
        .await
        .unwrap();
    bed.store.detach_public_ip(again.id).await.unwrap();
    assert_eq!(
        bed.store
            .list_public_ips("default", &PublicIpFilter::default(), &oldest())
            .await
            .unwrap()
            .items,
        []
    );
    bed.store
        .give_public_ip(port, &pools, &Labels::default())
        .await
        .unwrap();
    finish(bed.claim(web, Action::Delete).await).await;
    assert_eq!(
        bed.store
            .list_public_ips("default", &PublicIpFilter::default(), &oldest())
            .await
            .unwrap()
            .items,
        []
    );
}

async fn the_public_ip_of_a_new_instance(bed: Bed) {
    let pools = vec![pool(&["203.0.113.8"])];
    let given = Some(PublicIpOfNew::Ephemeral(pools.clone()));
    let web = active(&bed, 1, |new| NewInstance {
        public_ip: given.clone(),
        ..new
    })
    .await;
    let port = bed.store.ports_of_instance(web).await.unwrap()[0].id;
    assert_eq!(bed.store.public_ips_of_ports(&[port]).await.unwrap().len(), 1);
    let none_left = NewInstance {
        public_ip: given,
        ..bed.new_instance("other")
    };
    let refused = bed.store.create_instances(vec![none_left], &by()).await.unwrap_err();
    assert_eq!(refused.code(), Code::NoCapacity, "{refused}");
    assert_eq!(bed.store.count_instances().await.unwrap(), 1);
    finish(bed.claim(web, Action::Delete).await).await;
    let fixed = bed
        .store
        .allocate_public_ip("default", &pools, None, &Labels::default())
        .await
        .unwrap();
    let given = Some(PublicIpOfNew::Static(fixed.id));
    let web = active(&bed, 1, |new| NewInstance {
        public_ip: given,
        ..new
    })
    .await;
    let port = bed.store.ports_of_instance(web).await.unwrap()[0].id;
    assert_eq!(
        bed.store.find_public_ip("default", "203.0.113.8").await.unwrap().port,
        Some(port)
    );
    finish(bed.claim(web, Action::Stop).await).await;
    assert_eq!(
        bed.store.find_public_ip("default", "203.0.113.8").await.unwrap().port,
        Some(port)
    );
}
