//! Properties of images: each bad one is told by its field, what isn't said has a default, an instance fits or doesn't.

#![allow(clippy::unwrap_used, reason = "tests")]

use berth_model::{Firmware, Gib, GuestClock, ImageProperties, Mib, Misfit, OsFamily};
use proptest::prelude::*;

fn with(change: impl FnOnce(&mut ImageProperties)) -> ImageProperties {
    let mut properties = ImageProperties::default();
    change(&mut properties);
    properties
}

#[test]
fn a_bad_property_is_told_by_its_field_and_the_numbers() {
    let cases = [
        (
            with(|it| it.min_disk = Gib(0)),
            "min_disk: 0 GiB is not between 1 GiB and 5120 GiB",
        ),
        (
            with(|it| it.max_volume_size = Gib(5121)),
            "max_volume_size: 5121 GiB is not between 1 GiB and 5120 GiB",
        ),
        (
            with(|it| (it.min_disk, it.max_volume_size) = (Gib(10), Gib(5))),
            "max_volume_size: 5 GiB is less than min_disk, which is 10 GiB",
        ),
        (
            with(|it| it.min_memory = Mib(u64::MAX)),
            "min_memory: 18446744073709551615 MiB is more than 16777216 MiB",
        ),
        (
            with(|it| it.stop_grace = Some(0)),
            "stop_grace: 0 is not between 1 and 3600 seconds",
        ),
        (
            with(|it| it.os_name = "x".repeat(65)),
            "os_name: 65 characters, and at most 64 are taken",
        ),
        (
            with(|it| it.os_version = "24\n04".to_owned()),
            "os_version: \"24\\n04\" has control characters, or blanks at an end",
        ),
    ];
    for (properties, says) in cases {
        assert_eq!(properties.check().unwrap_err().to_string(), says);
    }
    for user in ["", "-oProxyCommand=x", "a b", "über", "x;y", &"x".repeat(33)] {
        let refused = with(|it| user.clone_into(&mut it.user)).check().unwrap_err();
        assert_eq!(refused.field, "user", "{user:?}");
    }
    for user in ["root", "cloud-user", "Administrator", "_apt", "john.doe"] {
        with(|it| user.clone_into(&mut it.user)).check().unwrap();
    }
    let refused = with(|it| it.max_volume_size = Gib(1))
        .check_disk((1 << 30) + 1)
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "max_volume_size: 1 GiB is less than the image's own disk, which takes 2 GiB"
    );
}

#[test]
fn what_is_not_said_is_as_the_family_and_the_firmware_have_it() {
    let linux = ImageProperties::default();
    assert_eq!(
        (linux.guest_clock(), linux.speaks_hyperv(), linux.has_tpm()),
        (GuestClock::Utc, false, false)
    );
    let windows = with(|it| (it.os, it.firmware) = (OsFamily::Windows, Firmware::UefiSecureBoot));
    assert_eq!(
        (windows.guest_clock(), windows.speaks_hyperv(), windows.has_tpm()),
        (GuestClock::Localtime, true, true)
    );
    let said = ImageProperties {
        tpm: Some(false),
        clock: Some(GuestClock::Utc),
        hyperv: Some(false),
        ..windows
    };
    assert_eq!(
        (said.guest_clock(), said.speaks_hyperv(), said.has_tpm()),
        (GuestClock::Utc, false, false)
    );
}

#[test]
fn a_misfit_names_the_numbers() {
    let image = with(|it| (it.min_disk, it.min_memory, it.max_volume_size) = (Gib(4), Mib(512), Gib(8)));
    assert_eq!(
        image.check_memory(Mib(511)).unwrap_err().to_string(),
        "511 MiB of memory, and the image needs at least 512 MiB (min_memory)"
    );
    assert_eq!(image.check_memory(Mib(512)), Ok(()));
    let root = |size| image.check_root(Gib(size), 2 << 30);
    assert_eq!(
        root(1),
        Err(Misfit::RootBelowDisk {
            has: Gib(1),
            needs: Gib(2)
        })
    );
    assert_eq!(
        root(3),
        Err(Misfit::RootTooSmall {
            has: Gib(3),
            needs: Gib(4)
        })
    );
    assert_eq!(
        root(9),
        Err(Misfit::RootTooLarge {
            has: Gib(9),
            allows: Gib(8)
        })
    );
    assert_eq!((root(4), root(8)), (Ok(()), Ok(())));
}

#[test]
fn nothing_said_is_the_default_and_what_nobody_knows_is_refused() {
    assert_eq!(
        serde_json::from_str::<ImageProperties>("{}").unwrap(),
        ImageProperties::default()
    );
    assert!(serde_json::from_str::<ImageProperties>(r#"{"disk_buss": "sata"}"#).is_err());
}

proptest! {
    #[test]
    fn a_root_volume_fits_exactly_between_the_least_and_the_largest(
        least in 1..5120u64, most in 1..5120u64, disk in 0..6000u64 << 30, size in 0..6000u64,
    ) {
        let image = with(|it| (it.min_disk, it.max_volume_size) = (Gib(least), Gib(most)));
        let fits = size >= least && size >= Gib::holding(disk).0 && size <= most;
        prop_assert_eq!(image.check_root(Gib(size), disk).is_ok(), fits);
    }

    #[test]
    fn what_is_written_is_read(tpm: Option<bool>, hyperv: Option<bool>, grace: Option<u32>, least: u64, word in ".*") {
        let image = with(|it| {
            (it.tpm, it.hyperv, it.stop_grace, it.min_disk) = (tpm, hyperv, grace, Gib(least));
            it.os_name = word;
        });
        let text = serde_json::to_string(&image).unwrap();
        prop_assert_eq!(serde_json::from_str::<ImageProperties>(&text).unwrap(), image);
    }
}
