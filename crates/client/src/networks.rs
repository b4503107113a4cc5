//! VPCs, subnets, security groups and ports: one method a route. All of these are done when the answer is there.

use berth_api_types::{
    AttachPort, ChangePort, ChangeSecurityGroup, ChangeSubnet, ChangeVpc, CreatePort, CreateRule, CreateSecurityGroup,
    CreateSubnet, CreateVpc, NamedQuery, PortQuery, PortView, RuleView, SecurityGroupQuery, SecurityGroupView,
    SubnetQuery, SubnetView, VpcView,
};
use reqwest::Method;

use crate::http::encoded;
use crate::{Client, ClientError};

/// VPCs.
impl Client {
    /// Lists VPCs.
    pub async fn vpcs(&self, query: &NamedQuery) -> Result<Vec<VpcView>, ClientError> {
        self.listed("/v1/vpcs", query).await
    }

    /// Shows a VPC.
    pub async fn vpc(&self, reference: &str) -> Result<VpcView, ClientError> {
        self.get(&vpc(reference)).await
    }

    /// Makes a VPC, with a default security group and no subnets.
    pub async fn create_vpc(&self, request: &CreateVpc) -> Result<VpcView, ClientError> {
        self.post("/v1/vpcs", request).await
    }

    /// Changes what is given of a VPC.
    pub async fn change_vpc(&self, reference: &str, change: &ChangeVpc) -> Result<VpcView, ClientError> {
        self.json(self.request(Method::PATCH, &vpc(reference)).json(change))
            .await
    }

    /// Deletes a VPC.
    pub async fn delete_vpc(&self, reference: &str) -> Result<(), ClientError> {
        self.delete(&vpc(reference)).await.map(drop)
    }
}

/// Subnets.
impl Client {
    /// Lists subnets.
    pub async fn subnets(&self, query: &SubnetQuery) -> Result<Vec<SubnetView>, ClientError> {
        self.listed("/v1/subnets", query).await
    }

    /// Shows a subnet.
    pub async fn subnet(&self, reference: &str) -> Result<SubnetView, ClientError> {
        self.get(&subnet(reference)).await
    }

    /// Makes a subnet.
    pub async fn create_subnet(&self, request: &CreateSubnet) -> Result<SubnetView, ClientError> {
        self.post("/v1/subnets", request).await
    }

    /// Changes what is given of a subnet.
    pub async fn change_subnet(&self, reference: &str, change: &ChangeSubnet) -> Result<SubnetView, ClientError> {
        self.json(self.request(Method::PATCH, &subnet(reference)).json(change))
            .await
    }

    /// Deletes a subnet.
    pub async fn delete_subnet(&self, reference: &str) -> Result<(), ClientError> {
        self.delete(&subnet(reference)).await.map(drop)
    }
}

/// Security groups.
impl Client {
    /// Lists security groups.
    pub async fn security_groups(&self, query: &SecurityGroupQuery) -> Result<Vec<SecurityGroupView>, ClientError> {
        self.listed("/v1/security-groups", query).await
    }

    /// Shows a security group.
    pub async fn security_group(&self, reference: &str) -> Result<SecurityGroupView, ClientError> {
        self.get(&group(reference, "")).await
    }

    /// Makes a security group.
    pub async fn create_security_group(&self, request: &CreateSecurityGroup) -> Result<SecurityGroupView, ClientError> {
        self.post("/v1/security-groups", request).await
    }

    /// Changes what is given of a security group.
    pub async fn change_security_group(
        &self,
        reference: &str,
        change: &ChangeSecurityGroup,
    ) -> Result<SecurityGroupView, ClientError> {
        self.json(self.request(Method::PATCH, &group(reference, "")).json(change))
            .await
    }

    /// Deletes a security group.
    pub async fn delete_security_group(&self, reference: &str) -> Result<(), ClientError> {
        self.delete(&group(reference, "")).await.map(drop)
    }

    /// Adds a rule to a security group.
    pub async fn add_rule(&self, reference: &str, rule: &CreateRule) -> Result<RuleView, ClientError> {
        self.post(&group(reference, "/rules"), rule).await
    }

    /// Takes a rule, by its id, from a security group.
    pub async fn delete_rule(&self, reference: &str, rule: &str) -> Result<(), ClientError> {
        let path = group(reference, &format!("/rules/{}", encoded(rule)));
        self.delete(&path).await.map(drop)
    }
}

/// Ports.
impl Client {
    /// Lists ports.
    pub async fn ports(&self, query: &PortQuery) -> Result<Vec<PortView>, ClientError> {
        self.listed("/v1/ports", query).await
    }

    /// Shows a port, with its counters.
    pub async fn port(&self, reference: &str) -> Result<PortView, ClientError> {
        self.get(&port(reference, "")).await
    }

    /// Makes a port.
    pub async fn create_port(&self, request: &CreatePort) -> Result<PortView, ClientError> {
        self.post("/v1/ports", request).await
    }

    /// Changes what is given of a port.
    pub async fn change_port(&self, reference: &str, change: &ChangePort) -> Result<PortView, ClientError> {
        self.json(self.request(Method::PATCH, &port(reference, "")).json(change))
            .await
    }

    /// Attaches a port to an instance.
    pub async fn attach_port(&self, reference: &str, how: &AttachPort) -> Result<PortView, ClientError> {
        self.post(&port(reference, "/actions/attach"), how).await
    }

    /// Detaches a port from its instance.
    pub async fn detach_port(&self, reference: &str) -> Result<PortView, ClientError> {
        self.post(&port(reference, "/actions/detach"), &serde_json::json!({}))
            .await
    }

    /// Deletes a port.
    pub async fn delete_port(&self, reference: &str) -> Result<(), ClientError> {
        self.delete(&port(reference, "")).await.map(drop)
    }
}

fn vpc(reference: &str) -> String {
    format!("/v1/vpcs/{}", encoded(reference))
}

fn subnet(reference: &str) -> String {
    format!("/v1/subnets/{}", encoded(reference))
}

fn group(reference: &str, rest: &str) -> String {
    format!("/v1/security-groups/{}{rest}", encoded(reference))
}

pub(crate) fn port(reference: &str, rest: &str) -> String {
    format!("/v1/ports/{}{rest}", encoded(reference))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slash_of_a_vpc_and_a_name_is_no_slash_of_the_path() {
        assert_eq!(group("lab/web", "/rules"), "/v1/security-groups/lab%2Fweb/rules");
        assert_eq!(subnet("lab/.."), "/v1/subnets/lab%2F..");
    }

    #[test]
    fn only_what_is_given_is_asked_for() {
        let query = PortQuery {
            subnet: Some("lab/a".to_owned()),
            label: vec!["env=prod".to_owned(), "web".to_owned()],
            ..PortQuery::default()
        };
        let pairs = crate::http::pairs(&query);
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(pairs, [("label", "env=prod"), ("label", "web"), ("subnet", "lab/a")]);
    }
}
