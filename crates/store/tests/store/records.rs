//! Records: what is written is read back; names, addresses and numbers are given once.

use berth_model::{Action, Code, Gib, InstanceId, Labels, Mac, Sort, Stable, VolumeId, VolumeState, VpcId};
use berth_store::{ListBy, NetworkTemplate, OperationFilter, Page, StoreError};

use crate::support::*;

on_both! {
    an_instance_is_read_back
    all_of_a_create_or_none
    addresses_are_given_once_and_free_again
    a_full_subnet_has_no_address
    lists_are_paged_by_age
    images_are_read_back_and_kept_while_in_use
    a_network_is_made_once
    what_is_gone_leaves_its_operations
}

async fn an_instance_is_read_back(bed: Bed) {
    let bytes: Vec<u8> = (0..=255).collect();
    let new = berth_store::NewInstance {
        user_data: Some(bytes.clone()),
        ..bed.new_instance("web")
    };
    let claim = bed
        .store
        .create_instances(vec![new.clone()], &by())
        .await
        .unwrap()
        .pop()
        .unwrap();
    let record = bed.get(new.id).await;
    assert_eq!(
        (&record.project, &record.name, record.image),
        (&new.project, &new.name, new.image)
    );
    assert_eq!(
        (&record.instance_type, record.operation),
        (&new.instance_type, Some(claim.operation()))
    );
    let key = record.key.clone().unwrap();
    assert_eq!(
        (key.name, key.public_key),
        (bed.key.name.clone(), bed.key.public_key.clone())
    );
    assert_eq!(bed.store.user_data(new.id).await.unwrap(), Some(bytes));
    assert_eq!(bed.store.user_data(InstanceId::new()).await.unwrap(), None);
    for reference in ["web", &new.id.to_string(), &new.id.to_string().to_uppercase()] {
        assert_eq!(bed.store.find_instance("default", reference).await.unwrap(), record);
    }
    let elsewhere = bed.store.find_instance("other", "web").await.unwrap_err();
    assert_eq!(elsewhere.to_string(), "there is no instance 'web'");
    let volume = bed.store.volume(new.root_volume).await.unwrap().unwrap();
    assert_eq!(
        (volume.instance, volume.image, volume.size),
        (Some(new.id), Some(new.image), Gib(8))
    );
    assert_eq!(
        (volume.state, volume.root, &volume.name),
        (VolumeState::Creating, true, &new.name)
    );
    assert_eq!(
        bed.store.every_volume(Page { limit: 10, after: None }).await.unwrap(),
        std::slice::from_ref(&volume)
    );
    assert_eq!(bed.store.volumes_of_instances(&[new.id]).await.unwrap(), [volume]);
    let port = bed.store.ports_of_instance(new.id).await.unwrap().pop().unwrap();
    let made = berth_store::NicOfNew::New {
        id: port.id,
        mac: port.mac,
        vpc: port.vpc,
        subnet: port.subnet,
        address: None,
        groups: None,
    };
    assert_eq!(new.nics, [made]);
    assert_eq!(port.groups, [bed.vpc.groups[0].id]);
    assert_eq!(
        bed.store.ports_of_vpc(bed.vpc.id).await.unwrap(),
        std::slice::from_ref(&port)
    );
    assert_eq!(
        bed.store
            .ports_of_instances(&[InstanceId::new(), new.id])
            .await
            .unwrap(),
        [port]
    );
    assert_eq!(bed.store.ports_of_instances(&[]).await.unwrap(), []);
}

/// A NIC on that subnet.
fn on(vpc: VpcId, subnet: berth_model::SubnetId, mac: Mac) -> berth_store::NicOfNew {
    berth_store::NicOfNew::New {
        id: berth_model::PortId::new(),
        mac,
        vpc,
        subnet,
        address: None,
        groups: None,
    }
}

async fn all_of_a_create_or_none(bed: Bed) {
    let before = bed.store.last_seq().await.unwrap();
    let twice = vec![bed.new_instance("a"), bed.new_instance("b"), bed.new_instance("a")];
    let refused = bed.store.create_instances(twice, &by()).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::AlreadyExists { what: "instance", name } if name == "a"),
        "{refused}"
    );
    for (what, new) in [
        (
            "image",
            berth_store::NewInstance {
                image: berth_model::ImageId::new(),
                ..bed.new_instance("a")
            },
        ),
        (
            "key pair",
            berth_store::NewInstance {
                key: Some(berth_model::KeyPairId::new()),
                ..bed.new_instance("a")
            },
        ),
        (
            "subnet",
            berth_store::NewInstance {
                nics: vec![on(bed.vpc.id, berth_model::SubnetId::new(), Mac::random())],
                ..bed.new_instance("a")
            },
        ),
        (
            "subnet",
            berth_store::NewInstance {
                nics: vec![on(VpcId::new(), bed.vpc.subnets[0].id, Mac::random())],
                ..bed.new_instance("a")
            },
        ),
    ] {
        let refused = bed
            .store
            .create_instances(vec![bed.new_instance("c"), new], &by())
            .await
            .unwrap_err();
        assert!(
            matches!(&refused, StoreError::NotFound { what: it, .. } if *it == what),
            "{refused}"
        );
    }
    assert_eq!(bed.store.count_instances().await.unwrap(), 0);
    assert_eq!(bed.store.last_seq().await.unwrap(), before);
    let three: Vec<_> = ["a", "b", "c"].iter().map(|named| bed.new_instance(named)).collect();
    let claims = bed.store.create_instances(three.clone(), &by()).await.unwrap();
    assert!(
        claims
            .iter()
            .map(berth_store::Claim::instance)
            .eq(three.iter().map(|new| new.id))
    );
    assert_eq!(bed.store.count_instances().await.unwrap(), 3);
}

async fn addresses_are_given_once_and_free_again(bed: Bed) {
    let new: Vec<_> = ["a", "b", "c"].iter().map(|named| bed.new_instance(named)).collect();
    let claims = bed.store.create_instances(new, &by()).await.unwrap();
    let of = async |id| {
        let port = bed.store.ports_of_instance(id).await.unwrap().pop().unwrap();
        (port.address.to_string(), port.index)
    };
    let mut given = Vec::new();
    for claim in &claims {
        given.push(of(claim.instance()).await);
    }
    let expected = [
        ("10.0.0.2".to_owned(), 1),
        ("10.0.0.3".to_owned(), 2),
        ("10.0.0.4".to_owned(), 3),
    ];
    assert_eq!(given, expected);
    finish(bed.claim(claims[1].instance(), Action::Delete).await).await;
    assert_eq!(of(bed.building().await.instance()).await, expected[1]);
    let taken = bed.store.ports_of_instance(claims[0].instance()).await.unwrap()[0].mac;
    let same = berth_store::NewInstance {
        nics: vec![on(bed.vpc.id, bed.vpc.subnets[0].id, taken)],
        ..bed.new_instance("d")
    };
    let refused = bed.store.create_instances(vec![same], &by()).await.unwrap_err();
    assert!(
        matches!(
            refused,
            StoreError::AlreadyExists {
                what: "MAC address",
                ..
            }
        ),
        "{refused}"
    );
}

async fn a_full_subnet_has_no_address(bed: Bed) {
    let template = NetworkTemplate {
        cidr: "192.168.7.0/29".parse().unwrap(),
        gateway: [192, 168, 7, 1].into(),
    };
    let vpc = bed.store.ensure_default_network("small", &template).await.unwrap();
    let on_it = |named: &str| berth_store::NewInstance {
        project: "small".to_owned(),
        nics: vec![on(vpc.id, vpc.subnets[0].id, Mac::random())],
        ..bed.new_instance(named)
    };
    let six = (0..6).map(|number| on_it(&format!("i-{number}"))).collect();
    let refused = bed.store.create_instances(six, &by()).await.unwrap_err();
    assert_eq!(refused.code(), Code::NoCapacity);
    assert!(refused.to_string().contains("192.168.7.0/29"), "{refused}");
    let five = (0..5).map(|number| on_it(&format!("i-{number}"))).collect();
    assert_eq!(bed.store.create_instances(five, &by()).await.unwrap().len(), 5);
}

async fn lists_are_paged_by_age(bed: Bed) {
    let new: Vec<_> = (0..5).map(|number| bed.new_instance(&format!("i-{number}"))).collect();
    let other = berth_store::NewInstance {
        project: "other".to_owned(),
        ..bed.new_instance("i-0")
    };
    let claims = bed.store.create_instances(new.clone(), &by()).await.unwrap();
    bed.store.create_instances(vec![other.clone()], &by()).await.unwrap();
    let ids: Vec<_> = new.iter().map(|new| new.id).collect();
    let page = async |limit, after| {
        let page = bed.store.every_instance(Page { limit, after }).await.unwrap();
        page.iter().map(|record| record.id).collect::<Vec<_>>()
    };
    assert_eq!(page(2, None).await, ids[..2]);
    assert_eq!(page(2, Some(ids[1])).await, ids[2..4]);
    assert_eq!(page(100, None).await.len(), 6);
    let by = ListBy::first(3, Sort::OLDEST);
    let operations = bed
        .store
        .list_operations(None, &OperationFilter::default(), &by)
        .await
        .unwrap();
    assert!(
        operations
            .items
            .iter()
            .map(|it| it.id)
            .eq(claims.iter().take(3).map(berth_store::Claim::operation))
    );
    let of_one = bed
        .store
        .operations_on("default", &ids[4].to_string(), Page { limit: 3, after: None })
        .await
        .unwrap();
    assert_eq!(
        of_one.iter().map(|it| it.id).collect::<Vec<_>>(),
        [claims[4].operation()]
    );
    assert_eq!(
        (of_one[0].work.action(), of_one[0].requested_by.as_str()),
        ("create", "uid 0")
    );
}

async fn images_are_read_back_and_kept_while_in_use(bed: Bed) {
    let image = image("windows");
    bed.store.insert_image(&image, &Labels::default()).await.unwrap();
    assert_eq!(bed.store.image(image.id).await.unwrap().as_ref(), Some(&image));
    assert_eq!(bed.store.find_image("default", "windows").await.unwrap(), image);
    let again = berth_store::ImageRecord {
        id: berth_model::ImageId::new(),
        ..image.clone()
    };
    assert_eq!(
        bed.store
            .insert_image(&again, &Labels::default())
            .await
            .unwrap_err()
            .code(),
        Code::AlreadyExists
    );
    let list = bed
        .store
        .every_image(Page {
            limit: 10,
            after: Some(bed.image.id),
        })
        .await
        .unwrap();
    assert_eq!(list, std::slice::from_ref(&image));

    let id = bed.resting(Stable::Active).await;
    let refused = bed.store.delete_image(bed.image.id).await.unwrap_err();
    assert_eq!(refused.code(), Code::InUse);
    let named = bed.get(id).await.name;
    assert_eq!(
        refused.to_string(),
        format!("the image is in use by instance '{named}': delete that first")
    );
    bed.store.delete_image(image.id).await.unwrap();
    assert_eq!(
        bed.store.delete_image(image.id).await.unwrap_err().code(),
        Code::NotFound
    );
    finish(bed.claim(id, Action::Delete).await).await;
    bed.store.delete_image(bed.image.id).await.unwrap();
    assert_eq!(
        bed.store.every_image(Page { limit: 10, after: None }).await.unwrap(),
        []
    );
}

async fn a_network_is_made_once(bed: Bed) {
    let template = NetworkTemplate {
        cidr: "10.9.0.0/24".parse().unwrap(),
        gateway: [10, 9, 0, 1].into(),
    };
    let again = bed.store.ensure_default_network("default", &template).await.unwrap();
    assert_eq!(again, bed.vpc);
    let ask = || {
        let store = bed.store.clone();
        tokio::spawn(async move { store.ensure_default_network("other", &template).await.unwrap() })
    };
    let (one, two) = (ask(), ask());
    let (one, two) = (one.await.unwrap(), two.await.unwrap());
    assert_eq!(one, two);
    assert_eq!((bed.vpc.index, one.index, one.subnets[0].index), (1, 2, 1));
    assert_eq!(
        (one.subnets[0].cidr, one.subnets[0].gateway),
        (template.cidr, template.gateway)
    );
    assert_eq!(bed.store.vpcs().await.unwrap(), [bed.vpc.clone(), one.clone()]);
    assert_eq!(bed.store.vpc(one.id).await.unwrap(), Some(one));
    assert_eq!(bed.store.vpc(VpcId::new()).await.unwrap(), None);
}

async fn what_is_gone_leaves_its_operations(bed: Bed) {
    let new = berth_store::NewInstance {
        user_data: Some(b"#!".to_vec()),
        ..bed.new_instance("web")
    };
    let claim = bed
        .store
        .create_instances(vec![new.clone()], &by())
        .await
        .unwrap()
        .pop()
        .unwrap();
    finish(claim).await;
    finish(bed.claim(new.id, Action::Delete).await).await;
    assert_eq!(bed.store.volume(new.root_volume).await.unwrap(), None);
    assert_eq!(bed.store.volume(VolumeId::new()).await.unwrap(), None);
    assert_eq!(bed.store.user_data(new.id).await.unwrap(), None);
    let operations = bed
        .store
        .operations_on("default", &new.id.to_string(), Page { limit: 9, after: None })
        .await
        .unwrap();
    assert_eq!(
        operations.iter().map(|it| it.work.action()).collect::<Vec<_>>(),
        ["create", "delete"]
    );
    assert!(operations.iter().all(|it| it.subject_name == "web"));
    let name_is_free = bed.new_instance("web");
    bed.store.create_instances(vec![name_is_free], &by()).await.unwrap();
}
