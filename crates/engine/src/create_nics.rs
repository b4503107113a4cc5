//! The NICs of a new instance: looked up and checked before anything is written.

use berth_model::{InstanceType, Mac, PortId, VpcId};
use berth_store::{NicOfNew, PortRecord, SubnetRecord};

use crate::create::{CreateInstances, WantedNic};
use crate::{Engine, EngineError, network};

impl Engine {
    /// Looks up the NICs that instances are to have. All are of one VPC.
    pub(crate) async fn look_up_nics(
        &self,
        project: &str,
        request: &CreateInstances,
        kind: &InstanceType,
    ) -> Result<Vec<NicOfNew>, EngineError> {
        let one = [WantedNic::New {
            subnet: None,
            address: None,
        }];
        let wanted = if request.nics.is_empty() {
            &one[..]
        } else {
            &request.nics
        };
        if wanted.len() > kind.nics as usize {
            let message = format!(
                "{} are more than the {} that type {} may have",
                wanted.len(),
                kind.nics,
                kind.name
            );
            return Err(EngineError::invalid("nics", message));
        }
        check_count(request, wanted)?;
        let mut vpc = None;
        let mut found = Vec::with_capacity(wanted.len());
        for nic in wanted {
            match nic {
                WantedNic::Port(reference) => {
                    let port = self.find_port(project, reference).await?;
                    same(&mut vpc, port.vpc)?;
                    twice(&found, &port)?;
                    found.push(NicOfNew::Existing(port.id));
                }
                WantedNic::New { subnet, address } => {
                    let subnet = self.subnet_of_new(project, subnet.as_deref(), vpc).await?;
                    same(&mut vpc, subnet.vpc)?;
                    found.push(NicOfNew::New {
                        id: PortId::new(),
                        mac: Mac::random(),
                        vpc: subnet.vpc,
                        subnet: subnet.id,
                        address: *address,
                        groups: None,
                    });
                }
            }
        }
        self.put_into_groups(project, &request.groups, &mut found).await?;
        Ok(found)
    }

    async fn subnet_of_new(
        &self,
        project: &str,
        reference: Option<&str>,
        vpc: Option<VpcId>,
    ) -> Result<SubnetRecord, EngineError> {
        if let Some(reference) = reference {
            return self.find_subnet(project, reference, vpc).await;
        }
        let default = network::default_vpc(&self.world, project).await?;
        let named = default
            .subnets
            .iter()
            .find(|subnet| subnet.name.as_str() == network::DEFAULT);
        named.or(default.subnets.first()).cloned().ok_or_else(|| {
            let message = "the default VPC has no subnet: make one, or say which subnet of another VPC";
            EngineError::invalid("nics", message)
        })
    }

    async fn put_into_groups(&self, project: &str, named: &[String], nics: &mut [NicOfNew]) -> Result<(), EngineError> {
        if named.is_empty() {
            return Ok(());
        }
        for nic in nics {
            if let NicOfNew::New { vpc, groups, .. } = nic {
                *groups = Some(self.groups_of(project, named, *vpc).await?);
            }
        }
        Ok(())
    }
}

/// What only one instance can have.
fn check_count(request: &CreateInstances, wanted: &[WantedNic]) -> Result<(), EngineError> {
    if request.count <= 1 {
        return Ok(());
    }
    let only_one = |nic: &WantedNic| match nic {
        WantedNic::Port(_) => true,
        WantedNic::New { address, .. } => address.is_some(),
    };
    if wanted.iter().any(only_one) {
        let message = "several instances can't have one port or address: give only subnets, or make one instance";
        return Err(EngineError::invalid("nics", message));
    }
    if request
        .public_ip
        .as_ref()
        .is_some_and(|public| public.address.is_some())
    {
        let message = "several instances can't have one address: give none, or make one instance";
        return Err(EngineError::invalid("public_ip", message));
    }
    Ok(())
}

/// All NICs of an instance are of one VPC: a guest with a foot in two would join what is to be apart.
fn same(vpc: &mut Option<VpcId>, of: VpcId) -> Result<(), EngineError> {
    if *vpc.get_or_insert(of) == of {
        return Ok(());
    }
    Err(EngineError::invalid("nics", "all NICs of an instance are of one VPC"))
}

fn twice(found: &[NicOfNew], port: &PortRecord) -> Result<(), EngineError> {
    if found.contains(&NicOfNew::Existing(port.id)) {
        return Err(EngineError::invalid("nics", "a port is one NIC, and it is given twice"));
    }
    Ok(())
}
