//! A request that is sent again with its `Idempotency-Key` is answered, and changes nothing.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use berth_testkit::{Daemon, Host, Libvirt};
use serde_json::Value;

/// Sends a request as any program may, and returns the status and what is answered.
fn ask(daemon: &Daemon<'_>, what: &str, key: &str, body: &str) -> (u16, Value) {
    let mut socket = UnixStream::connect(daemon.socket()).unwrap();
    let length = body.len();
    let request = format!(
        "{what} HTTP/1.1\r\nhost: berth\r\nconnection: close\r\nidempotency-key: {key}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

const CREATE: &str = "POST /v1/instances";

fn web(count: u32) -> String {
    format!(r#"{{"name":"web","image":"tiny","type":"t1.nano","count":{count}}}"#)
}

fn ids(created: &Value) -> Vec<String> {
    let operations = created["operations"].as_array().unwrap();
    operations.iter().map(|one| one["id"].to_string()).collect()
}

#[test]
fn a_create_that_is_sent_again_after_kill_9_is_the_same_create() {
    let host = Host::new(Libvirt::Started);
    let mut daemon = Daemon::start(&host);
    let (status, tried) = ask(&daemon, "POST /v1/instances?dry_run=true", "k1", &web(3));
    assert_eq!(
        (status, ids(&tried).len()),
        (200, 3),
        "what is tried takes no key: {tried}"
    );
    let (status, first) = ask(&daemon, CREATE, "k1", &web(2));
    assert_eq!((status, ids(&first).len()), (202, 2), "{first}");
    daemon.kill();
    daemon.start_again();
    let (status, again) = ask(&daemon, CREATE, "k1", &web(2));
    assert_eq!((status, ids(&again)), (202, ids(&first)));
    for id in ids(&first) {
        daemon.ok(["operation", "wait", id.trim_matches('"')]);
    }
    let (_, again) = ask(&daemon, CREATE, "k1", &web(2));
    assert_eq!(again["operations"][1]["outcome"], "succeeded", "told as it stood then");
    assert_eq!(daemon.json(["instance", "list"]).as_array().unwrap().len(), 2);

    let (status, problem) = ask(&daemon, CREATE, "k1", &web(3));
    assert_eq!(
        (status, &problem["code"]),
        (422, &"idempotency_key_reused".into()),
        "{problem}"
    );
    let (status, problem) = ask(&daemon, CREATE, "two words", &web(3));
    assert_eq!(
        (status, &problem["field"]),
        (400, &"Idempotency-Key".into()),
        "{problem}"
    );
    assert_eq!(daemon.json(["instance", "list"]).as_array().unwrap().len(), 2);
}

#[test]
fn what_is_asked_many_times_at_once_is_begun_once() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let at_once = |what: &str, key: &str, body: &str| {
        let answers: Vec<_> = std::thread::scope(|scope| {
            let asked: Vec<_> = (0..8).map(|_| scope.spawn(|| ask(&daemon, what, key, body))).collect();
            asked.into_iter().map(|one| one.join().unwrap()).collect()
        });
        for (status, answer) in &answers {
            assert_eq!(*status, 202, "{what}: {answer}");
        }
        answers
    };
    let created = at_once(CREATE, "k1", &web(1));
    assert!(
        created.iter().all(|(_, answer)| ids(answer) == ids(&created[0].1)),
        "{created:?}"
    );
    let id = ids(&created[0].1)[0].trim_matches('"').to_owned();
    daemon.ok(["operation", "wait", &id]);

    let deleted = at_once("DELETE /v1/instances/web", "k2", "");
    let operation = |answer: &Value| answer["id"].as_str().unwrap().to_owned();
    assert!(
        deleted
            .iter()
            .all(|(_, answer)| operation(answer) == operation(&deleted[0].1)),
        "{deleted:?}"
    );
    daemon.ok(["operation", "wait", &operation(&deleted[0].1)]);
    let (status, again) = ask(&daemon, "DELETE /v1/instances/web", "k2", "");
    assert_eq!(
        (status, &again["outcome"]),
        (202, &"succeeded".into()),
        "it is gone, and that was asked"
    );
    assert_eq!(daemon.json(["operation", "list"]).as_array().unwrap().len(), 2);
}
