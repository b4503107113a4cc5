//! Instance types: what a guest gets and what an hour of it costs.

use serde::{Deserialize, Deserializer, Serialize};

use crate::metering::Price;
use crate::{Gib, Mib};

/// One entry of the catalog of instance types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceType {
    /// Its name, `family.size`.
    pub name: String,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memory: Mib,
    /// The least size of the root volume in GiB; an image that needs more gets more.
    pub storage: Gib,
    /// The most NICs an instance of it may have.
    pub nics: u32,
    /// Network bandwidth in Mbit/s, each way.
    pub bandwidth: u32,
    /// Price of an hour, in the currency of the price list.
    #[serde(deserialize_with = "price")]
    pub price_per_hour: Price,
}

/// A price as it is written, or the millionths that records of instances and operations have from before prices were
/// decimals.
fn price<'de, D: Deserializer<'de>>(from: D) -> Result<Price, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Millionths(u64),
        Exact(String),
    }
    let price = match Written::deserialize(from)? {
        Written::Millionths(amount) => Price::millionths(amount),
        Written::Exact(text) => text.parse(),
    };
    price.map_err(serde::de::Error::custom)
}

impl InstanceType {
    /// The part of the name before the dot.
    pub fn family(&self) -> &str {
        self.name.split('.').next().unwrap_or(&self.name)
    }
}

const fn gib(n: u64) -> Mib {
    Mib(n * 1024)
}

/// The catalog that is used when the configuration brings none: burstable `t1`, general `m2`, compute `c2`, memory `r2`.
pub fn default_catalog() -> Vec<InstanceType> {
    // name, vCPUs, memory, root GiB, NICs, Mbit/s, price in millionths
    let rows: [(&str, u32, Mib, u64, u32, u32, u64); 14] = [
        ("t1.nano", 1, Mib(128), 1, 1, 100, 1_200),
        ("t1.micro", 1, Mib(512), 5, 1, 250, 4_800),
        ("t1.small", 1, gib(2), 10, 2, 500, 19_200),
        ("t1.medium", 2, gib(4), 20, 2, 1_000, 38_400),
        ("m2.large", 2, gib(8), 30, 3, 2_500, 96_000),
        ("m2.xlarge", 4, gib(16), 30, 4, 5_000, 192_000),
        ("m2.2xlarge", 8, gib(32), 30, 4, 10_000, 384_000),
        ("m2.4xlarge", 16, gib(64), 30, 8, 10_000, 768_000),
        ("c2.large", 2, gib(4), 30, 3, 2_500, 85_000),
        ("c2.xlarge", 4, gib(8), 30, 4, 5_000, 170_000),
        ("c2.2xlarge", 8, gib(16), 30, 4, 10_000, 340_000),
        ("r2.large", 2, gib(16), 30, 3, 2_500, 126_000),
        ("r2.xlarge", 4, gib(32), 30, 4, 5_000, 252_000),
        ("r2.2xlarge", 8, gib(64), 30, 4, 10_000, 504_000),
    ];
    let entry = |(name, vcpus, memory, storage, nics, bandwidth, price): (&str, _, _, _, _, _, _)| InstanceType {
        name: name.to_owned(),
        vcpus,
        memory,
        storage: Gib(storage),
        nics,
        bandwidth,
        price_per_hour: Price::millionths(price).unwrap_or(Price::FREE),
    };
    rows.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_record_from_before_prices_were_decimals_is_read() {
        let nano = &default_catalog()[0];
        let written = serde_json::to_string(nano).unwrap();
        assert!(written.contains(r#""price_per_hour":"0.0012""#), "{written}");
        let old = written.replace(r#""0.0012""#, "1200");
        for text in [written, old] {
            assert_eq!(serde_json::from_str::<InstanceType>(&text).unwrap(), *nano);
        }
    }
}
