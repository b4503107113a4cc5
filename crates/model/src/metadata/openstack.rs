//! OpenStack's way of asking: a few JSON documents, which are also the files of a ConfigDrive.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::tree::Directory;
use super::{Answer, GuestFacts, ZONE};

/// OpenStack's versions, of which a reader takes the newest it knows. All are answered alike: later ones only have
/// more documents.
const VERSIONS: [&str; 10] = [
    "2012-08-10",
    "2013-04-04",
    "2013-10-17",
    "2015-10-15",
    "2016-06-30",
    "2016-10-06",
    "2017-02-22",
    "2018-08-27",
    "2020-10-14",
    "latest",
];

/// The answer to a request for that path below `/openstack`, given as its segments.
pub(super) fn answer(facts: &GuestFacts, path: &[&str]) -> Option<Answer> {
    match path {
        [] => Some(Answer::text(VERSIONS.join("\n"))),
        [version, below @ ..] if VERSIONS.contains(version) => {
            let add = |root: Directory, (name, answer)| root.file(name, answer);
            documents(facts).into_iter().fold(Directory::default(), add).find(below)
        }
        _ => None,
    }
}

/// The files of a ConfigDrive: readers that find no version they know take `latest`.
pub(super) fn files(facts: &GuestFacts) -> Vec<(String, Vec<u8>)> {
    let file = |(name, answer): (&str, Answer)| (format!("openstack/latest/{name}"), answer.body);
    documents(facts).into_iter().map(file).collect()
}

fn documents(facts: &GuestFacts) -> Vec<(&'static str, Answer)> {
    let nothing = Map::<String, Value>::new();
    let mut documents = vec![
        ("meta_data.json", json(&MetaData::of(facts))),
        ("network_data.json", json(&NetworkData::of(facts))),
        ("vendor_data.json", json(&nothing)),
        ("vendor_data2.json", json(&nothing)),
    ];
    if let Some(data) = &facts.user_data {
        documents.push(("user_data", Answer::bytes(data)));
    }
    documents
}

fn json(document: &impl Serialize) -> Answer {
    Answer {
        content_type: Answer::JSON,
        // It fails only for maps whose keys aren't text, and there are none.
        body: serde_json::to_vec(document).unwrap_or_default(),
    }
}

/// `meta_data.json`. Id and hostname come first: small readers take the first that looks like one, and a key's comment
/// may look like anything.
#[derive(Serialize)]
struct MetaData<'a> {
    uuid: String,
    hostname: &'a str,
    name: &'a str,
    project_id: &'a str,
    availability_zone: &'a str,
    /// What the user has noted about the instance: nothing, but readers expect it.
    meta: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    public_keys: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys: Vec<Key<'a>>,
}

#[derive(Serialize)]
struct Key<'a> {
    name: &'a str,
    r#type: &'a str,
    data: &'a str,
}

impl<'a> MetaData<'a> {
    fn of(facts: &'a GuestFacts) -> Self {
        let keys = facts.keys.iter().map(|key| (&*key.name, &*key.public_key));
        Self {
            uuid: facts.id.to_string(),
            hostname: &facts.hostname,
            name: &facts.name,
            project_id: &facts.project,
            availability_zone: ZONE,
            meta: BTreeMap::new(),
            public_keys: keys.clone().collect(),
            keys: keys
                .map(|(name, data)| Key {
                    name,
                    r#type: "ssh",
                    data,
                })
                .collect(),
        }
    }
}

/// `network_data.json`. Every NIC is there and asks by DHCP: a reader who configures only what it finds here leaves
/// none out, and addresses, routes and resolvers come from one place.
#[derive(Serialize)]
struct NetworkData {
    links: Vec<Link>,
    networks: Vec<Network>,
    services: [(); 0],
}

#[derive(Serialize)]
struct Link {
    id: String,
    vif_id: String,
    r#type: &'static str,
    mtu: u32,
    ethernet_mac_address: String,
}

#[derive(Serialize)]
struct Network {
    id: String,
    r#type: &'static str,
    link: String,
    #[serde(rename = "network_id")]
    subnet: String,
}

impl NetworkData {
    fn of(facts: &GuestFacts) -> Self {
        let link = |nic: &super::GuestNic| Link {
            id: nic.port.to_string(),
            vif_id: nic.port.to_string(),
            r#type: "phy",
            mtu: nic.mtu,
            ethernet_mac_address: nic.mac.to_string(),
        };
        let network = |(number, nic): (usize, &super::GuestNic)| Network {
            id: format!("network{number}"),
            r#type: "ipv4_dhcp",
            link: nic.port.to_string(),
            subnet: nic.subnet.to_string(),
        };
        Self {
            links: facts.nics.iter().map(link).collect(),
            networks: facts.nics.iter().enumerate().map(network).collect(),
            services: [],
        }
    }
}
