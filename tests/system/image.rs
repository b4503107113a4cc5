//! Images: from a file or an address, listed, kept while something is built on them.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};

use berth_testkit::{Daemon, Host, Libvirt, Options, tiny_image};

/// Serves these bytes at `/image` of an address of that host, and nothing at any other path.
fn serve(host: &Host, bytes: Vec<u8>) -> String {
    let listener = host.listen();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap())
                .lines()
                .map_while(Result::ok);
            let asked = lines.next().unwrap_or_default();
            let _: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            let answer = if asked.starts_with("GET /image ") {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len());
                [head.as_bytes(), &bytes].concat()
            } else {
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec()
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
    let address = serve(&host, fs::read(tiny_image()).unwrap());
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
