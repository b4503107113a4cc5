//! Ports: one NIC of one instance, with an address that no other port of its subnet has.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use berth_model::{Action, InstanceId, Mac, PortId, SubnetId, VolumeState, VpcId};
use ipnet::{Ipv4AddrRange, Ipv4Net};
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::operation::Phase;
use crate::row::{Columns as _, Sql, sql, to_word};
use crate::tx::Tx;
use crate::{Store, StoreError};

/// A port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRecord {
    /// Its id.
    pub id: PortId,
    /// The instance whose NIC it is.
    pub instance: InstanceId,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Its MAC.
    pub mac: Mac,
    /// Its fixed address.
    pub address: Ipv4Addr,
    /// A small number that no other port has, from 1; free again when the port is gone.
    pub index: u32,
}

impl PortRecord {
    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed("id")?,
            instance: row.parsed("instance")?,
            vpc: row.parsed("vpc")?,
            subnet: row.parsed("subnet")?,
            mac: row.parsed("mac")?,
            address: read_address(row, "address")?,
            index: row.number("number")?,
        })
    }
}

/// An address, which is kept as a number.
pub(crate) fn read_address(row: &AnyRow, column: &str) -> Result<Ipv4Addr, StoreError> {
    Ok(Ipv4Addr::from_bits(row.number(column)?))
}

/// Writes a new port.
pub(crate) async fn insert(tx: &mut Tx, port: &PortRecord) -> Result<(), StoreError> {
    let taken = sql("SELECT id FROM ports WHERE subnet = $1 AND mac = $2");
    if tx
        .optional(taken.bind(port.subnet.to_string()).bind(port.mac.to_string()))
        .await?
        .is_some()
    {
        return Err(StoreError::AlreadyExists {
            what: "MAC address",
            name: port.mac.to_string(),
        });
    }
    let insert = sql("INSERT INTO ports (id, instance, vpc, subnet, mac, address, number) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7)")
    .bind(port.id.to_string())
    .bind(port.instance.to_string())
    .bind(port.vpc.to_string())
    .bind(port.subnet.to_string())
    .bind(port.mac.to_string())
    .bind(i64::from(port.address.to_bits()))
    .bind(i64::from(port.index));
    tx.run(insert).await.map(|_| ())
}

/// The addresses of a subnet that are still free.
pub(crate) struct Addresses {
    subnet: String,
    cidr: Ipv4Net,
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
            .all(sql("SELECT address FROM ports WHERE subnet = $1").bind(subnet.to_string()))
            .await?;
        let mut taken: HashSet<_> = ports
            .iter()
            .map(|port| read_address(port, "address"))
            .collect::<Result<_, _>>()?;
        taken.insert(read_address(&row, "gateway")?);
        let cidr: Ipv4Net = row.parsed("cidr")?;
        Ok(Self {
            subnet: row.text("name")?,
            cidr,
            rest: cidr.hosts(),
            taken,
        })
    }

    /// Takes the lowest one.
    pub(crate) fn take(&mut self) -> Result<Ipv4Addr, StoreError> {
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

/// A query for what belongs to one of these instances; none if there are none.
pub(crate) fn in_instances(select: &'static str, ids: &[InstanceId]) -> Option<Sql> {
    if ids.is_empty() {
        return None;
    }
    let places: Vec<_> = (1..=ids.len()).map(|place| format!("${place}")).collect();
    // Only the number of places differs from one query to the next; what is in them is bound.
    let text = format!("{select} WHERE instance IN ({}) ORDER BY id", places.join(", "));
    let query: Sql = sqlx::query(AssertSqlSafe(text)).persistent(false);
    Some(ids.iter().fold(query, |query, id| query.bind(id.to_string())))
}

impl Store {
    /// The ports of a VPC.
    pub async fn ports_of_vpc(&self, id: VpcId) -> Result<Vec<PortRecord>, StoreError> {
        let query = sql("SELECT * FROM ports WHERE vpc = $1 ORDER BY id").bind(id.to_string());
        self.list(query, PortRecord::read).await
    }

    /// The ports of a VPC that the network is to serve: not those of instances that are being deleted, or whose create
    /// or unshelve is being undone, and not of those that have nothing on the host, shelved or never made. Whoever asks for them to make them so has to keep a delete
    /// from undoing it until that is done.
    pub async fn served_ports_of_vpc(&self, id: VpcId) -> Result<Vec<PortRecord>, StoreError> {
        let query = sql("SELECT p.* FROM ports p JOIN instances i ON i.id = p.instance \
                         LEFT JOIN operations o ON o.id = i.operation WHERE p.vpc = $1 \
                         AND (o.id IS NULL OR NOT (o.action = $2 OR (o.phase = $5 AND o.action IN ($6, $7)))) \
                         AND (o.id IS NOT NULL OR NOT EXISTS ( \
                         SELECT 1 FROM volumes v WHERE v.instance = i.id AND v.root = 1 AND v.state IN ($3, $4))) \
                         ORDER BY p.id")
        .bind(id.to_string())
        .bind(Action::Delete.as_str())
        .bind(VolumeState::Reserved.as_str())
        .bind(VolumeState::Error.as_str())
        .bind(to_word(&Phase::Undoing)?)
        .bind(Action::Create.as_str())
        .bind(Action::Unshelve.as_str());
        self.list(query, PortRecord::read).await
    }

    /// The ports of an instance.
    pub async fn ports_of_instance(&self, id: InstanceId) -> Result<Vec<PortRecord>, StoreError> {
        let query = sql("SELECT * FROM ports WHERE instance = $1 ORDER BY id").bind(id.to_string());
        self.list(query, PortRecord::read).await
    }

    /// The ports of the instances of a page, in one query.
    pub async fn ports_of_instances(&self, ids: &[InstanceId]) -> Result<Vec<PortRecord>, StoreError> {
        match in_instances("SELECT * FROM ports", ids) {
            Some(query) => self.list(query, PortRecord::read).await,
            None => Ok(Vec::new()),
        }
    }
}
