//! Who may do what, said once more: the seed's table and `lifecycle.md`, row by row, and where each route belongs.
//!
//! The daemon has a table of its own. This one was written from the documents, and a route that it doesn't know has no
//! expectation: whoever adds one says here who may.

/// What somebody is to the project that a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Is {
    /// Not known, or not any more.
    Nobody,
    /// A user who has no role in it.
    Outsider,
    Reader,
    Member,
    Admin,
    /// Of the host: above projects.
    Operator,
}

/// Whom a request takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Anybody,
    User,
    /// A user who has not come by a token.
    UserWithoutToken,
    /// At least that role in the project.
    Role(Is),
    Operator,
}

/// Resources: where they are, who may look, who may change something.
///
/// The seed, "IAM-based role management": members of a project are managed by its admin, and public IPs set by the
/// admin; instances, volumes, images and key pairs are managed by admin and member, and viewed by the reader.
/// `lifecycle.md`: networks, subnets and security groups likewise.
const RESOURCES: [(&str, Is, Is); 17] = [
    ("instances", Is::Reader, Is::Member),
    ("operations", Is::Reader, Is::Member),
    ("events", Is::Reader, Is::Operator),
    ("stats", Is::Reader, Is::Operator),
    ("volumes", Is::Reader, Is::Member),
    ("snapshots", Is::Reader, Is::Member),
    ("images", Is::Reader, Is::Member),
    ("keypairs", Is::Reader, Is::Member),
    ("vpcs", Is::Reader, Is::Member),
    ("subnets", Is::Reader, Is::Member),
    ("security-groups", Is::Reader, Is::Member),
    ("ports", Is::Reader, Is::Member),
    ("public-ips", Is::Reader, Is::Admin),
    ("public-ip-pools", Is::Reader, Is::Operator),
    ("members", Is::Admin, Is::Admin),
    ("project", Is::Reader, Is::Operator),
    // What it is to pay: of the project, so whoever is in it may know; that the ledger is whole is the host's.
    ("usage", Is::Reader, Is::Operator),
];

/// Whom a route takes; none for one that nobody has said it of.
pub(crate) fn takes(method: &str, path: &str) -> Option<Takes> {
    match path {
        "/metrics" => return Some(Takes::Operator),
        "/healthz" | "/readyz" => return Some(Takes::Anybody),
        _ => {}
    }
    let parts: Vec<_> = path.strip_prefix("/v1/")?.split('/').collect();
    let looks = method == "GET";
    let resource = match parts.as_slice() {
        ["openapi.json"] if looks => return Some(Takes::Anybody),
        // What is the same for everybody, and oneself.
        ["lifecycle" | "types" | "volume-types" | "catalog" | "whoami" | "projects"] if looks => {
            return Some(Takes::User);
        }
        ["types" | "catalog", _] if looks => return Some(Takes::User),
        ["tokens"] if method == "POST" => return Some(Takes::UserWithoutToken),
        ["tokens"] | ["tokens", _] => return Some(Takes::User),
        // The operator's: the host, what projects there are, and who did what.
        ["host", ..] | ["projects" | "audit"] | ["usage", "verify"] => return Some(Takes::Operator),
        ["projects", _] | ["projects", _, "quota"] => "project",
        ["projects", _, "members", ..] => "members",
        // Who speaks with a guest does more than look.
        ["instances", _, "console"] | ["instances", _, "tcp", _] => return Some(Takes::Role(Is::Member)),
        ["instances" | "ports", _, "public-ip"] => "public-ips",
        [resource, ..] => resource,
        [] => return None,
    };
    let (_, view, manage) = RESOURCES.into_iter().find(|(name, ..)| *name == resource)?;
    Some(match if looks { view } else { manage } {
        Is::Operator => Takes::Operator,
        role => Takes::Role(role),
    })
}

/// How a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// By its route, whatever that says.
    Through,
    /// 401.
    Unauthenticated,
    /// 403.
    Forbidden,
    /// 404: for who asks there is no such project.
    NoProject,
}

/// How a route that takes these answers somebody who is that.
pub(crate) fn verdict(takes: Takes, is: Is, by_token: bool) -> Verdict {
    let may = match takes {
        Takes::Anybody => true,
        Takes::User => is > Is::Nobody,
        Takes::UserWithoutToken => is > Is::Nobody && !by_token,
        Takes::Role(least) => is >= least,
        Takes::Operator => is == Is::Operator,
    };
    match (may, is, takes) {
        (true, ..) => Verdict::Through,
        (false, Is::Nobody, _) => Verdict::Unauthenticated,
        (false, Is::Outsider, Takes::Role(_)) => Verdict::NoProject,
        (false, ..) => Verdict::Forbidden,
    }
}
