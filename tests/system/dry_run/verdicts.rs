//! At random: what is tried is decided as what is meant, whatever was done before.

use berth_testkit::{Caller, Host, Libvirt};
use serde_json::{Value, json};

use super::bed::daemon;
use super::{meant, tried};

/// How many requests are tried, and then meant.
const REQUESTS: usize = 300;

/// xorshift64* (Vigna, 2016): small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % end
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

/// A request about few names, so that many are taken, or missing, or in use.
fn request(random: &mut Random) -> (&'static str, String, Value) {
    let names = ["a", "b", "not/a name"];
    let (name, other) = (random.one_of(&names), random.one_of(&names[..2]));
    let cidr = random.one_of(&["10.9.0.0/24", "10.9.0.128/25", "10.9.1.0/24", "10.9.0.0/33"]);
    let address = random.one_of(&["203.0.113.10", "203.0.113.11", "192.0.2.1"]);
    match random.below(16) {
        0 => ("POST", "/v1/vpcs".to_owned(), json!({ "name": name })),
        1 => ("DELETE", format!("/v1/vpcs/{other}"), Value::Null),
        2 => ("PATCH", format!("/v1/vpcs/{other}"), json!({ "name": name })),
        3 => (
            "POST",
            "/v1/subnets".to_owned(),
            json!({ "name": name, "vpc": other, "cidr": cidr }),
        ),
        4 => ("DELETE", format!("/v1/subnets/{other}"), Value::Null),
        5 => (
            "POST",
            "/v1/security-groups".to_owned(),
            json!({ "name": name, "vpc": other }),
        ),
        6 => ("DELETE", format!("/v1/security-groups/{other}"), Value::Null),
        7 => {
            let rule = json!({ "protocol": random.one_of(&["tcp", "icmp", "x"]), "ports": "80" });
            ("POST", format!("/v1/security-groups/{other}/rules"), rule)
        }
        8 => ("POST", "/v1/ports".to_owned(), json!({ "name": name, "subnet": other })),
        9 => ("DELETE", format!("/v1/ports/{other}"), Value::Null),
        10 => ("POST", "/v1/keypairs".to_owned(), json!({ "name": name })),
        11 => ("DELETE", format!("/v1/keypairs/{other}"), Value::Null),
        12 => ("POST", "/v1/public-ips".to_owned(), json!({ "address": address })),
        13 => ("DELETE", format!("/v1/public-ips/{address}"), Value::Null),
        14 => ("POST", "/v1/projects".to_owned(), json!({ "name": name })),
        _ => ("DELETE", format!("/v1/projects/{other}"), Value::Null),
    }
}

/// The problem of a refusal; none of a success.
fn refusal(caller: &Caller, dry: bool, (method, path, body): &(&str, String, Value)) -> Option<(u16, String)> {
    let answer = if dry {
        tried(caller, method, path, body)
    } else {
        meant(caller, method, path, body)
    };
    assert!(answer.status < 500, "{method} {path} {body}: {}", answer.text);
    (answer.status >= 400).then_some((answer.status, answer.text))
}

#[test]
fn what_is_tried_is_decided_as_what_is_meant() {
    let host = Host::new(Libvirt::Started);
    let daemon = daemon(&host);
    let root = daemon.caller();
    let limits = json!({ "limits": { "vpcs": 2, "subnets": 2, "key_pairs": 1, "public_ips": 1 } });
    root.ask("PATCH", "/v1/projects/default/quota", &limits.to_string())
        .ok();
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut random = Random(seed | 1);
    let mut refused = 0;
    for _ in 0..REQUESTS {
        let request = request(&mut random);
        let (dry, real) = (refusal(&root, true, &request), refusal(&root, false, &request));
        assert_eq!(dry, real, "seed {seed}: {request:?}");
        refused += usize::from(real.is_some());
    }
    assert!((REQUESTS / 10..REQUESTS).contains(&refused), "seed {seed}: {refused}");
    println!("{REQUESTS} requests, {refused} of them refused: each tried before, with the same verdict");
}
