//! Projects, members, tokens: who is what, where, and until when.

use berth_model::{Code, LabelPatch, Labels, Role, Sort, Stable, TokenId, User};
use berth_store::{Base, ListBy, OperationFilter, Page, TokenRecord};
use jiff::{SignedDuration, Timestamp};

use crate::support::{Bed, keypair, name, oldest};

on_both! {
    a_project_has_a_name_and_keeps_it
    a_member_has_one_role_in_a_project
    a_user_is_told_only_its_own_projects
    a_project_goes_only_when_nothing_is_left
    a_token_is_kept_as_a_hash_and_stays_when_revoked
    keypairs_are_read_back
    nobody_but_its_maker_deletes_a_key_pair
    what_happens_is_told_to_its_project
}

fn user(text: &str) -> User {
    text.parse().unwrap()
}

fn all<T>() -> Page<T> {
    Page {
        limit: 100,
        after: None,
    }
}

async fn a_project_has_a_name_and_keeps_it(bed: Bed) {
    let made = bed
        .store
        .create_project(&name("lab"), "for trying out", &Labels::default())
        .await
        .unwrap();
    assert_eq!(bed.store.project("lab").await.unwrap(), Some(made));
    let again = bed
        .store
        .create_project(&name("lab"), "", &Labels::default())
        .await
        .unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists);
    let described = bed
        .store
        .change_project("lab", Some("for work"), &LabelPatch::default())
        .await
        .unwrap();
    assert_eq!(described.description, "for work");
    let missing = bed
        .store
        .change_project("nowhere", Some(""), &LabelPatch::default())
        .await
        .unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    let by = ListBy::first(9, Sort::NAME);
    let listed = bed.store.list_projects(None, None, &by).await.unwrap();
    let names: Vec<_> = listed.items.iter().map(|project| project.name.as_str()).collect();
    assert_eq!(names, ["default", "lab"]);
}

async fn a_member_has_one_role_in_a_project(bed: Bed) {
    let alice = user("oidc:alice@example.com");
    assert_eq!(bed.store.role_of("default", &alice).await.unwrap(), None);
    bed.store.set_member("default", &alice, Role::Reader).await.unwrap();
    let set = bed.store.set_member("default", &alice, Role::Admin).await.unwrap();
    assert_eq!((set.user, set.role), (alice.clone(), Role::Admin));
    assert_eq!(bed.store.role_of("default", &alice).await.unwrap(), Some(Role::Admin));
    assert_eq!(bed.store.members("default", all()).await.unwrap().len(), 1);
    bed.store.remove_member("default", &alice).await.unwrap();
    assert_eq!(bed.store.role_of("default", &alice).await.unwrap(), None);
    let again = bed.store.remove_member("default", &alice).await.unwrap_err();
    assert_eq!(again.code(), Code::NotFound);
    let nowhere = bed.store.set_member("nowhere", &alice, Role::Admin).await.unwrap_err();
    assert_eq!(nowhere.code(), Code::NotFound);
}

async fn a_user_is_told_only_its_own_projects(bed: Bed) {
    for project in ["a", "b", "c"] {
        bed.store
            .create_project(&name(project), "", &Labels::default())
            .await
            .unwrap();
    }
    let (alice, bob) = (user("alice"), user("bob"));
    bed.store.set_member("a", &alice, Role::Reader).await.unwrap();
    bed.store.set_member("c", &alice, Role::Member).await.unwrap();
    bed.store.set_member("b", &bob, Role::Member).await.unwrap();
    let of = async |user: &User, only, by: &ListBy| {
        let found = bed.store.list_projects(Some(user), only, by).await.unwrap();
        let names = found.items.iter().map(|project| project.name.to_string());
        (names.collect::<Vec<_>>(), found.next)
    };
    let mut by = ListBy::first(1, Sort::NAME);
    let (first, next) = of(&alice, None, &by).await;
    assert_eq!(first, ["a"]);
    by.after = next;
    assert_eq!(of(&alice, None, &by).await, (vec!["c".to_owned()], None));
    let by = ListBy::first(9, Sort::NAME);
    assert_eq!(of(&alice, Some("c"), &by).await.0, ["c"]);
    assert!(of(&alice, Some("b"), &by).await.0.is_empty());
    let memberships = bed.store.memberships(&alice).await.unwrap();
    let memberships: Vec<_> = memberships.iter().map(|one| (one.project.as_str(), one.role)).collect();
    assert_eq!(memberships, [("a", Role::Reader), ("c", Role::Member)]);
}

async fn a_project_goes_only_when_nothing_is_left(bed: Bed) {
    let refused = bed.store.delete_project("default").await.unwrap_err();
    assert_eq!(refused.code(), Code::InUse);
    bed.store
        .create_project(&name("lab"), "", &Labels::default())
        .await
        .unwrap();
    bed.store.set_member("lab", &user("alice"), Role::Member).await.unwrap();
    let mut pair = keypair("theirs");
    pair.project = String::from("lab");
    bed.store.insert_keypair(&pair, &Labels::default()).await.unwrap();
    bed.store.delete_project("lab").await.unwrap();
    assert_eq!(bed.store.project("lab").await.unwrap(), None);
    assert!(bed.store.memberships(&user("alice")).await.unwrap().is_empty());
    assert_eq!(
        bed.store.delete_project("lab").await.unwrap_err().code(),
        Code::NotFound
    );
}

async fn a_token_is_kept_as_a_hash_and_stays_when_revoked(bed: Bed) {
    let now = Timestamp::from_microsecond(Timestamp::now().as_microsecond()).unwrap();
    let token = TokenRecord {
        id: TokenId::new(),
        name: name("ci"),
        owner: user("alice"),
        scope: Some(("default".to_owned(), Role::Member)),
        hash: "00ff".to_owned(),
        made_by: user("alice"),
        created_at: now,
        expires_at: now + SignedDuration::from_hours(1),
        last_used_at: None,
        revoked_at: None,
    };
    bed.store.insert_token(&token).await.unwrap();
    assert_eq!(bed.store.token(token.id).await.unwrap(), Some(token.clone()));
    let twin = TokenRecord {
        id: TokenId::new(),
        ..token.clone()
    };
    assert_eq!(
        bed.store.insert_token(&twin).await.unwrap_err().code(),
        Code::AlreadyExists
    );
    bed.store.token_used(token.id).await.unwrap();
    bed.store.revoke_token(token.id).await.unwrap();
    let revoked = bed.store.token(token.id).await.unwrap().unwrap();
    assert!(revoked.last_used_at.is_some() && revoked.revoked_at.is_some());
    bed.store.revoke_token(token.id).await.unwrap();
    assert_eq!(bed.store.token(token.id).await.unwrap().unwrap(), revoked);
    bed.store.insert_token(&twin).await.unwrap();
    let id = token.id.to_string();
    assert!(bed.store.find_token(Some(&user("bob")), &id).await.is_err());
    assert!(
        bed.store
            .find_token(Some(&user("alice")), "ci")
            .await
            .is_ok_and(|found| found.id == twin.id)
    );
    assert_eq!(bed.store.tokens(Some(&user("alice")), all()).await.unwrap().len(), 2);
    assert_eq!(bed.store.tokens(Some(&user("bob")), all()).await.unwrap().len(), 0);
    let operators = TokenRecord {
        id: TokenId::new(),
        scope: None,
        owner: user("bob"),
        ..token.clone()
    };
    bed.store.insert_token(&operators).await.unwrap();
    assert_eq!(bed.store.token(operators.id).await.unwrap().unwrap().scope, None);
}

async fn keypairs_are_read_back(bed: Bed) {
    let id = bed.resting(Stable::Active).await;
    assert_eq!(
        bed.store
            .find_keypair("default", &bed.key.id.to_string())
            .await
            .unwrap(),
        bed.key
    );
    assert_eq!(
        bed.store
            .insert_keypair(&keypair("laptop"), &Labels::default())
            .await
            .unwrap_err()
            .code(),
        Code::AlreadyExists
    );
    assert_eq!(
        bed.store.list_keypairs("default", &oldest()).await.unwrap().items,
        std::slice::from_ref(&bed.key)
    );
    bed.store.delete_keypair(bed.key.id, &bed.key.owner).await.unwrap();
    assert_eq!(
        bed.store
            .delete_keypair(bed.key.id, &bed.key.owner)
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
    assert_eq!(
        bed.get(id).await.key.unwrap().public_key,
        bed.key.public_key,
        "the instance keeps it"
    );
}

async fn nobody_but_its_maker_deletes_a_key_pair(bed: Bed) {
    let refused = bed.store.delete_keypair(bed.key.id, &user("alice")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Forbidden);
    assert!(refused.to_string().contains("local:root"), "{refused}");
    bed.store.delete_keypair(bed.key.id, &User::root()).await.unwrap();
}

async fn what_happens_is_told_to_its_project(bed: Bed) {
    bed.store
        .create_project(&name("lab"), "", &Labels::default())
        .await
        .unwrap();
    let mut pair = keypair("theirs");
    pair.project = String::from("lab");
    bed.store.insert_keypair(&pair, &Labels::default()).await.unwrap();
    let kinds = async |project| {
        let events = bed.store.events_after(project, 0, 1000).await.unwrap();
        events.into_iter().map(|event| event.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(Some("lab")).await, ["project.created", "keypair.created"]);
    assert!(!kinds(Some("default")).await.contains(&"project.created".to_owned()));
    assert!(kinds(None).await.len() > 2);
    let (mut new, task) = crate::tasks::create(Base::default(), None);
    new.project = String::from("lab");
    let claim = bed
        .store
        .create_volume(&new, task, &crate::support::by())
        .await
        .unwrap();
    let of = async |project| {
        let found = bed
            .store
            .list_operations(project, &OperationFilter::default(), &oldest())
            .await
            .unwrap();
        found
            .items
            .into_iter()
            .map(|operation| operation.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(of(Some("lab")).await, [claim.operation()]);
    assert!(of(Some("default")).await.is_empty());
    assert_eq!(
        kinds(Some("lab")).await.last().map(String::as_str),
        Some("volume.state")
    );
}
