//! Images: from a file or an address, listed, kept while something is built on them.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};

use berth_testkit::{Daemon, Host, Libvirt, Options, tiny_image};

/// Serves these files at an address of that host, and nothing at any other path.
fn serve(host: &Host, files: Vec<(&'static str, Vec<u8>)>) -> String {
    serve_as(host, |_| files)
}

/// The same, with files that may name the address.
pub(crate) fn serve_as(host: &Host, files: impl FnOnce(&str) -> Vec<(&'static str, Vec<u8>)>) -> String {
    let listener = host.listen();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let files = files(&address);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap())
                .lines()
                .map_while(Result::ok);
            let asked = lines.next().unwrap_or_default();
            let _: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            let path = asked.split(' ').nth(1).unwrap_or_default();
            let answer = match files.iter().find(|(name, _)| *name == path) {
                Some((_, bytes)) => {
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len());
                    [head.as_bytes(), bytes].concat()
                }
                None => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
            };
            // Whoever asked may have gone away.
            let _ = stream.write_all(&answer);
        }
    });
    address
}

#[test]
fn an_image_comes_from_a_file_or_an_address_and_goes_when_nothing_needs_it() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start_with(
        &host,
        Options {
            tiny: true,
            config: "fetch_private = true\n".to_owned(),
            ..Options::default()
        },
    );
    let address = serve(&host, vec![("/image", fs::read(tiny_image()).unwrap())]);
    let before = daemon.inventory();

    let fetched = daemon.json(["image", "import", &format!("{address}/image"), "--name", "fetched"]);
    let sha256 = &daemon.json(["image", "show", "tiny"])["sha256"];
    assert_eq!(&fetched["sha256"], sha256);
    let (problem, exit) = daemon.refuses(["image", "import", &format!("{address}/nope"), "--name", "nope"]);
    assert_eq!((problem["code"].as_str(), exit), (Some("fetch_failed"), 1));
    assert!(problem["detail"].as_str().unwrap().contains("404"), "{problem}");
    let (problem, exit) = daemon.refuses(["image", "import", "ftp://127.0.0.1/image", "--name", "nope"]);
    assert_eq!((problem["code"].as_str(), exit), (Some("invalid_argument"), 2));
    let (problem, exit) = daemon.refuses(["image", "import", &format!("{address}/image"), "--name", "fetched"]);
    assert_eq!((problem["code"].as_str(), exit), (Some("already_exists"), 4));

    daemon.ok(["instance", "create", "web", "--image", "fetched", "--type", "t1.nano"]);
    let (problem, exit) = daemon.refuses(["image", "delete", "fetched"]);
    assert_eq!((problem["code"].as_str(), exit), (Some("in_use"), 4));
    daemon.ok(["instance", "delete", "web"]);
    daemon.ok(["image", "delete", "fetched"]);
    let names: Vec<_> = daemon.json(["image", "list"]).as_array().unwrap().clone();
    assert_eq!(names.iter().map(|image| &image["name"]).collect::<Vec<_>>(), ["tiny"]);
    let images = |all: &[String]| {
        all.iter()
            .filter(|line| line.contains("/images/"))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(images(&daemon.inventory()), images(&before));
}

#[test]
fn an_import_goes_on_after_the_daemon_was_killed_and_a_failed_one_leaves_nothing() {
    let host = Host::new(Libvirt::Started);
    let options = Options {
        config: "fetch_private = true\n".to_owned(),
        ..Options::default()
    };
    let mut daemon = Daemon::start_with(&host, options);
    let address = serve(&host, vec![("/image", fs::read(tiny_image()).unwrap())]);
    let url = format!("{address}/image");
    let before = daemon.inventory();
    for (point, what) in [
        ("before", "die"),
        ("after", "die"),
        ("committed", "die"),
        ("after", "fail"),
    ] {
        daemon.faults(&[&format!("image.import 0 {point} {what}")]);
        let output = daemon
            .berth(["image", "import", &url, "--name", "fetched"])
            .output()
            .unwrap();
        if what == "die" {
            daemon.wait_until_it_dies();
            daemon.faults(&[]);
            daemon.start_again();
            let operations = daemon.json(["operation", "list"]);
            let last = operations.as_array().unwrap().last().unwrap()["id"]
                .as_str()
                .unwrap()
                .to_owned();
            daemon.ok(["operation", "wait", &last]);
            daemon.ok(["image", "delete", "fetched"]);
        } else {
            assert_eq!(
                output.status.code(),
                Some(70),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            daemon.faults(&[]);
        }
        assert_eq!(daemon.json(["image", "list"]), serde_json::json!([]), "{point} {what}");
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while daemon.inventory() != before || fs::read_dir(daemon.state_dir().join("downloads")).unwrap().count() > 0 {
            assert!(
                std::time::Instant::now() < deadline,
                "{point} {what}: {:?}",
                daemon.inventory()
            );
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
    // What isn't what it should be is not taken.
    let wrong = format!("sha256:{}", "0".repeat(64));
    let (problem, _) = daemon.refuses(["image", "import", &url, "--name", "fetched", "--checksum", &wrong]);
    assert_eq!(problem["code"], "invalid_image", "{problem}");
    assert_eq!(daemon.inventory(), before);
}

#[test]
fn an_address_of_this_host_or_its_network_is_not_fetched_from() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start_with(&host, Options::default());
    let address = serve(&host, vec![("/image", b"secret".to_vec())]);
    let link_local = "http://169.254.169.254/latest/meta-data";
    for url in [
        &format!("{address}/image"),
        link_local,
        "file:///etc/passwd",
        "http://[::1]/image",
    ] {
        let (problem, _) = daemon.refuses(["image", "import", url, "--name", "stolen"]);
        assert_eq!(problem["code"], "invalid_argument", "{url}: {problem}");
    }
    // A password is refused before it is written down anywhere.
    let before = daemon.json(["operation", "list"]);
    let (problem, _) = daemon.refuses([
        "image",
        "import",
        "http://me:hunter2@images.example.com/x",
        "--name",
        "mine",
    ]);
    assert_eq!(problem["code"], "invalid_argument", "{problem}");
    assert_eq!(daemon.json(["operation", "list"]), before);
    assert!(!daemon.log().contains("hunter2"));
    assert_eq!(daemon.json(["image", "list"]), serde_json::json!([]));
}

#[test]
fn an_image_of_the_catalog_is_pulled_from_a_mirror_and_exported() {
    let host = Host::new(Libvirt::Started);
    let bytes = fs::read(tiny_image()).unwrap();
    let sum = host.run("sha256sum", [tiny_image().to_str().unwrap()]);
    let sums = format!("{}  tiny.img\n", sum.split_whitespace().next().unwrap());
    let mirror = serve(
        &host,
        vec![("/os/tiny.img", bytes), ("/os/SHA256SUMS", sums.into_bytes())],
    );
    let catalog = host.dir().join("catalog.toml");
    let official = "https://images.example.com/os";
    fs::write(
        &catalog,
        format!(
            "[[image]]\nname = \"tiny-1\"\ntitle = \"Tiny\"\n[image.download]\nurl = \"{official}/tiny.img\"\n\
             checksums = \"{official}/SHA256SUMS\"\nfile = \"tiny.img\"\n[image.properties]\nos_name = \"tiny\"\n"
        ),
    )
    .unwrap();
    let config = format!("fetch_private = true\ncatalog = {:?}\n", catalog.to_str().unwrap());
    let daemon = Daemon::start_with(
        &host,
        Options {
            config,
            ..Options::default()
        },
    );
    let pulled = daemon.json(["image", "pull", "tiny-1", "--mirror", &mirror, "--min-memory", "128"]);
    assert_eq!(
        (&pulled["name"], &pulled["os_name"], &pulled["min_memory"]),
        (&"tiny-1".into(), &"tiny".into(), &128.into())
    );
    let file = host.dir().join("exported.qcow2");
    let path = file.to_str().unwrap();
    daemon.ok(["image", "export", "tiny-1", path]);
    host.run(
        "qemu-img",
        [
            "compare",
            "-f",
            "qcow2",
            "-F",
            "qcow2",
            path,
            tiny_image().to_str().unwrap(),
        ],
    );
    let (problem, exit) = daemon.refuses(["image", "pull", "tiny-2"]);
    assert_eq!((problem["code"].as_str(), exit), (Some("not_found"), 3));
}
