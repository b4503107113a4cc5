//! A port: its tap, its pin in the guard, its DHCP entry.

use crate::bandwidth;
use crate::link;
use crate::names;
use crate::namespace::{self, inside};
use crate::vpc::plug_commands;
use crate::{GUEST_MTU, Network, NetworkError, Port, Subnet, Vpc, dhcp, flows, ruleset};

impl Network {
    /// Makes sure that the port's guest may come: DHCP knows it, the guard lets it send, its groups let it reach and be
    /// reached, and its tap is there. The
    /// tap is made on the host, down, where libvirt opens it by name (`managed='no'`, one queue); if it is in the
    /// namespace already and a guest holds it, it stays there. One that no guest holds is made anew.
    pub fn ensure_port(&self, vpc: &Vpc, port: &Port) -> Result<(), NetworkError> {
        vpc.check(&self.inner.settings)?;
        vpc.subnet_of(port)?;
        let (inner, tap) = (&self.inner, self.tap_name(port.id));
        self.claim(vpc, std::slice::from_ref(port))?;
        self.holding(vpc.index, |standing| {
            let plugged = inside(&self.namespace_name(vpc), || {
                self.stand_port(standing, vpc, port)?;
                let dhcp = self.dhcp(vpc);
                dhcp.add(&dhcp::entries(port, &tap))?;
                dhcp.ensure_running()?;
                if link::is_abandoned_tap(&inner.tools, &tap)? {
                    self.remove_tap_here(&tap)?;
                }
                Ok(link::exists(&tap))
            })?;
            self.ensure_public_held(vpc, port)?;
            if plugged || link::exists(&tap) {
                return Ok(());
            }
            // The MTU must be there before QEMU reads it. Nobody is named as owner: whoever opens the tap needs
            // CAP_NET_ADMIN, as libvirt has. Queues are one, for libvirt asks for no more: a tap of several
            // can't be opened as a tap of one.
            inner.tools.ip_batch(&[
                format!("tuntap add dev {tap} mode tap vnet_hdr"),
                format!("link set dev {tap} mtu {GUEST_MTU}"),
            ])
        })
    }

    /// Makes sure that the port's tap is in the namespace and on its bridge. Called while its guest is held, once
    /// libvirt has opened the tap.
    pub fn plug_port(&self, vpc: &Vpc, port: &Port) -> Result<(), NetworkError> {
        let bridge = names::bridge(vpc.subnet_of(port)?.index);
        let (tools, tap, namespace) = (&self.inner.tools, self.tap_name(port.id), self.namespace_name(vpc));
        self.holding(vpc.index, |_| {
            if link::exists(&tap) {
                // Of two, the one on the host is the one just opened, and the other is in its way.
                inside(&namespace, || self.remove_tap_here(&tap))?;
                tools.ip_batch(&[format!("link set dev {tap} netns {namespace}")])?;
            }
            inside(&namespace, || {
                if link::exists(&tap) {
                    // The limit first: a guest that is let in is held to it.
                    bandwidth::ensure(tools, &tap, &self.inner.names.ifb(&tap), port.bandwidth)?;
                    return tools.ip_batch(&plug_commands(&tap, &bridge));
                }
                let namespace = namespace.clone();
                Err(NetworkError::NoTap {
                    tap: tap.clone(),
                    port: port.id,
                    namespace,
                })
            })
        })
    }

    /// Makes sure that the port has no tap, on the host or in the namespace, and is reached at no public address; its
    /// own stays its own. Called when its guest is off.
    pub fn unplug_port(&self, vpc: &Vpc, port: &Port) -> Result<(), NetworkError> {
        self.holding(vpc.index, |standing| {
            self.delete_tap(vpc, &self.tap_name(port.id))?;
            if !namespace::exists(&self.namespace_name(vpc)) {
                return Ok(());
            }
            self.hide_port(vpc, port, standing)
        })
    }

    /// Makes sure that nothing is left of the port: tap, pin, DHCP entry and lease. Its address may be given to
    /// another one afterwards.
    pub fn remove_port(&self, vpc: &Vpc, port: &Port) -> Result<(), NetworkError> {
        let (inner, tap, namespace) = (&self.inner, self.tap_name(port.id), self.namespace_name(vpc));
        self.holding(vpc.index, |standing| {
            self.delete_tap(vpc, &tap)?;
            let dhcp = self.dhcp(vpc);
            if !namespace::exists(&namespace) {
                return dhcp.forget(&tap);
            }
            self.hide_port(vpc, port, standing)?;
            inside(&namespace, || {
                let known = standing.as_ref().map(|known| known.policy.clone());
                let unpin = ruleset::unpin(port, &inner.names);
                if let Some(mut policy) = known {
                    policy.ports.remove(&port.id);
                    self.stand(standing, policy, &unpin)?;
                } else {
                    // What else names its address leads nowhere, and goes when the VPC is next made sure of.
                    inner.tools.nft(&unpin)?;
                    flows::end_unless(&inner.tools, |flow| !flow.is_of(port.address))?;
                }
                dhcp.forget(&tap)?;
                // It won't start where a bridge is missing, which the next `ensure_vpc` puts back: what is taken away
                // has to go from a VPC that was never whole too.
                let whole = |subnet: &Subnet| link::exists(&names::bridge(subnet.index));
                if vpc.subnets.iter().all(whole) {
                    dhcp.ensure_running()?;
                }
                Ok(())
            })
        })
    }

    fn delete_tap(&self, vpc: &Vpc, tap: &str) -> Result<(), NetworkError> {
        let namespace = self.namespace_name(vpc);
        link::remove(&self.inner.tools, tap)?;
        if !namespace::exists(&namespace) {
            return Ok(());
        }
        inside(&namespace, || self.remove_tap_here(tap))
    }

    /// Makes sure that a tap isn't in the calling thread's namespace, nor what goes with it.
    pub(crate) fn remove_tap_here(&self, tap: &str) -> Result<(), NetworkError> {
        link::remove(&self.inner.tools, tap)?;
        link::remove(&self.inner.tools, &self.inner.names.ifb(tap))
    }
}
