//! Public IPs: addresses taken from the operator's pools, static or ephemeral.
//!
//! ```text
//!   pool ─ allocate ─▶ static ─ attach ─▶ of a port ─ detach ─▶ static ─ release ─▶ pool
//!    ▲ └── given at create or by attach ─▶ ephemeral, of a port ─┐
//!    └────────── detached; instance stopped, shelved, deleted ───┘
//! ```

use std::collections::HashSet;
use std::net::Ipv4Addr;

use berth_model::{InstanceState, Labels, PortId, PublicIpId, PublicIpKind, PublicIpPool, Resource, Stable};
use jiff::Timestamp;
use sqlx::any::AnyRow;

use crate::addresses::read_address;
use crate::event::NewEvent;
use crate::instance::canonical;
use crate::port;
use crate::port_query::among;
use crate::row::{Columns as _, sql};
use crate::transition::Held;
use crate::tx::Tx;
use crate::usage::facts;
use crate::{Store, StoreError, label};

/// A public IP that was taken from a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicIpRecord {
    /// Its id.
    pub id: PublicIpId,
    /// The project it belongs to.
    pub project: String,
    /// The address, which nobody else has.
    pub address: Ipv4Addr,
    /// The name of the pool it is from.
    pub pool: String,
    /// How long it stays.
    pub kind: PublicIpKind,
    /// The port that has it.
    pub port: Option<PortId>,
    /// When it was taken; kept to the microsecond.
    pub created_at: Timestamp,
}

/// The public IP that an instance is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicIpOfNew {
    /// An ephemeral one, of one of these pools.
    Ephemeral(Vec<PublicIpPool>),
    /// A static one of the project.
    Static(PublicIpId),
}

impl PublicIpRecord {
    pub(crate) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed("id")?,
            project: row.text("project")?,
            address: read_address(row, "address")?,
            pool: row.text("pool")?,
            kind: row.parsed("kind")?,
            port: row.maybe_parsed("port")?,
            created_at: row.time("created_at")?,
        })
    }
}

async fn load(tx: &mut Tx, id: PublicIpId) -> Result<PublicIpRecord, StoreError> {
    let query = sql("SELECT * FROM public_ips WHERE id = $1").bind(id.to_string());
    let row = tx.optional(query).await?;
    PublicIpRecord::read(&row.ok_or_else(|| StoreError::not_found("public IP", &id))?)
}

async fn of_port(tx: &mut Tx, port: PortId) -> Result<Option<PublicIpRecord>, StoreError> {
    let query = sql("SELECT * FROM public_ips WHERE port = $1").bind(port.to_string());
    tx.optional(query).await?.as_ref().map(PublicIpRecord::read).transpose()
}

/// Takes an address from a pool: that one, or the first that is free.
async fn take(
    tx: &mut Tx,
    project: &str,
    pools: &[PublicIpPool],
    wanted: Option<Ipv4Addr>,
    (kind, port): (PublicIpKind, Option<PortId>),
) -> Result<PublicIpRecord, StoreError> {
    let rows = tx.all(sql("SELECT address FROM public_ips")).await?;
    let taken: HashSet<Ipv4Addr> = rows
        .iter()
        .map(|row| read_address(row, "address"))
        .collect::<Result<_, _>>()?;
    let all = pools
        .iter()
        .flat_map(|pool| pool.addresses().map(move |address| (pool, address)));
    let mut fitting = all.filter(|(_, address)| wanted.is_none_or(|wanted| wanted == *address));
    let Some((pool, address)) = fitting.find(|(_, address)| !taken.contains(address)) else {
        return Err(match wanted {
            Some(address) if pools.iter().any(|pool| pool.contains(address)) => StoreError::AddressTaken(address),
            Some(address) => StoreError::NoPublicIp(format!("{address} is in no pool of public IPs")),
            None if pools.is_empty() => StoreError::NoPublicIp("this host has no pool of public IPs".to_owned()),
            None => StoreError::NoPublicIp("every public IP of the pool is taken: release one".to_owned()),
        });
    };
    let record = PublicIpRecord {
        id: PublicIpId::new(),
        project: project.to_owned(),
        address,
        pool: pool.name.clone(),
        kind,
        port,
        created_at: tx.at,
    };
    let insert = sql(
        "INSERT INTO public_ips (id, project, address, pool, kind, port, created_at) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(record.id.to_string())
    .bind(record.project.clone())
    .bind(i64::from(address.to_bits()))
    .bind(record.pool.clone())
    .bind(kind.as_str())
    .bind(port.map(|id| id.to_string()))
    .bind(tx.micros());
    tx.run(insert).await?;
    facts::public_ip(tx, &record).await?;
    tx.charge(project, Resource::PublicIps, 1);
    tell(tx, &record, "public_ip.allocated").await?;
    Ok(record)
}

async fn tell(tx: &mut Tx, record: &PublicIpRecord, kind: &'static str) -> Result<(), StoreError> {
    tx.event(NewEvent::about(kind, &record.project, &record.id, &record.address))
        .await
}

async fn put(tx: &mut Tx, record: &mut PublicIpRecord, port: Option<PortId>) -> Result<(), StoreError> {
    let update = sql("UPDATE public_ips SET port = $1 WHERE id = $2").bind(port.map(|id| id.to_string()));
    tx.run(update.bind(record.id.to_string())).await?;
    record.port = port;
    let kind = if port.is_some() {
        "public_ip.attached"
    } else {
        "public_ip.detached"
    };
    tell(tx, record, kind).await
}

async fn forget(tx: &mut Tx, record: &PublicIpRecord) -> Result<(), StoreError> {
    tx.run(sql("DELETE FROM public_ips WHERE id = $1").bind(record.id.to_string()))
        .await?;
    facts::end(tx, &record.id).await?;
    label::remove(tx, &record.id).await?;
    tx.free(&record.project, Resource::PublicIps, 1);
    tell(tx, record, "public_ip.released").await
}

/// A port is gone: its public IP is free, or back in its pool.
pub(crate) async fn leave(tx: &mut Tx, port: PortId) -> Result<(), StoreError> {
    match of_port(tx, port).await? {
        Some(mut record) if record.kind == PublicIpKind::Static => put(tx, &mut record, None).await,
        Some(record) => forget(tx, &record).await,
        None => Ok(()),
    }
}

/// A port's ephemeral public IP goes back to its pool.
pub(crate) async fn return_ephemeral(tx: &mut Tx, port: PortId) -> Result<(), StoreError> {
    match of_port(tx, port).await? {
        Some(record) if record.kind == PublicIpKind::Ephemeral => forget(tx, &record).await,
        _ => Ok(()),
    }
}

/// Gives the primary port of a new instance its public IP.
pub(crate) async fn of_new(tx: &mut Tx, project: &str, port: PortId, wanted: &PublicIpOfNew) -> Result<(), StoreError> {
    if let Some(has) = of_port(tx, port).await? {
        return Err(has_one(has.address));
    }
    match wanted {
        PublicIpOfNew::Ephemeral(pools) => take(tx, project, pools, None, (PublicIpKind::Ephemeral, Some(port)))
            .await
            .map(|_| ()),
        PublicIpOfNew::Static(id) => {
            let mut record = load(tx, *id).await?;
            free(&record)?;
            put(tx, &mut record, Some(port)).await
        }
    }
}

fn free(record: &PublicIpRecord) -> Result<(), StoreError> {
    match record.port {
        None => Ok(()),
        Some(port) => Err(StoreError::PortRefused(format!(
            "{} is attached to port {port}: detach it first; or have it moved, to attach it to another port",
            record.address
        ))),
    }
}

fn has_one(address: Ipv4Addr) -> StoreError {
    StoreError::PortRefused(format!("the port has the public IP {address}: detach that first"))
}

impl Store {
    /// Allocates a static public IP: that one, or the first of these pools that is free.
    ///
    /// Errors: [`StoreError::NoPublicIp`], [`StoreError::AddressTaken`].
    pub async fn allocate_public_ip(
        &self,
        project: &str,
        pools: &[PublicIpPool],
        wanted: Option<Ipv4Addr>,
        labels: &Labels,
    ) -> Result<PublicIpRecord, StoreError> {
        let mut tx = self.begin().await?;
        let record = take(&mut tx, project, pools, wanted, (PublicIpKind::Static, None)).await?;
        label::write(&mut tx, project, &record.id, labels).await?;
        tx.commit().await?;
        Ok(record)
    }

    /// Gives a port an ephemeral public IP. Its instance has to run: it would be taken back at once.
    pub async fn give_public_ip(
        &self,
        port: PortId,
        pools: &[PublicIpPool],
        labels: &Labels,
    ) -> Result<PublicIpRecord, StoreError> {
        let mut tx = self.begin().await?;
        let found = port::load(&mut tx, port).await?;
        let held = match found.instance {
            Some(instance) => Held::load(&mut tx, instance).await?,
            None => None,
        };
        let stands = held.as_ref().and_then(Held::stable);
        if !matches!(stands, Some(Stable::Active | Stable::Resized)) {
            let state = held.map(|held| held.record.standing.state());
            return Err(StoreError::PortRefused(format!(
                "an ephemeral public IP is for an instance that runs, and this port's is {}: allocate a static one",
                state.map_or("not there", InstanceState::as_str)
            )));
        }
        if let Some(has) = of_port(&mut tx, port).await? {
            return Err(has_one(has.address));
        }
        let how = (PublicIpKind::Ephemeral, Some(port));
        let record = take(&mut tx, &found.project, pools, None, how).await?;
        label::write(&mut tx, &found.project, &record.id, labels).await?;
        tx.commit().await?;
        Ok(record)
    }

    /// Attaches a static public IP to a port. With `moves` it is taken from the port that has it, which is told back.
    pub async fn attach_public_ip(
        &self,
        id: PublicIpId,
        port: PortId,
        moves: bool,
    ) -> Result<(PublicIpRecord, Option<PortId>), StoreError> {
        let mut tx = self.begin().await?;
        let mut record = load(&mut tx, id).await?;
        let from = record.port;
        if from == Some(port) {
            return Ok((record, None));
        }
        if record.kind == PublicIpKind::Ephemeral {
            let message = format!(
                "{} is ephemeral and stays where it is until it is returned",
                record.address
            );
            return Err(StoreError::PortRefused(message));
        }
        if !moves {
            free(&record)?;
        }
        port::load(&mut tx, port).await?;
        if let Some(has) = of_port(&mut tx, port).await? {
            return Err(has_one(has.address));
        }
        put(&mut tx, &mut record, Some(port)).await?;
        tx.commit().await?;
        Ok((record, from))
    }

    /// Takes a public IP from its port; an ephemeral one is back in its pool.
    pub async fn detach_public_ip(&self, id: PublicIpId) -> Result<PublicIpRecord, StoreError> {
        let mut tx = self.begin().await?;
        let mut record = load(&mut tx, id).await?;
        if record.kind == PublicIpKind::Ephemeral {
            forget(&mut tx, &record).await?;
        } else if record.port.is_some() {
            put(&mut tx, &mut record, None).await?;
        }
        tx.commit().await?;
        Ok(record)
    }

    /// Gives a public IP back to its pool. [`StoreError::InUse`] while a port has it.
    pub async fn release_public_ip(&self, id: PublicIpId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let record = load(&mut tx, id).await?;
        free(&record)?;
        forget(&mut tx, &record).await?;
        tx.commit().await
    }

    /// The public IP of a project by its address or id.
    pub async fn find_public_ip(&self, project: &str, reference: &str) -> Result<PublicIpRecord, StoreError> {
        let address = reference
            .parse()
            .map_or(-1, |address: Ipv4Addr| i64::from(address.to_bits()));
        let query = sql("SELECT * FROM public_ips WHERE project = $1 AND (id = $2 OR address = $3)");
        let query = query.bind(project.to_owned()).bind(canonical::<PublicIpId>(reference));
        let found = self.one(query.bind(address), PublicIpRecord::read).await?;
        found.ok_or_else(|| StoreError::not_found("public IP", reference))
    }

    /// The public IPs of these ports, in one query.
    pub async fn public_ips_of_ports(&self, ports: &[PortId]) -> Result<Vec<PublicIpRecord>, StoreError> {
        match among("SELECT * FROM public_ips", "port", ports) {
            Some(query) => self.list(query, PublicIpRecord::read).await,
            None => Ok(Vec::new()),
        }
    }

    /// The public IPs that ports of a VPC have, or that any port has.
    pub async fn public_ips_in_use(&self) -> Result<Vec<PublicIpRecord>, StoreError> {
        let query = sql("SELECT * FROM public_ips WHERE port IS NOT NULL ORDER BY id");
        self.list(query, PublicIpRecord::read).await
    }

    /// How many addresses are taken of each pool; none is mentioned of which none is.
    pub async fn public_ips_per_pool(&self) -> Result<Vec<(String, u32)>, StoreError> {
        let query = sql("SELECT pool, COUNT(*) AS taken FROM public_ips GROUP BY pool");
        self.list(query, |row| Ok((row.text("pool")?, row.number("taken")?)))
            .await
    }
}
