//! Price lists, and which of them was in force when.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::LedgerKind;
use super::price::{PerHour, Price};

/// What an hour of each thing costs. What it doesn't name costs nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PriceList {
    /// What the prices are in, such as `EUR`.
    pub currency: String,
    /// An hour of an instance in a billed state, by its type.
    pub instance: BTreeMap<String, Price>,
    /// An hour of a GiB of a volume, by its type.
    pub volume: BTreeMap<String, Price>,
    /// An hour of a GiB of the volume that a snapshot is of.
    pub snapshot: Price,
    /// An hour of a GiB of an image's file.
    pub image: Price,
    /// An hour of a public IP, by its pool.
    pub public_ip: BTreeMap<String, Price>,
}

impl PriceList {
    /// What the list says of a rate; none if it doesn't name it.
    fn of(&self, kind: LedgerKind, rate: &str) -> Option<Price> {
        match kind {
            LedgerKind::Instance => self.instance.get(rate).copied(),
            LedgerKind::Volume => self.volume.get(rate).copied(),
            LedgerKind::PublicIp => self.public_ip.get(rate).copied(),
            LedgerKind::Snapshot => Some(self.snapshot),
            LedgerKind::Image => Some(self.image),
            LedgerKind::Clock | LedgerKind::Prices => None,
        }
    }
}

/// The price lists of a ledger: each is in force from its entry to the next one's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prices(Vec<(i64, PriceList)>);

impl Prices {
    /// The lists, each with the metered time of its entry, in their order.
    pub fn new(lists: Vec<(i64, PriceList)>) -> Self {
        Self(lists)
    }

    /// The currency of the newest list.
    pub fn currency(&self) -> &str {
        self.0.last().map_or("", |(_, list)| &list.currency)
    }

    /// What an hour of so much costs by the newest list.
    pub fn of_hour(&self, kind: LedgerKind, rate: &str, quantity: u64) -> PerHour {
        self.at(i64::MAX, kind, rate).times(quantity)
    }

    /// When another list came into force.
    pub(super) fn changes(&self) -> impl Iterator<Item = i64> {
        self.0.iter().map(|(at, _)| *at)
    }

    /// What an hour of one unit cost at that metered time. A type that a list doesn't name any more, while something of
    /// that type is still there, keeps the price of the last list that named it.
    pub(super) fn at(&self, elapsed: i64, kind: LedgerKind, rate: &str) -> Price {
        let in_force = self.0.partition_point(|(from, _)| *from <= elapsed);
        let mut lists = self.0[..in_force].iter().rev();
        lists.find_map(|(_, list)| list.of(kind, rate)).unwrap_or(Price::FREE)
    }
}
