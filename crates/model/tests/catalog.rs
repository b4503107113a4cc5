//! The catalog of images: the one that is checked in is complete; names, mirrors and checksum files are read as they are
//! meant.

#![allow(clippy::unwrap_used, reason = "tests")]

use berth_model::{
    BUILT_IN_CATALOG, Catalog, CatalogError, ChecksumFileError, Firmware, ImageProperties, Mirror, OsFamily, PullError,
    Source, find_checksum,
};
use proptest::prelude::*;

fn built_in() -> Catalog {
    Catalog::parse(BUILT_IN_CATALOG).unwrap()
}

#[test]
fn the_built_in_catalog_has_every_default_image_and_each_is_complete() {
    let catalog = built_in();
    let names: Vec<_> = catalog.entries().iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "ubuntu-20.04",
            "ubuntu-20.04-gpu",
            "ubuntu-22.04",
            "ubuntu-22.04-gpu",
            "ubuntu-24.04",
            "centos-stream-9",
            "rocky-8.10",
            "rocky-9.4",
            "alma-8.10",
            "alma-9.4",
            "windows-2019",
            "windows-2019-mssql-2019",
            "windows-2022",
        ]
    );
    for entry in catalog.entries() {
        let (name, properties) = (&entry.name, &entry.properties);
        assert!(
            !properties.os_name.is_empty() && !properties.os_version.is_empty(),
            "{name}"
        );
        assert!(
            properties.user != "root" && properties.min_disk.0 > 1 && properties.min_memory.0 > 0,
            "{name}"
        );
        match &entry.source {
            Source::Download(download) => {
                assert_eq!(properties.os, OsFamily::Linux, "{name}");
                assert_eq!(
                    (download.url.scheme(), download.checksums.scheme()),
                    ("https", "https"),
                    "{name}"
                );
                // The checksum file is beside the image, and the image has the same name in it.
                let (dir, file) = download.url.path().rsplit_once('/').unwrap();
                assert_eq!(file, download.file, "{name}");
                assert_eq!(download.checksums.path().rsplit_once('/').unwrap().0, dir, "{name}");
            }
            Source::Manual(how) => {
                assert_eq!(
                    (properties.os, properties.firmware),
                    (OsFamily::Windows, Firmware::UefiSecureBoot)
                );
                for word in [
                    format!("--name {name}"),
                    format!("--min-disk {}", properties.min_disk.0),
                ] {
                    assert!(how.contains(&word), "{name}: {word} is not in: {how}");
                }
            }
        }
    }
}

#[test]
fn an_image_is_pulled_from_its_address_or_from_the_mirror() {
    let catalog = built_in();
    let pull = catalog.pull("ubuntu-24.04", None).unwrap();
    let official = "https://cloud-images.ubuntu.com/releases/noble/release/";
    assert_eq!(
        pull.image.as_str(),
        format!("{official}ubuntu-24.04-server-cloudimg-amd64.img")
    );
    assert_eq!(pull.checksums.as_str(), format!("{official}SHA256SUMS"));
    assert_eq!(
        (pull.file.as_str(), pull.properties.user.as_str()),
        ("ubuntu-24.04-server-cloudimg-amd64.img", "ubuntu")
    );

    let there = "http://10.0.0.1:8080/os/releases/noble/release/SHA256SUMS";
    for mirror in ["http://10.0.0.1:8080/os", "http://10.0.0.1:8080/os/"] {
        let mirror: Mirror = mirror.parse().unwrap();
        assert_eq!(
            catalog.pull("ubuntu-24.04", Some(&mirror)).unwrap().checksums.as_str(),
            there
        );
    }
    let root: Mirror = "https://mirror.example.com".parse().unwrap();
    assert_eq!(
        root.of(&pull.image).as_str(),
        pull.image
            .as_str()
            .replace("cloud-images.ubuntu.com", "mirror.example.com")
    );

    for (bad, why) in [
        ("mirror.example.com/os", "'mirror.example.com/os' is not an address"),
        ("ftp://mirror/os", "is not an http or https address"),
        ("file:///etc", "is not an http or https address"),
        ("https://me:secret@mirror/os", "has a name or a password in it"),
        ("https://mirror/os?token=1", "has a query or a fragment"),
    ] {
        let refused = bad.parse::<Mirror>().unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn what_is_not_there_is_refused_with_what_may_have_been_meant() {
    let catalog = built_in();
    let refused = |name| catalog.pull(name, None).unwrap_err().to_string();
    assert_eq!(
        refused("ubuntu-24-04"),
        "the catalog has no image 'ubuntu-24-04'; did you mean ubuntu-24.04 or ubuntu-20.04 or ubuntu-22.04?"
    );
    assert!(
        refused("Alma-9").contains("did you mean alma-9.4"),
        "{}",
        refused("Alma-9")
    );
    assert_eq!(
        refused("plan9"),
        "the catalog has no image 'plan9'; 'berth image catalog' lists what it has"
    );
    let manual = catalog.pull("windows-2022", None).unwrap_err();
    assert!(matches!(manual, PullError::Manual { .. }));
    assert!(
        manual
            .to_string()
            .starts_with("'windows-2022' can't be downloaded. Microsoft publishes no disk image")
    );
}

#[test]
fn a_bad_catalog_is_told_by_the_image_and_what_is_wrong() {
    let image = |rest: &str| format!("[[image]]\nname = 'a'\ntitle = 'A'\n{rest}\n[image.properties]\n");
    let download = |url: &str, file: &str| {
        image(&format!(
            "[image.download]\nurl = '{url}'\nchecksums = 'https://x/SUMS'\nfile = '{file}'"
        ))
    };
    let manual = "manual = 'build it'";
    for (text, says) in [
        (
            image(""),
            "image 'a': needs a 'download', or a 'manual' that says how it is made",
        ),
        (image("manual = ' '"), "needs a 'download', or a 'manual'"),
        (
            download("ftp://x/a.img", "a.img"),
            "image 'a': url: 'ftp://x/a.img' is not an http or https address",
        ),
        (
            download("https://x/a.img", "../a.img"),
            "image 'a': file: needs the name",
        ),
        (download("nonsense", "a.img"), "relative URL without a base"),
        (
            image(manual) + "min_disk = 0",
            "image 'a': min_disk: 0 GiB is not between",
        ),
        (image(manual) + "colour = 'red'", "unknown field `colour`"),
        (image(manual).replace("'A'", "' '"), "image 'a': its title is empty"),
        (image(manual).replace("'a'", "'a/b'"), "a name has only letters"),
        ("image = 1".to_owned(), "invalid type"),
    ] {
        let refused = Catalog::parse(&text).unwrap_err();
        assert!(refused.to_string().contains(says), "{text}\n{refused}");
    }
    let twice = Catalog::parse(&(image(manual) + &image(manual))).unwrap_err();
    assert_eq!(twice, CatalogError::Twice("a".parse().unwrap()));
    assert_eq!(Catalog::parse("").unwrap().entries(), []);
    assert_eq!(
        Catalog::parse(&image(manual)).unwrap().entries()[0].properties,
        ImageProperties::default()
    );
}

#[test]
fn checksum_files_are_read_as_each_distribution_writes_them() {
    let (one, other, long) = ("a1".repeat(32), "B2".repeat(32), "c3".repeat(64));
    let sha256 = |digits: &str| Ok(digits.parse().unwrap());
    let gnu = format!("{one} *a.img\n{other}  b.img\n{one}  ./c.img\n{one}  a.img.manifest\n");
    assert_eq!(find_checksum(&gnu, "a.img"), sha256(&one));
    assert_eq!(find_checksum(&gnu, "b.img"), sha256(&other));
    assert_eq!(find_checksum(&gnu, "c.img"), sha256(&one));
    let bsd = format!("# a.img: 123 bytes\nSHA256 (a.img) = {one}\nSHA512 (b (1).img) = {long}\r\n");
    assert_eq!(find_checksum(&bsd, "a.img"), sha256(&one));
    assert_eq!(find_checksum(&bsd, "b (1).img"), sha256(&long));
    let signed =
        format!("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{gnu}-----BEGIN PGP SIGNATURE-----\niQIz\n");
    assert_eq!(find_checksum(&signed, "a.img"), sha256(&one));

    let both = format!("{long}  a.img\n{one}  a.img\n");
    assert_eq!(find_checksum(&both, "a.img"), sha256(&long));
    let again = format!("{one}  a.img\n{} *a.img\n", one.to_uppercase());
    assert_eq!(find_checksum(&again, "a.img"), sha256(&one));
    let differ = format!("{one}  a.img\n{other}  a.img\n");
    assert_eq!(
        find_checksum(&differ, "a.img"),
        Err(ChecksumFileError::Ambiguous("a.img".to_owned()))
    );
    for nothing in [
        "",
        "d41d8cd98f00b204e9800998ecf8427e  a.img",
        &format!("SHA512 (a.img) = {one}"),
        &format!("{one} a.img"),
    ] {
        assert_eq!(
            find_checksum(nothing, "a.img"),
            Err(ChecksumFileError::Missing("a.img".to_owned())),
            "{nothing}"
        );
    }
}

proptest! {
    #[test]
    fn either_form_gives_back_what_was_written(
        name in "[A-Za-z0-9._()-][A-Za-z0-9._() -]{0,30}[A-Za-z0-9._()-]", digits in "[0-9a-f]{64}", long in "[0-9a-f]{128}", star: bool,
    ) {
        let mark = if star { '*' } else { ' ' };
        for (text, expected) in [
            (format!("{digits} {mark}{name}\n"), digits.parse().unwrap()),
            (format!("SHA256 ({name}) = {digits}\n"), digits.parse().unwrap()),
            (format!("SHA512 ({name}) = {long}\n{digits}  {name}\n"), long.parse().unwrap()),
        ] {
            prop_assert_eq!(find_checksum(&text, &name), Ok(expected));
        }
    }

    #[test]
    fn nothing_that_is_read_panics(text in ".{0,300}", lines in "[0-9a-f]{60,70} [ *(]?(SHA256 \\(x\\) = )?x?\n{0,3}") {
        let _ = Catalog::parse(&text);
        let _ = find_checksum(&text, "x");
        let _ = find_checksum(&lines, "x");
        let _ = text.parse::<Mirror>();
        let _ = built_in().find(&text);
    }

    #[test]
    fn a_mirror_keeps_the_path_whole(base in "(/[a-z0-9.]{1,8}){0,3}/?", path in "(/[A-Za-z0-9._~-]{1,8}){1,5}") {
        let mirror: Mirror = format!("http://m{base}").parse().unwrap();
        let official = format!("https://official.example{path}");
        let there = mirror.of(&official.parse().unwrap());
        // Segments of dots are resolved by both in the same way, before they are put together.
        let official_path = official.parse::<url::Url>().unwrap().path().to_owned();
        prop_assert!(there.as_str().starts_with("http://m/"), "{}", there);
        prop_assert!(there.path().ends_with(&official_path), "{} {}", there, official_path);
    }
}
