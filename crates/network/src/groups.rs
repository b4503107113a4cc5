//! Security groups while guests run: what they let through changes at once, and with it what lives.
//!
//! What stands in a namespace is remembered by the process that has put it there, so that a change is only what has
//! changed. A process that has just begun, or has failed halfway, remembers nothing: then the whole is made anew.

use berth_model::SecurityGroupId;

use crate::namespace::{self, inside};
use crate::policy::Policy;
use crate::ruleset::{self, Ruleset};
use crate::{Network, NetworkError, Port, Vpc, bandwidth, edge, flows, link};

/// What stands in a VPC's namespace.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) policy: Policy,
    ruleset: Ruleset,
}

impl Network {
    /// Makes sure that an existing port's groups, pairs, public address and bandwidth are as said; its tap stays. Flows
    /// that it may no more have are ended. Refused if this process hasn't made sure of the VPC yet.
    pub fn set_port(&self, vpc: &Vpc, port: &Port) -> Result<(), NetworkError> {
        vpc.check(&self.inner.settings)?;
        vpc.subnet_of(port)?;
        self.claim(vpc, std::slice::from_ref(port))?;
        let (inner, tap, namespace) = (&self.inner, self.tap_name(port.id), self.namespace_name(vpc));
        self.holding(vpc.index, |standing| {
            inside(&namespace, || {
                self.stand_port(standing, vpc, port)?;
                if link::exists(&tap) {
                    bandwidth::ensure(&inner.tools, &tap, &inner.names.ifb(&tap), port.bandwidth)?;
                }
                Ok(())
            })?;
            self.ensure_public_held(vpc, port)
        })
    }

    /// Makes sure that the rules of one group are as `vpc.groups` has them; the group may be new. Flows that are
    /// allowed no more are ended, and no others. `ports` are all ports of the VPC, as for [`Network::ensure_vpc`]. A
    /// VPC whose namespace isn't there gets its groups when it is made.
    pub fn set_group(&self, vpc: &Vpc, ports: &[Port], id: SecurityGroupId) -> Result<(), NetworkError> {
        let mut policy = self.policy(vpc, ports)?;
        let group = vpc.group(id)?;
        let namespace = self.namespace_name(vpc);
        self.holding(vpc.index, |standing| {
            if !namespace::exists(&namespace) {
                return Ok(());
            }
            if let Some(standing) = &standing {
                // Whoever changes another group or a subnet says so by a call of his own.
                policy.subnets.clone_from(&standing.policy.subnets);
                for (id, known) in &standing.policy.groups {
                    policy.groups.insert(*id, known.clone());
                }
                policy.groups.insert(id, group.clone());
            }
            inside(&namespace, || self.stand(standing, policy, ""))
        })
    }

    /// Makes sure that nothing is left of a group, by its number; ports and rules that name it still do so no more.
    pub fn remove_group(&self, vpc: &Vpc, index: u32) -> Result<(), NetworkError> {
        let namespace = self.namespace_name(vpc);
        self.holding(vpc.index, |standing| match standing {
            Some(known) if namespace::exists(&namespace) => {
                let policy = known.policy.clone().without_group(index);
                inside(&namespace, || self.stand(standing, policy, ""))
            }
            // The whole will be made anew, and the group won't be in it.
            _ => Ok(()),
        })
    }

    /// What nft is told of a VPC besides what is always there, to be compared by a person: nothing where no guest is
    /// served, for there it is told nothing.
    pub fn rules(&self, vpc: &Vpc, ports: &[Port]) -> Result<String, NetworkError> {
        if ports.is_empty() {
            return Ok(String::new());
        }
        let (inner, policy) = (&self.inner, self.policy(vpc, ports)?);
        let edge = edge::lines(&vpc.subnets, inner.settings.nat, &edge::translations(ports));
        Ok(Ruleset::new(&policy, &inner.names).lines() + &edge)
    }

    /// Called inside the namespace.
    pub(crate) fn stand_port(
        &self,
        standing: &mut Option<Standing>,
        vpc: &Vpc,
        port: &Port,
    ) -> Result<(), NetworkError> {
        let Some(known) = standing else {
            return Err(NetworkError::Unknown(self.namespace_name(vpc)));
        };
        let policy = known.policy.clone().with(vpc, port);
        self.stand(standing, policy, &ruleset::pin(port, &self.inner.names))
    }

    /// Makes the rules of the calling thread's namespace follow that policy, then ends the flows it doesn't allow.
    /// `also` is what has to succeed even if nothing is to be changed. What fails is remembered no more.
    pub(crate) fn stand(
        &self,
        standing: &mut Option<Standing>,
        policy: Policy,
        also: &str,
    ) -> Result<(), NetworkError> {
        let inner = &self.inner;
        let ruleset = Ruleset::new(&policy, &inner.names);
        // To look through the flows takes the kernel longer than most changes: it has one table for all namespaces.
        let (text, widened) = match standing.take() {
            Some(old) => (ruleset.since(&old.ruleset), ruleset.only_adds_to(&old.ruleset)),
            None => (ruleset.whole(), false),
        };
        if !text.is_empty() || !also.is_empty() {
            inner.tools.nft(&format!("{text}{also}"))?;
        }
        if !widened {
            let judge = policy.judge();
            flows::end_unless(&inner.tools, |flow| judge.allows(flow))?;
        }
        *standing = Some(Standing { policy, ruleset });
        Ok(())
    }
}
