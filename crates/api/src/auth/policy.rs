//! The policy: what each route needs of who asks. A route without a row is answered to nobody.
//!
//! One table, as data. A test holds it against the router: a row for each route, a route for each row.

use axum::http::Method;
use berth_model::{Kind, Need, Reach};

/// A method, a path as the router has it, and what it needs.
pub(crate) type Row = (Method, &'static str, Need);

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

const fn view(kind: Kind) -> Need {
    Need::Project(kind, Reach::View)
}

const fn manage(kind: Kind) -> Need {
    Need::Project(kind, Reach::Manage)
}

use Kind::{Images, Instances, KeyPairs, Members, Networks, Project, PublicIps, Volumes};
use Need::{Anyone, Operator, SignedIn};

/// What each route needs.
pub(crate) const POLICY: &[Row] = &[
    // What is the same for everybody.
    (GET, "/v1/openapi.json", Anyone),
    (GET, "/v1/lifecycle", SignedIn),
    (GET, "/v1/types", SignedIn),
    (GET, "/v1/types/{type}", SignedIn),
    (GET, "/v1/volume-types", SignedIn),
    (GET, "/v1/catalog", SignedIn),
    (GET, "/v1/catalog/{name}", SignedIn),
    // Oneself.
    (GET, "/v1/whoami", SignedIn),
    (GET, "/v1/tokens", SignedIn),
    (POST, "/v1/tokens", SignedIn),
    (GET, "/v1/tokens/{token}", SignedIn),
    (DELETE, "/v1/tokens/{token}", SignedIn),
    // Projects. The list has one's own.
    (GET, "/v1/projects", SignedIn),
    (POST, "/v1/projects", Operator),
    (GET, "/v1/projects/{project}", view(Project)),
    (PATCH, "/v1/projects/{project}", Operator),
    (DELETE, "/v1/projects/{project}", Operator),
    (GET, "/v1/projects/{project}/quota", view(Project)),
    (PATCH, "/v1/projects/{project}/quota", Operator),
    (GET, "/v1/projects/{project}/members", view(Members)),
    (PUT, "/v1/projects/{project}/members/{user}", manage(Members)),
    (DELETE, "/v1/projects/{project}/members/{user}", manage(Members)),
    // The host.
    (GET, "/metrics", Operator),
    (GET, "/healthz", Anyone),
    (GET, "/readyz", Anyone),
    (GET, "/v1/host", Operator),
    (GET, "/v1/host/check", Operator),
    (POST, "/v1/host/check", Operator),
    (GET, "/v1/audit", Operator),
    // Instances.
    (GET, "/v1/instances", view(Instances)),
    (POST, "/v1/instances", manage(Instances)),
    (GET, "/v1/instances/{instance}", view(Instances)),
    (PATCH, "/v1/instances/{instance}", manage(Instances)),
    (DELETE, "/v1/instances/{instance}", manage(Instances)),
    (POST, "/v1/instances/{instance}/actions/start", manage(Instances)),
    (POST, "/v1/instances/{instance}/actions/stop", manage(Instances)),
    (POST, "/v1/instances/{instance}/actions/reboot", manage(Instances)),
    (POST, "/v1/instances/{instance}/actions/resize", manage(Instances)),
    (
        POST,
        "/v1/instances/{instance}/actions/confirm_resize",
        manage(Instances),
    ),
    (
        POST,
        "/v1/instances/{instance}/actions/revert_resize",
        manage(Instances),
    ),
    (POST, "/v1/instances/{instance}/actions/shelve", manage(Instances)),
    (POST, "/v1/instances/{instance}/actions/unshelve", manage(Instances)),
    (GET, "/v1/stats", view(Instances)),
    (GET, "/v1/instances/{instance}/history", view(Instances)),
    (GET, "/v1/instances/{instance}/console/log", view(Instances)),
    // Who has the console or a connection may do what a guest lets them: that is not looking.
    (GET, "/v1/instances/{instance}/console", manage(Instances)),
    (GET, "/v1/instances/{instance}/tcp/{port}", manage(Instances)),
    // Work under way is told to the project; who may begin it may end it.
    (GET, "/v1/operations", view(Instances)),
    (GET, "/v1/operations/{operation}", view(Instances)),
    (GET, "/v1/operations/{operation}/wait", view(Instances)),
    (POST, "/v1/operations/{operation}/actions/cancel", manage(Instances)),
    (GET, "/v1/events", view(Project)),
    // What is to be paid. The ledger is of all projects.
    (GET, "/v1/usage", view(Project)),
    (GET, "/v1/usage/verify", Operator),
    // Volumes and snapshots.
    (GET, "/v1/volumes", view(Volumes)),
    (POST, "/v1/volumes", manage(Volumes)),
    (GET, "/v1/volumes/{volume}", view(Volumes)),
    (PATCH, "/v1/volumes/{volume}", manage(Volumes)),
    (DELETE, "/v1/volumes/{volume}", manage(Volumes)),
    (POST, "/v1/volumes/{volume}/actions/attach", manage(Volumes)),
    (POST, "/v1/volumes/{volume}/actions/detach", manage(Volumes)),
    (POST, "/v1/volumes/{volume}/actions/extend", manage(Volumes)),
    (POST, "/v1/volumes/{volume}/actions/save_as_image", manage(Images)),
    (GET, "/v1/snapshots", view(Volumes)),
    (POST, "/v1/snapshots", manage(Volumes)),
    (POST, "/v1/instances/{instance}/snapshots", manage(Volumes)),
    (GET, "/v1/snapshots/{snapshot}", view(Volumes)),
    (PATCH, "/v1/snapshots/{snapshot}", manage(Volumes)),
    (DELETE, "/v1/snapshots/{snapshot}", manage(Volumes)),
    // Images. What is a default one is the operator's, as its routes say.
    (GET, "/v1/images", view(Images)),
    (POST, "/v1/images", manage(Images)),
    (POST, "/v1/images/pull", manage(Images)),
    (GET, "/v1/images/{image}", view(Images)),
    (PATCH, "/v1/images/{image}", manage(Images)),
    (DELETE, "/v1/images/{image}", manage(Images)),
    (GET, "/v1/images/{image}/file", view(Images)),
    // Key pairs.
    (GET, "/v1/keypairs", view(KeyPairs)),
    (POST, "/v1/keypairs", manage(KeyPairs)),
    (GET, "/v1/keypairs/{keypair}", view(KeyPairs)),
    (PATCH, "/v1/keypairs/{keypair}", manage(KeyPairs)),
    (DELETE, "/v1/keypairs/{keypair}", manage(KeyPairs)),
    // Networks.
    (GET, "/v1/vpcs", view(Networks)),
    (POST, "/v1/vpcs", manage(Networks)),
    (GET, "/v1/vpcs/{vpc}", view(Networks)),
    (PATCH, "/v1/vpcs/{vpc}", manage(Networks)),
    (DELETE, "/v1/vpcs/{vpc}", manage(Networks)),
    (GET, "/v1/subnets", view(Networks)),
    (POST, "/v1/subnets", manage(Networks)),
    (GET, "/v1/subnets/{subnet}", view(Networks)),
    (PATCH, "/v1/subnets/{subnet}", manage(Networks)),
    (DELETE, "/v1/subnets/{subnet}", manage(Networks)),
    (GET, "/v1/security-groups", view(Networks)),
    (POST, "/v1/security-groups", manage(Networks)),
    (GET, "/v1/security-groups/{group}", view(Networks)),
    (PATCH, "/v1/security-groups/{group}", manage(Networks)),
    (DELETE, "/v1/security-groups/{group}", manage(Networks)),
    (POST, "/v1/security-groups/{group}/rules", manage(Networks)),
    (DELETE, "/v1/security-groups/{group}/rules/{rule}", manage(Networks)),
    (GET, "/v1/ports", view(Networks)),
    (POST, "/v1/ports", manage(Networks)),
    (GET, "/v1/ports/{port}", view(Networks)),
    (PATCH, "/v1/ports/{port}", manage(Networks)),
    (DELETE, "/v1/ports/{port}", manage(Networks)),
    (POST, "/v1/ports/{port}/actions/attach", manage(Networks)),
    (POST, "/v1/ports/{port}/actions/detach", manage(Networks)),
    // Public IPs.
    (GET, "/v1/public-ips", view(PublicIps)),
    (POST, "/v1/public-ips", manage(PublicIps)),
    (GET, "/v1/public-ips/{address}", view(PublicIps)),
    (PATCH, "/v1/public-ips/{address}", manage(PublicIps)),
    (DELETE, "/v1/public-ips/{address}", manage(PublicIps)),
    (POST, "/v1/public-ips/{address}/actions/attach", manage(PublicIps)),
    (POST, "/v1/public-ips/{address}/actions/detach", manage(PublicIps)),
    (POST, "/v1/instances/{instance}/public-ip", manage(PublicIps)),
    (POST, "/v1/ports/{port}/public-ip", manage(PublicIps)),
    (GET, "/v1/public-ip-pools", view(PublicIps)),
];

/// What a route needs; none for one that has no row.
pub(crate) fn need(method: &Method, path: &str) -> Option<Need> {
    // The router answers HEAD by what answers GET (RFC 9110, 9.3.2).
    let method = if method == Method::HEAD { &GET } else { method };
    let row = POLICY.iter().find(|(of, at, _)| of == method && *at == path);
    row.map(|(.., need)| *need)
}

/// The methods that a path has, as a header lists them.
pub(crate) fn methods(path: &str) -> String {
    let rows = POLICY.iter().filter(|(_, at, _)| *at == path);
    let methods = rows.flat_map(|(method, ..)| match *method {
        Method::GET => vec!["GET", "HEAD"],
        _ => vec![method.as_str()],
    });
    methods.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every route that the router has, as its document tells.
    fn routes() -> BTreeSet<(String, String)> {
        let document = serde_json::to_value(crate::openapi()).unwrap_or_default();
        let mut found = BTreeSet::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for method in item.as_object().into_iter().flat_map(|item| item.keys()) {
                found.insert((method.to_uppercase(), path.clone()));
            }
        }
        // The document's own route isn't in the document.
        found.insert(("GET".to_owned(), "/v1/openapi.json".to_owned()));
        found
    }

    #[test]
    fn every_route_has_a_row_and_every_row_a_route() {
        let rows: BTreeSet<_> = POLICY
            .iter()
            .map(|(method, path, _)| (method.to_string(), (*path).to_owned()))
            .collect();
        let routes = routes();
        assert_eq!(
            routes.difference(&rows).collect::<Vec<_>>(),
            [] as [&(String, String); 0]
        );
        assert_eq!(
            rows.difference(&routes).collect::<Vec<_>>(),
            [] as [&(String, String); 0]
        );
        assert_eq!(rows.len(), POLICY.len(), "a route has two rows");
        assert!(routes.len() > 80, "{}", routes.len());
    }

    #[test]
    fn only_what_tells_nothing_of_anybody_is_for_anyone() {
        let open: Vec<_> = POLICY.iter().filter(|(.., need)| *need == Anyone).collect();
        let open: Vec<_> = open.into_iter().map(|(_, path, _)| *path).collect();
        assert_eq!(open, ["/v1/openapi.json", "/healthz", "/readyz"]);
    }

    #[test]
    fn what_changes_something_is_for_nobody_who_may_only_look() {
        // Those of a token or one's own sign-in are about oneself.
        let looks = |(method, path, need): &&Row| {
            *method != GET
                && !path.starts_with("/v1/tokens")
                && !matches!(need, Operator | Need::Project(_, Reach::Manage))
        };
        assert_eq!(POLICY.iter().filter(looks).collect::<Vec<_>>(), [] as [&Row; 0]);
    }
}
