//! Usage: each moment of each resource once, as what it was then; a ledger that only grows.

use berth_model::metering::{Head, LedgerKind, Price, PriceList, Report, Span, Window};
use berth_model::{Action, Gib, LabelPatch, Labels, Stable, Visibility, default_catalog};
use berth_store::{Base, PublicIpOfNew, Store, Task, UsageFilter};

use crate::support::*;
use crate::tasks::{begin_snapshot, crash_consistent, create, freeze, nothing};

on_both! {
    every_state_of_an_instance_is_a_span_and_they_follow_each_other
    a_new_type_is_billed_as_such
    a_volume_is_metered_from_when_it_is_made_until_it_is_gone
    what_is_never_made_is_never_metered
    snapshots_images_and_public_ips_are_metered_while_they_are_there
    what_the_host_was_off_is_not_metered_and_what_the_daemon_was_is
    a_clock_that_was_set_is_anchored_anew
    the_ledger_is_neither_changed_nor_shortened
    what_was_done_to_the_ledger_is_found
    the_same_price_list_is_written_down_once
    intervals_from_before_the_ledger_are_taken_over
}

const TICK: std::time::Duration = std::time::Duration::from_millis(1);

async fn spans(store: &Store) -> Vec<Span> {
    let all = UsageFilter {
        elapsed: 0..i64::MAX,
        ..UsageFilter::default()
    };
    let mut spans = Vec::new();
    let each = |span| {
        spans.push(span);
        Ok::<_, berth_store::StoreError>(())
    };
    store.usage_spans(&all, each).await.unwrap();
    spans.sort_by_key(|span: &Span| span.from);
    spans
}

/// What was metered of a resource, in its order: without gap or overlap.
pub(crate) async fn life(bed: &Bed, resource: &str) -> Vec<Span> {
    let mut spans = spans(&bed.store).await;
    spans.retain(|span| span.resource == resource);
    for pair in spans.windows(2) {
        assert_eq!(pair[0].to, Some(pair[1].from), "{pair:?}");
    }
    spans
}

/// What is metered of a kind now: how much, as what.
async fn now(bed: &Bed, kind: LedgerKind) -> Vec<(String, u64)> {
    let spans = spans(&bed.store).await.into_iter();
    let open = spans.filter(|span| span.kind == kind && span.to.is_none());
    open.map(|span| (span.rate, span.quantity)).collect()
}

async fn head(bed: &Bed) -> Head {
    bed.store.verify_usage(None).await.unwrap().unwrap()
}

async fn every_state_of_an_instance_is_a_span_and_they_follow_each_other(bed: Bed) {
    let claim = bed.building().await;
    let id = claim.instance();
    finish(claim).await;
    finish(bed.claim(id, Action::Stop).await).await;
    finish(bed.claim(id, Action::Shelve).await).await;
    finish(bed.claim(id, Action::Unshelve).await).await;
    finish(bed.claim(id, Action::Delete).await).await;
    let life = life(&bed, &id.to_string()).await;
    let states: Vec<_> = life.iter().map(|span| (span.state.as_str(), span.billed)).collect();
    assert_eq!(
        states,
        [
            ("Building", false),
            ("Scheduling", false),
            ("Block_device_mapping", false),
            ("Networking", false),
            ("Spawning", false),
            ("Starting", false),
            ("Active", true),
            ("Powering-off", true),
            ("Stopped", true),
            ("Shelving", true),
            ("Shelved_offloaded", false),
            ("Unshelving", false),
            ("Active", true),
            ("Deleting", false),
        ]
    );
    assert!(life.last().unwrap().to.is_some(), "it is gone and still metered");
    head(&bed).await;
}

async fn a_new_type_is_billed_as_such(bed: Bed) {
    let id = bed.resting(Stable::Active).await;
    finish(bed.claim(id, Action::Resize).await).await;
    finish(bed.claim(id, Action::ConfirmResize).await).await;
    let life = life(&bed, &id.to_string()).await;
    let billed: Vec<_> = life
        .iter()
        .filter(|span| span.billed)
        .map(|span| span.rate.clone())
        .collect();
    let catalog = default_catalog();
    assert_eq!(billed, [catalog[0].name.clone(), catalog[3].name.clone()]);
}

async fn a_volume_is_metered_from_when_it_is_made_until_it_is_gone(bed: Bed) {
    let (new, task) = create(Base::default(), None);
    let mut claim = bed.store.create_volume(&new, task, &by()).await.unwrap();
    claim.advance(nothing(), TICK).await.unwrap();
    assert_eq!(now(&bed, LedgerKind::Volume).await, [], "it is being made");
    claim.commit(nothing(), TICK).await.unwrap();
    assert_eq!(now(&bed, LedgerKind::Volume).await, [("ssd".to_owned(), 1)]);
    let extend = Task::ExtendVolume {
        volume: new.id,
        from: Gib(1),
        size: Gib(7),
    };
    let claim = bed.store.begin_task(extend, &by()).await.unwrap();
    assert_eq!(now(&bed, LedgerKind::Volume).await, [("ssd".to_owned(), 1)]);
    claim.commit(nothing(), TICK).await.unwrap();
    assert_eq!(now(&bed, LedgerKind::Volume).await, [("ssd".to_owned(), 7)]);
    let delete = Task::DeleteVolume { volume: new.id };
    bed.store
        .begin_task(delete, &by())
        .await
        .unwrap()
        .commit(nothing(), TICK)
        .await
        .unwrap();
    let life = life(&bed, &new.id.to_string()).await;
    let sizes: Vec<_> = life.iter().map(|span| (span.quantity, span.to.is_some())).collect();
    assert_eq!(sizes, [(1, true), (7, true)]);

    // The root volume of a shelved instance is on its shelf, and billed; the shelf itself is not.
    let id = bed.resting(Stable::ShelvedOffloaded).await;
    bed.store.forget_root_layers(id).await.unwrap();
    assert_eq!(now(&bed, LedgerKind::Volume).await, [("ssd".to_owned(), 8)]);
    let images = now(&bed, LedgerKind::Image).await;
    assert_eq!(images.len(), 1, "the project's own image and no shelf: {images:?}");
    finish(bed.claim(id, Action::Delete).await).await;
    assert_eq!(now(&bed, LedgerKind::Volume).await, []);
}

async fn what_is_never_made_is_never_metered(bed: Bed) {
    bed.resting(Stable::Error).await;
    let (new, task) = create(Base::default(), None);
    let mut claim = bed.store.create_volume(&new, task, &by()).await.unwrap();
    claim.undo(fault("no room")).await.unwrap();
    claim.fail(nothing(), None).await.unwrap();
    let volumes = spans(&bed.store)
        .await
        .into_iter()
        .filter(|span| span.kind == LedgerKind::Volume);
    assert_eq!(volumes.collect::<Vec<_>>(), []);
}

async fn snapshots_images_and_public_ips_are_metered_while_they_are_there(bed: Bed) {
    let (new, task) = create(Base::default(), None);
    let mut claim = bed.store.create_volume(&new, task, &by()).await.unwrap();
    claim.advance(nothing(), TICK).await.unwrap();
    claim.commit(nothing(), TICK).await.unwrap();
    let volume = bed.store.volume(new.id).await.unwrap().unwrap();
    let freeze = freeze(&volume);
    let claim = begin_snapshot(&bed, freeze).await.unwrap();
    assert_eq!(now(&bed, LedgerKind::Snapshot).await, [], "it is being taken");
    claim.commit(crash_consistent(), TICK).await.unwrap();
    assert_eq!(now(&bed, LedgerKind::Snapshot).await, [(String::new(), 1)]);
    bed.store.delete_snapshot(freeze.snapshot).await.unwrap();
    assert_eq!(now(&bed, LedgerKind::Snapshot).await, []);

    // 123,456,789 bytes are a GiB that was begun. An image that everybody may use is nobody's to pay.
    assert_eq!(now(&bed, LedgerKind::Image).await, [(String::new(), 1)]);
    let to = async |visibility| {
        let change = |image: &mut berth_store::ImageRecord| {
            image.visibility = visibility;
            Ok::<_, berth_store::StoreError>(())
        };
        bed.store
            .change_image(bed.image.id, change, &LabelPatch::default())
            .await
            .unwrap();
    };
    to(Visibility::Default).await;
    assert_eq!(now(&bed, LedgerKind::Image).await, []);
    to(Visibility::Private).await;
    bed.store.delete_image(bed.image.id).await.unwrap();
    assert_eq!(now(&bed, LedgerKind::Image).await, []);

    let pool = crate::public_ips::pool(&["203.0.113.0/30"]);
    let fixed = bed
        .store
        .allocate_public_ip("default", std::slice::from_ref(&pool), None, &Labels::default())
        .await
        .unwrap();
    assert_eq!(now(&bed, LedgerKind::PublicIp).await, [(pool.name.clone(), 1)]);
    bed.store.release_public_ip(fixed.id).await.unwrap();
    assert_eq!(now(&bed, LedgerKind::PublicIp).await, []);
    head(&bed).await;
}

async fn what_the_host_was_off_is_not_metered_and_what_the_daemon_was_is(mut bed: Bed) {
    let mut new = bed.new_instance("web");
    new.public_ip = Some(PublicIpOfNew::Ephemeral(vec![crate::public_ips::pool(&[
        "203.0.113.0/30",
    ])]));
    let id = new.id;
    finish(
        bed.store
            .create_instances(vec![new], &by())
            .await
            .unwrap()
            .pop()
            .unwrap(),
    )
    .await;
    bed.store.beat().await.unwrap();
    let before = bed.store.usage_basis().await.unwrap().timeline.now();

    // The same boot: the guest ran on.
    bed.restart().await;
    tokio::time::sleep(TICK).await;
    bed.store.beat().await.unwrap();
    let down = bed.store.usage_basis().await.unwrap().timeline;
    assert!(down.now() >= before + 1000, "{before} {}", down.now());
    assert_eq!(down.cut(Window::default()).len(), 1);

    // Another boot: it ended at the last beat, whatever the clocks say.
    bed.execute("UPDATE meter SET boot = 'another', alive = alive + 3600000000")
        .await;
    bed.restart().await;
    let again = bed.store.usage_basis().await.unwrap().timeline.now();
    assert!(again >= before + 3_600_000_000, "{before} {again}");
    let off = bed.claim(id, Action::Stop).await;
    finish(off).await;
    let spans = spans(&bed.store).await;
    let ip = spans.iter().find(|span| span.kind == LedgerKind::PublicIp).unwrap();
    let stopped = spans.iter().find(|span| span.state == "Stopped").unwrap();
    assert_eq!(ip.to, Some(stopped.from));
    head(&bed).await;
}

async fn a_clock_that_was_set_is_anchored_anew(bed: Bed) {
    let before = head(&bed).await.number;
    bed.store.beat().await.unwrap();
    assert_eq!(head(&bed).await.number, before, "nobody has set the clock");
    // As if it had shown an hour more until now.
    bed.execute("UPDATE meter SET skew = skew + 3600000000").await;
    bed.store.beat().await.unwrap();
    bed.store.beat().await.unwrap();
    assert_eq!(head(&bed).await.number, before + 1);
}

async fn the_ledger_is_neither_changed_nor_shortened(bed: Bed) {
    bed.resting(Stable::Active).await;
    for hostile in [
        "UPDATE ledger SET billed = 0",
        "DELETE FROM ledger WHERE number = 3",
        "DELETE FROM ledger",
    ] {
        let refused = bed.try_execute(hostile).await.unwrap_err().to_string();
        assert!(
            refused.contains("entries of the ledger are never"),
            "{hostile}: {refused}"
        );
    }
}

async fn what_was_done_to_the_ledger_is_found(bed: Bed) {
    let id = bed.resting(Stable::Active).await;
    let noted = head(&bed).await;
    finish(bed.claim(id, Action::Stop).await).await;
    assert_eq!(
        bed.store.verify_usage(Some(noted)).await.unwrap().unwrap(),
        head(&bed).await
    );

    bed.unguard_ledger().await;
    let last = head(&bed).await.number;
    let changes = [
        ("UPDATE ledger SET billed = 1 - billed WHERE number = 4", 4),
        ("UPDATE ledger SET quantity = quantity + 1 WHERE number = 5", 5),
        ("UPDATE ledger SET kind = 'gift' WHERE number = 1", 1),
    ];
    for (hostile, number) in changes {
        bed.execute(hostile).await;
        let broken = bed.store.verify_usage(None).await.unwrap().unwrap_err();
        assert_eq!(broken.number, number, "{hostile}: {broken:?}");
        let back = match number {
            4 => "UPDATE ledger SET billed = 1 - billed WHERE number = 4",
            5 => "UPDATE ledger SET quantity = quantity - 1 WHERE number = 5",
            _ => "UPDATE ledger SET kind = 'clock' WHERE number = 1",
        };
        bed.execute(back).await;
        head(&bed).await;
    }
    // What is metered now isn't in the chain; it is compared with it.
    let open = format!("DELETE FROM metered WHERE resource = '{id}'");
    bed.execute(&open).await;
    let broken = bed.store.verify_usage(None).await.unwrap().unwrap_err();
    assert_eq!(
        (broken.number, broken.reason.contains(&id.to_string())),
        (last, true),
        "{broken:?}"
    );
    bed.execute(&format!(
        "INSERT INTO metered (resource, number) VALUES ('{id}', {last})"
    ))
    .await;
    // An end that was cut off breaks nothing, but isn't there any more.
    let end = head(&bed).await;
    bed.execute(&format!("DELETE FROM metered WHERE number = {last}")).await;
    bed.execute(&format!("DELETE FROM ledger WHERE number = {last}")).await;
    bed.execute(&format!(
        "INSERT INTO metered (resource, number) VALUES ('{id}', {})",
        last - 1
    ))
    .await;
    assert_eq!(head(&bed).await.number, last - 1);
    let broken = bed.store.verify_usage(Some(end)).await.unwrap().unwrap_err();
    assert_eq!(broken.number, last, "{broken:?}");
}

async fn the_same_price_list_is_written_down_once(mut bed: Bed) {
    let list = |price: &str| PriceList {
        currency: "EUR".to_owned(),
        instance: [(default_catalog()[0].name.clone(), price.parse::<Price>().unwrap())].into(),
        ..PriceList::default()
    };
    let before = head(&bed).await.number;
    bed.store.set_prices(&list("0.36")).await.unwrap();
    bed.restart().await;
    bed.store.set_prices(&list("0.36")).await.unwrap();
    assert_eq!(head(&bed).await.number, before + 1);
    let id = bed.resting(Stable::Active).await;
    tokio::time::sleep(TICK).await;
    bed.store.set_prices(&list("0.72")).await.unwrap();
    tokio::time::sleep(TICK).await;
    let basis = bed.store.usage_basis().await.unwrap();
    assert_eq!(basis.prices.currency(), "EUR");
    let mut report = Report::new(basis.timeline.cut(Window::default()), basis.prices, false, 10);
    for span in life(&bed, &id.to_string()).await {
        report.add(&span).unwrap();
    }
    let prices: Vec<_> = report.lines().iter().map(|line| line.price.to_string()).collect();
    assert_eq!(prices, ["0.36", "0.72"], "what was billed stays as it was");
}

async fn intervals_from_before_the_ledger_are_taken_over(mut bed: Bed) {
    let id = bed.resting(Stable::Active).await;
    bed.unguard_ledger().await;
    for statement in [
        "DELETE FROM metered",
        "DELETE FROM meter",
        "UPDATE ledger SET ends = NULL",
        "DELETE FROM ledger",
        "CREATE TABLE usage_intervals (instance TEXT NOT NULL, number BIGINT NOT NULL, instance_name TEXT NOT NULL, \
         project TEXT NOT NULL, instance_type TEXT NOT NULL, began BIGINT NOT NULL, ended BIGINT, \
         PRIMARY KEY (instance, number))",
        "INSERT INTO usage_intervals VALUES ('gone', 1, 'old', 'default', 't1.nano', 1700000000000000, 1700000010000000)",
        "INSERT INTO usage_intervals VALUES ('gone', 2, 'old', 'default', 'm2.large', 1700000010000000, 1700000070000000)",
    ] {
        bed.execute(statement).await;
    }
    let open =
        format!("INSERT INTO usage_intervals VALUES ('{id}', 1, 'web', 'default', 't1.nano', 1700000060000000, NULL)");
    bed.execute(&open).await;
    bed.restart().await;
    head(&bed).await;
    let second = 1_000_000;
    let gone: Vec<_> = life(&bed, "gone")
        .await
        .into_iter()
        .map(|span| (span.rate, span.state, span.to.unwrap() - span.from))
        .collect();
    let billed = |rate: &str, seconds: i64| (rate.to_owned(), "Billed".to_owned(), seconds * second);
    assert_eq!(gone, [billed("t1.nano", 10), billed("m2.large", 60)]);
    // The one that went on was billed until the ledger began, and is in a state since.
    let life = life(&bed, &id.to_string()).await;
    let states: Vec<_> = life.iter().map(|span| span.state.as_str()).collect();
    assert_eq!(states, ["Billed", "Active"]);
    assert!(life[0].to.unwrap() - life[0].from > 365 * 86_400 * second);
    assert_eq!(now(&bed, LedgerKind::Volume).await.len(), 1);
    // By the wall clock of then.
    let window = Window {
        from: Some(1_700_000_005_000_000),
        to: Some(1_700_000_020_000_000),
    };
    let basis = bed.store.usage_basis().await.unwrap();
    let cut = basis.timeline.cut(window);
    assert_eq!(cut.first(), Some(&(5 * second..20 * second)));
    bed.restart().await;
    assert!(
        bed.try_execute("SELECT * FROM usage_intervals").await.is_err(),
        "its table is gone"
    );
}
