//! Fetching from a server that breaks off, lies, and sends us elsewhere.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use berth_model::{Code, ImageId};
use berth_storage::{FetchPolicy, ImageSource, ImportChecks, Storage, StorageError};

use crate::place::{Place, settings};

/// What the server does with one request. `{from}` is where the request wants to begin.
#[derive(Clone)]
enum Act {
    /// The whole file, cut off after so many bytes.
    Whole(usize),
    /// What is asked for, cut off after so many bytes.
    Range(usize),
    /// Exactly this.
    Says(String),
}

/// A server that does one thing after the other, and the last again and again.
struct Server {
    url: String,
    /// The `Range` of each request, and `-` without.
    asked: Arc<Mutex<Vec<String>>>,
}

const TAG: &str = "\"v1\"";

fn file() -> Vec<u8> {
    (0..3_000_000_u32).map(|i| (i * 7 % 251) as u8).collect()
}

impl Server {
    fn new(acts: impl Into<VecDeque<Act>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/disk.img?token=secret", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (log, mut acts) = (Arc::clone(&asked), acts.into());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let act = if acts.len() > 1 {
                    acts.pop_front()
                } else {
                    acts.front().cloned()
                };
                // A client that goes away is what is tested.
                let _ = serve(stream.unwrap(), &act.unwrap(), &log);
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, act: &Act, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let lines = BufReader::new(stream.try_clone()?).lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let field = |name: &str| {
        let found = head
            .iter()
            .find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)));
        found.map(|(_, value)| value.to_owned())
    };
    let range = field("range").filter(|_| field("if-range").is_none_or(|tag| tag == TAG));
    log.lock()
        .unwrap()
        .push(field("range").unwrap_or_else(|| "-".to_owned()));
    let file = file();
    let from = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let (head, body) = match (act, from) {
        (Act::Says(text), _) => (text.clone(), &[][..]),
        (Act::Range(cut), Some(from)) if from < file.len() => {
            let (last, total) = (file.len() - 1, file.len());
            let head = format!("206 Partial Content\r\nContent-Range: bytes {from}-{last}/{total}\r\nETag: {TAG}");
            (
                format!("{head}\r\nContent-Length: {}", total - from),
                &file[from..from.saturating_add(*cut).min(total)],
            )
        }
        (Act::Range(_), Some(_)) => {
            let head = format!("416 Range Not Satisfiable\r\nContent-Range: bytes */{}", file.len());
            (head + "\r\nContent-Length: 0", &[][..])
        }
        (Act::Whole(cut) | Act::Range(cut), _) => {
            let head = format!("200 OK\r\nETag: {TAG}\r\nContent-Length: {}", file.len());
            (head, &file[..file.len().min(*cut)])
        }
    };
    write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(body)
}

fn says(text: impl Into<String>) -> Act {
    Act::Says(text.into())
}

fn to(location: &str) -> Act {
    says(format!("302 Found\r\nLocation: {location}\r\nContent-Length: 0"))
}

const WHOLE: usize = usize::MAX;

fn policy() -> FetchPolicy {
    FetchPolicy {
        allow_private: true,
        pause: Duration::from_millis(1),
        ..FetchPolicy::default()
    }
}

fn fetch(storage: &Storage, id: ImageId, url: &str) -> Result<PathBuf, StorageError> {
    storage.fetch(id, url, &policy(), &|| false, &mut |_, _| {})
}

#[track_caller]
fn whole(path: Result<PathBuf, StorageError>) {
    let bytes = fs::read(path.unwrap()).unwrap();
    assert!(bytes == file(), "{} bytes, and not those of the file", bytes.len());
}

#[track_caller]
fn fails(server: &Server, code: Code, message: &str) {
    let place = Place::new();
    let error = fetch(&place.storage, ImageId::new(), &server.url).unwrap_err();
    let said = error.to_string();
    assert_eq!(error.code(), code, "{said}");
    assert!(said.contains(message), "{said}\ndoes not say {message:?}");
    assert!(!said.contains("secret"), "{said}");
    assert_eq!(place.storage.space().unwrap().reserved, 0);
}

#[test]
fn what_is_fetched_is_imported_and_forgotten() {
    let (place, server, id) = (Place::new(), Server::new([Act::Range(WHOLE)]), ImageId::new());
    let mut told = Vec::new();
    let path = place
        .storage
        .fetch(id, &server.url, &policy(), &|| false, &mut |so_far, total| {
            told.push((so_far, total));
        })
        .unwrap();
    assert_eq!(told.last(), Some(&(3_000_000, Some(3_000_000))));
    assert_eq!(place.storage.downloads().unwrap(), [id]);
    let source = ImageSource::File(path);
    let imported = place
        .storage
        .import_image(id, source, &ImportChecks::default(), &|| false, &mut |_, _| {});
    // The file is no whole sectors: it came as it is.
    assert_eq!(imported.unwrap_err().code(), Code::InvalidImage);
    place.storage.forget_download(id).unwrap();
    place.storage.forget_download(id).unwrap();
    assert_eq!(fs::read_dir(place.path("state/downloads")).unwrap().count(), 0);
}

#[test]
fn what_is_left_of_a_download_that_was_not_forgotten_to_the_end_is_on_the_list() {
    let (place, server, id) = (Place::new(), Server::new([Act::Range(WHOLE)]), ImageId::new());
    fetch(&place.storage, id, &server.url).unwrap();
    // Of its two files one can't be removed, as if the daemon had died before it.
    let origin = place.path("state/downloads").join(format!("{id}.json"));
    fs::remove_file(&origin).unwrap();
    fs::create_dir(&origin).unwrap();
    assert!(place.storage.forget_download(id).is_err());
    assert_eq!(place.storage.downloads().unwrap(), [id]);
    fs::remove_dir(&origin).unwrap();
    place.storage.forget_download(id).unwrap();
    assert_eq!(fs::read_dir(place.path("state/downloads")).unwrap().count(), 0);
}

#[test]
fn a_connection_that_is_cut_goes_on_where_it_was() {
    let (place, id) = (Place::new(), ImageId::new());
    let server = Server::new([
        Act::Range(1_000_000),
        Act::Range(500_000),
        says("503 Busy\r\nContent-Length: 0"),
        Act::Range(WHOLE),
    ]);
    whole(fetch(&place.storage, id, &server.url));
    assert_eq!(
        server.asked(),
        ["-", "bytes=1000000-", "bytes=1500000-", "bytes=1500000-"]
    );
    // Again: there is nothing more to fetch.
    whole(fetch(&place.storage, id, &server.url));
    assert_eq!(server.asked().last().unwrap(), "bytes=3000000-");
}

#[test]
fn a_download_goes_on_after_a_restart() {
    let (place, id) = (Place::new(), ImageId::new());
    let server = Server::new([Act::Range(1_000_000), Act::Range(WHOLE)]);
    let impatient = FetchPolicy {
        attempts: 1,
        ..policy()
    };
    let broken = place
        .storage
        .fetch(id, &server.url, &impatient, &|| false, &mut |_, _| {});
    assert_eq!(broken.unwrap_err().code(), Code::FetchFailed);
    let again = Storage::open(settings(place.dir.path())).unwrap();
    assert_eq!(again.downloads().unwrap(), [id]);
    whole(fetch(&again, id, &server.url));
    assert_eq!(server.asked(), ["-", "bytes=1000000-"]);
    // Another address under the same id is another file.
    let other = Server::new([Act::Range(WHOLE)]);
    whole(fetch(&again, id, &other.url));
    assert_eq!(other.asked(), ["-"]);
}

#[test]
fn a_server_without_ranges_begins_anew() {
    let server = Server::new([Act::Whole(1_000_000), Act::Whole(WHOLE)]);
    whole(fetch(&Place::new().storage, ImageId::new(), &server.url));
    assert_eq!(server.asked(), ["-", "bytes=1000000-"]);
}

#[test]
fn a_server_that_lies_about_its_parts() {
    let parts = [
        ("bytes 0-9/3000000", "\"v1\"", "another part"),
        ("bytes 1000000-2999999/4000000", "\"v1\"", "another file"),
        ("bytes 1000000-2999999/3000000", "\"v2\"", "another file"),
        ("nonsense", "\"v1\"", "another part"),
    ];
    for (range, tag, message) in parts {
        let part = format!("206 Partial Content\r\nContent-Range: {range}\r\nETag: {tag}\r\nContent-Length: 10");
        fails(
            &Server::new([Act::Range(1_000_000), says(part)]),
            Code::FetchFailed,
            message,
        );
    }
    let unasked = "206 Partial Content\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10";
    fails(&Server::new([says(unasked)]), Code::FetchFailed, "another part");
    let encoded = "200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10";
    fails(&Server::new([says(encoded)]), Code::FetchFailed, "encoded");
}

#[test]
fn a_server_that_has_nothing_or_never_recovers() {
    fails(
        &Server::new([says("404 Not Found\r\nContent-Length: 0")]),
        Code::FetchFailed,
        "404",
    );
    let busy = Server::new([says("503 Busy\r\nContent-Length: 0")]);
    fails(&busy, Code::FetchFailed, "6 times in a row");
    assert_eq!(busy.asked().len(), 6);
    fails(&Server::new([says("nonsense")]), Code::FetchFailed, "in a row");
}

#[test]
fn redirects_are_followed_one_by_one() {
    let target = Server::new([Act::Range(WHOLE)]);
    let place = Place::new();
    whole(fetch(
        &place.storage,
        ImageId::new(),
        &Server::new([to(&target.url)]).url,
    ));
    whole(fetch(
        &place.storage,
        ImageId::new(),
        &Server::new([to("/other"), to("?x"), Act::Range(WHOLE)]).url,
    ));
    fails(&Server::new([to("/round")]), Code::FetchFailed, "more than 5 times");
    fails(
        &Server::new([says("302 Found\r\nContent-Length: 0")]),
        Code::FetchFailed,
        "nowhere",
    );
    for elsewhere in ["file:///etc/passwd", "ftp://host/x", "data:,x", "gopher://host/"] {
        fails(
            &Server::new([to(elsewhere)]),
            Code::InvalidArgument,
            "only http and https",
        );
    }
    fails(
        &Server::new([to("http://me:secret@host/")]),
        Code::InvalidArgument,
        "password",
    );
}

#[test]
fn only_public_addresses_are_fetched_from() {
    let place = Place::new();
    let strict = FetchPolicy {
        allow_private: false,
        ..policy()
    };
    let server = Server::new([Act::Range(WHOLE)]);
    let port = server
        .url
        .rsplit(':')
        .next()
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    let local = [
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f.1:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://0.0.0.0:{port}/"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://10.0.0.1/".to_owned(),
    ];
    for url in local {
        let error = place
            .storage
            .fetch(ImageId::new(), &url, &strict, &|| false, &mut |_, _| {});
        let error = error.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{url}: {error}");
        assert!(error.to_string().contains("the operator doesn't allow"), "{error}");
    }
    assert_eq!(server.asked(), [""; 0]);
    for wrong in ["file:///etc/passwd", "disk.img", "ftp://host/x", "http://me:word@host/"] {
        let error = fetch(&place.storage, ImageId::new(), wrong).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{error}");
        assert!(!error.to_string().contains("word@"), "{error}");
    }
}

#[test]
fn a_file_that_is_too_large_is_not_fetched() {
    let small = FetchPolicy {
        size_max: 1 << 20,
        ..policy()
    };
    // Said beforehand, and found out on the way.
    let silent = Act::Says("200 OK\r\nETag: \"v1\"\r\n\r\n".to_owned() + &"x".repeat(2 << 20));
    for act in [Act::Whole(WHOLE), silent] {
        let (place, id) = (Place::new(), ImageId::new());
        let result = place
            .storage
            .fetch(id, &Server::new([act]).url, &small, &|| false, &mut |_, _| {});
        let error = result.unwrap_err();
        assert!(error.to_string().contains("more than 1.0 MiB"), "{error}");
        assert!(
            fs::metadata(place.path(&format!("state/downloads/{id}.part")))
                .unwrap()
                .len()
                <= 1 << 20
        );
    }
}

#[test]
fn a_fetch_is_cancelled_while_it_reads_and_while_it_waits() {
    let (place, id) = (Place::new(), ImageId::new());
    let server = Server::new([Act::Range(1_000_000)]);
    let patient = FetchPolicy {
        pause: Duration::from_mins(1),
        ..policy()
    };
    let began = Instant::now();
    for after in [Duration::ZERO, Duration::from_millis(300)] {
        let result = place
            .storage
            .fetch(id, &server.url, &patient, &|| began.elapsed() > after, &mut |_, _| {});
        assert!(matches!(result, Err(StorageError::Cancelled)), "{result:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(10));
}
