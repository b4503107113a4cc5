//! VPCs and subnets: made at once, in force with their first guest, gone when nothing is in them.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use berth_model::{AddressRange, LabelPatch, Labels, Name, PublicIpPool, SubnetId, VpcId};
use berth_ops::fault_point;
use berth_store::{ChangeSubnet, Dry, ListBy, Listed, NewSubnet, SubnetRecord, VpcRecord};
use ipnet::Ipv4Net;

use crate::instance::to_its_end;
use crate::network::{self, Change, apply, check_servers, room_of, vpc_of};
use crate::world::lock;
use crate::{Engine, EngineError, blocking};

/// A subnet that is asked for.
#[derive(Debug, Clone)]
pub struct CreateSubnet {
    /// Its name.
    pub name: Name,
    /// Its VPC's name or id; the default one if not given.
    pub vpc: Option<String>,
    /// Its addresses.
    pub cidr: Ipv4Net,
    /// Whether its guests reach the outside without a public IP.
    pub nat: bool,
    /// The resolvers its guests are told of.
    pub dns: Vec<Ipv4Addr>,
    /// The time servers its guests are told of.
    pub ntp: Vec<Ipv4Addr>,
    /// Its labels.
    pub labels: Labels,
}

/// A subnet with what is told of it.
#[derive(Debug, Clone)]
pub struct SubnetDetail {
    /// The subnet.
    pub subnet: SubnetRecord,
    /// Its VPC's name.
    pub vpc_name: Name,
    /// How many ports it has room for.
    pub addresses: u32,
    /// How many more.
    pub addresses_free: u32,
}

/// A VPC with what is told of it.
#[derive(Debug, Clone)]
pub struct VpcDetail {
    /// The VPC.
    pub vpc: VpcRecord,
    /// Its subnets.
    pub subnets: Vec<SubnetDetail>,
}

impl Engine {
    /// The VPC of that name or id; the default one, made if it isn't there, without.
    pub async fn find_vpc(&self, project: &str, reference: Option<&str>) -> Result<VpcRecord, EngineError> {
        match reference {
            // A project has it without asking.
            None | Some(network::DEFAULT) => Ok(network::default_vpc(&self.world, project).await?),
            Some(reference) => Ok(self.world.store.find_vpc(project, reference).await?),
        }
    }

    /// A page of a project's VPCs.
    pub async fn list_vpcs(&self, project: &str, by: &ListBy) -> Result<Listed<VpcDetail>, EngineError> {
        network::default_vpc(&self.world, project).await?;
        let mut listed = self.world.store.list_vpcs(project, by).await?;
        let vpcs = std::mem::take(&mut listed.items);
        Ok(listed.with(self.describe_vpcs(vpcs).await?))
    }

    /// A VPC with what is told of it.
    pub async fn describe_vpc(&self, vpc: VpcRecord) -> Result<VpcDetail, EngineError> {
        let detail = self.describe_vpcs(vec![vpc]).await?.pop();
        detail.ok_or_else(|| EngineError::Internal("a description without a VPC".to_owned()))
    }

    /// VPCs with what is told of them: one query, however many there are.
    async fn describe_vpcs(&self, vpcs: Vec<VpcRecord>) -> Result<Vec<VpcDetail>, EngineError> {
        let ids: Vec<_> = vpcs.iter().map(|vpc| vpc.id).collect();
        let ports = self.world.store.ports_per_subnet(&ids).await?;
        let ports: HashMap<SubnetId, u32> = ports.into_iter().collect();
        let detail = |vpc: VpcRecord| {
            let of_subnet = |subnet: &SubnetRecord| {
                let addresses = room_of(subnet);
                SubnetDetail {
                    subnet: subnet.clone(),
                    vpc_name: vpc.name.clone(),
                    addresses,
                    addresses_free: addresses.saturating_sub(ports.get(&subnet.id).copied().unwrap_or_default()),
                }
            };
            let subnets = vpc.subnets.iter().map(of_subnet).collect();
            VpcDetail { vpc, subnets }
        };
        Ok(vpcs.into_iter().map(detail).collect())
    }

    /// Makes a VPC.
    pub async fn create_vpc(&self, project: &str, name: &Name, labels: &Labels) -> Result<VpcRecord, EngineError> {
        // A project has that one without asking, with its subnet.
        network::default_vpc(&self.world, project).await?;
        Ok(self.world.store.create_vpc(project, name, labels).await?)
    }

    /// Changes the name and the labels of a VPC: what is given.
    pub async fn change_vpc(&self, id: VpcId, name: Option<&Name>, labels: &LabelPatch) -> Result<(), EngineError> {
        Ok(self.world.store.change_vpc(id, name, labels).await?)
    }

    /// Deletes a VPC that has no subnet, and all of it on the host.
    pub async fn delete_vpc(&self, id: VpcId) -> Result<(), EngineError> {
        let world = Arc::clone(&self.world);
        if Dry::is_on() {
            // What goes before the record does stays.
            return Ok(world.store.delete_vpc(id).await?);
        }
        let delete = blocking(move || {
            let known = world.vpcs.of(id);
            let mut state = lock(&known);
            world.wait(world.store.check_vpc_unused(id))?;
            let Some(record) = world.wait(world.store.vpc(id))? else {
                return Ok(());
            };
            state.whole = false;
            world.guests.close(id);
            // The record goes last: its number names what is on the host, and is free again with it.
            world.network.remove_vpc(&vpc_of(&record))?;
            Ok(world.wait(world.store.delete_vpc(id))?)
        });
        to_its_end(delete).await
    }

    /// The subnet of that name or id, or `VPC/NAME`; among those of `vpc` first.
    pub async fn find_subnet(
        &self,
        project: &str,
        reference: &str,
        vpc: Option<VpcId>,
    ) -> Result<SubnetRecord, EngineError> {
        if reference == network::DEFAULT && vpc.is_none() {
            network::default_vpc(&self.world, project).await?;
        }
        Ok(self.world.store.find_subnet(project, reference, vpc).await?)
    }

    /// A page of a project's subnets, of one VPC or of all.
    pub async fn list_subnets(
        &self,
        project: &str,
        vpc: Option<VpcId>,
        by: &ListBy,
    ) -> Result<Listed<SubnetDetail>, EngineError> {
        network::default_vpc(&self.world, project).await?;
        let listed = self.world.store.list_subnets(project, vpc, by).await?;
        let vpcs: HashSet<VpcId> = listed.items.iter().map(|subnet| subnet.vpc).collect();
        let vpcs: Vec<_> = vpcs.into_iter().collect();
        let vpcs = self.describe_vpcs(self.world.store.vpcs_by_id(&vpcs).await?).await?;
        let all = vpcs.into_iter().flat_map(|vpc| vpc.subnets);
        let mut known: HashMap<SubnetId, SubnetDetail> = all.map(|detail| (detail.subnet.id, detail)).collect();
        let details = listed.items.iter().filter_map(|subnet| known.remove(&subnet.id));
        let details = details.collect();
        Ok(listed.with(details))
    }

    /// A subnet with what is told of it.
    pub async fn describe_subnet(&self, id: SubnetId) -> Result<SubnetDetail, EngineError> {
        let gone = || berth_store::StoreError::NotFound {
            what: "subnet",
            reference: id.to_string(),
        };
        let subnet = self.world.store.subnet(id).await?.ok_or_else(gone)?;
        let vpc = self.world.store.vpc(subnet.vpc).await?.ok_or_else(gone)?;
        let all = self.describe_vpc(vpc).await?.subnets;
        let found = all.into_iter().find(|detail| detail.subnet.id == id);
        Ok(found.ok_or_else(gone)?)
    }

    /// Makes a subnet.
    pub async fn create_subnet(&self, project: &str, new: CreateSubnet) -> Result<SubnetRecord, EngineError> {
        check_servers("dns", &new.dns)?;
        check_servers("ntp", &new.ntp)?;
        let vpc = self.find_vpc(project, new.vpc.as_deref()).await?.id;
        self.check_apart(new.cidr)?;
        let new = NewSubnet {
            vpc,
            name: new.name,
            cidr: new.cidr,
            dns: new.dns,
            ntp: new.ntp,
            nat: new.nat,
            labels: new.labels,
        };
        let engine = self.clone();
        to_its_end(async move {
            let subnet = engine.world.store.create_subnet(new).await?;
            engine.in_force(vpc, Change::Whole).await?;
            Ok(subnet)
        })
        .await
    }

    /// The network between the host and its VPCs is no guest's, nor are public IPs.
    fn check_apart(&self, cidr: Ipv4Net) -> Result<(), EngineError> {
        let transit = self.world.network.provider();
        if cidr.contains(&transit) || transit.contains(&cidr) {
            let message = format!("{cidr} overlaps {transit}, which joins the host and its VPCs: choose another range");
            return Err(EngineError::invalid("cidr", message));
        }
        let pools = &self.settings().pools;
        let range = AddressRange::new(cidr.network(), cidr.broadcast());
        let shares =
            |pool: &&PublicIpPool| range.is_some_and(|range| pool.ranges.iter().any(|other| other.overlaps(range)));
        match pools.iter().find(shares) {
            Some(pool) => {
                let message = format!(
                    "{cidr} has addresses of the pool of public IPs '{}': choose another range",
                    pool.name
                );
                Err(EngineError::invalid("cidr", message))
            }
            None => Ok(()),
        }
    }

    /// Changes what is given of a subnet.
    pub async fn change_subnet(&self, id: SubnetId, change: ChangeSubnet) -> Result<(), EngineError> {
        check_servers("dns", change.dns.as_deref().unwrap_or_default())?;
        check_servers("ntp", change.ntp.as_deref().unwrap_or_default())?;
        let engine = self.clone();
        to_its_end(async move {
            // Labels are no network's.
            let labels_only =
                change.name.is_none() && change.nat.is_none() && change.dns.is_none() && change.ntp.is_none();
            let subnet = engine.world.store.change_subnet(id, change).await?;
            if labels_only {
                return Ok(());
            }
            engine.in_force(subnet.vpc, Change::Whole).await
        })
        .await
    }

    /// Deletes a subnet that has no port.
    pub async fn delete_subnet(&self, subnet: &SubnetRecord) -> Result<(), EngineError> {
        let (engine, id, vpc) = (self.clone(), subnet.id, subnet.vpc);
        to_its_end(async move {
            engine.world.store.delete_subnet(id).await?;
            engine.in_force(vpc, Change::Whole).await
        })
        .await
    }

    /// Has the network take over what was written down. What fails is told, and soon tried again.
    pub(crate) async fn in_force(&self, vpc: VpcId, change: Change) -> Result<(), EngineError> {
        if Dry::is_on() {
            // Nothing was to be written, or a dry run would not have come so far.
            return Ok(());
        }
        // Here and not in `apply`: the reconciler mends by that too, and a test means the request.
        at("network.apply before")?;
        let done = apply(&self.world, vpc, change).await;
        if done.is_err() {
            self.reconcile_soon();
        }
        done?;
        at("network.apply after")
    }
}

/// Where a test may have the daemon die.
fn at(point: &str) -> Result<(), EngineError> {
    fault_point(point).map_err(|failure| EngineError::Internal(failure.to_string()))
}
