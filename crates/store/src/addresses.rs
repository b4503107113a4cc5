//! What is still free: addresses of subnets, and small numbers that names in the kernel are made from.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use berth_model::{SubnetId, VpcId, check_address};
use ipnet::{Ipv4AddrRange, Ipv4Net};
use sqlx::any::AnyRow;

use crate::StoreError;
use crate::row::{Columns as _, sql};
use crate::tx::Tx;

/// An address, which is kept as a number.
pub(crate) fn read_address(row: &AnyRow, column: &str) -> Result<Ipv4Addr, StoreError> {
    Ok(Ipv4Addr::from_bits(row.number(column)?))
}

/// The addresses of a subnet that are still free.
pub(crate) struct Addresses {
    subnet: String,
    pub(crate) cidr: Ipv4Net,
    /// Those that were not looked at yet, the lowest first.
    rest: Ipv4AddrRange,
    taken: HashSet<Ipv4Addr>,
}

impl Addresses {
    /// Reads which addresses of a subnet are taken: the gateway's and the ports'.
    pub(crate) async fn load(tx: &mut Tx, vpc: VpcId, subnet: SubnetId) -> Result<Self, StoreError> {
        let query = sql("SELECT name, cidr, gateway FROM subnets WHERE id = $1 AND vpc = $2");
        let row = tx
            .optional(query.bind(subnet.to_string()).bind(vpc.to_string()))
            .await?;
        let row = row.ok_or_else(|| StoreError::not_found("subnet", &subnet))?;
        let ports = tx
            .all(sql("SELECT address, pairs FROM ports WHERE subnet = $1").bind(subnet.to_string()))
            .await?;
        let mut taken = HashSet::new();
        for port in &ports {
            taken.insert(read_address(port, "address")?);
            taken.extend(port.json::<Vec<Ipv4Addr>>("pairs")?);
        }
        taken.insert(read_address(&row, "gateway")?);
        let cidr: Ipv4Net = row.parsed("cidr")?;
        Ok(Self {
            subnet: row.text("name")?,
            cidr,
            rest: cidr.hosts(),
            taken,
        })
    }

    /// Takes that one, or the lowest.
    pub(crate) fn take(&mut self, wanted: Option<Ipv4Addr>) -> Result<Ipv4Addr, StoreError> {
        let address = match wanted {
            Some(address) => {
                check_address(self.cidr, address)?;
                if self.taken.contains(&address) {
                    return Err(StoreError::AddressTaken(address));
                }
                address
            }
            None => self.lowest()?,
        };
        self.taken.insert(address);
        Ok(address)
    }

    fn lowest(&mut self) -> Result<Ipv4Addr, StoreError> {
        let free = self.rest.find(|address| !self.taken.contains(address));
        free.ok_or_else(|| StoreError::NoAddress {
            subnet: self.subnet.clone(),
            cidr: self.cidr.to_string(),
        })
    }
}

/// Small numbers that are still free, from 1.
pub(crate) struct Numbers {
    /// Those that were not looked at yet, the lowest first.
    rest: RangeInclusive<u32>,
    taken: HashSet<u32>,
}

impl Numbers {
    /// Reads which numbers of ports are taken.
    pub(crate) async fn load(tx: &mut Tx) -> Result<Self, StoreError> {
        Self::of(&tx.all(sql("SELECT number FROM ports")).await?)
    }

    /// Those that a column `number` doesn't hold.
    pub(crate) fn of(rows: &[AnyRow]) -> Result<Self, StoreError> {
        let taken = rows.iter().map(|row| row.number("number")).collect::<Result<_, _>>()?;
        Ok(Self {
            rest: 1..=u32::MAX,
            taken,
        })
    }

    /// Takes the lowest one.
    pub(crate) fn take(&mut self) -> Result<u32, StoreError> {
        let free = self.rest.find(|number| !self.taken.contains(number));
        free.ok_or_else(|| StoreError::corrupt("number", "none is free"))
    }
}
