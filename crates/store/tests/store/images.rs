//! Images: changed as a whole or not at all, seen by whom they are for, read as older daemons wrote them.

use berth_model::{Code, Firmware, Gib, ImageProperties, LabelPatch, Labels, OsFamily, Visibility};
use berth_store::{ImageFilter, ImageRecord, StoreError};

use crate::support::*;

on_both! {
    an_image_is_changed_or_left_as_it_was
}

async fn an_image_is_changed_or_left_as_it_was(bed: Bed) {
    let image = image("windows");
    bed.store.insert_image(&image, &Labels::default()).await.unwrap();
    let changed = bed
        .store
        .change_image::<StoreError>(
            image.id,
            |image| {
                image.name = name("win");
                image.visibility = Visibility::Default;
                image.properties.max_volume_size = Gib(100);
                "Administrator".clone_into(&mut image.properties.user);
                Ok(())
            },
            &LabelPatch::default(),
        )
        .await
        .unwrap();
    assert_eq!(bed.store.image(image.id).await.unwrap().as_ref(), Some(&changed));
    assert_eq!(
        (
            changed.name.as_str(),
            changed.properties.max_volume_size,
            changed.sha256
        ),
        ("win", Gib(100), image.sha256)
    );
    let events = bed.store.events_after(None, 0, 10_000).await.unwrap();
    let told = events.last().unwrap();
    assert_eq!((told.kind.as_str(), told.name.as_str()), ("image.changed", "win"));
    // A default image is every project's; one of a project's own goes before it.
    assert_eq!(bed.store.find_image("other", "win").await.unwrap().id, image.id);
    let own = ImageRecord {
        project: "other".to_owned(),
        ..self::image("win")
    };
    bed.store.insert_image(&own, &Labels::default()).await.unwrap();
    assert_eq!(bed.store.find_image("other", "win").await.unwrap(), own);
    let list = async |visibility| {
        let filter = ImageFilter {
            visibility: Some(visibility),
            os: None,
        };
        let list = bed.store.list_images("other", filter, &oldest()).await.unwrap();
        list.items.iter().map(|image| image.id).collect::<Vec<_>>()
    };
    assert_eq!(list(Visibility::Default).await, [image.id]);
    assert_eq!(list(Visibility::Private).await, [own.id]);

    let nothing = LabelPatch::default();
    let refused =
        |change: fn(&mut ImageRecord) -> Result<(), StoreError>| bed.store.change_image(image.id, change, &nothing);
    let taken = refused(|image| {
        image.name = name("debian");
        Ok(())
    });
    assert_eq!(taken.await.unwrap_err().code(), Code::AlreadyExists);
    let interrupted = refused(|image| {
        image.name = name("lost");
        Err(StoreError::Interrupted)
    });
    interrupted.await.unwrap_err();
    assert_eq!(bed.store.image(image.id).await.unwrap().unwrap().name.as_str(), "win");
}

#[test]
fn a_shelf_in_the_journal_of_an_older_daemon_is_read() {
    let memo = serde_json::json!({
        "id": "0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b11", "project": "default", "name": "shelf-x", "format": "qcow2",
        "virtual_size": 1, "file_size": 1, "sha256": "ab", "os": "windows", "firmware": "uefi", "user": "me",
        "created_at": "2026-11-25T00:00:00Z", "shelf_of": null,
    });
    let shelf: ImageRecord = serde_json::from_value(memo).unwrap();
    assert_eq!(
        shelf.properties,
        ImageProperties {
            os: OsFamily::Windows,
            firmware: Firmware::Uefi,
            user: "me".to_owned(),
            ..ImageProperties::default()
        }
    );
}
