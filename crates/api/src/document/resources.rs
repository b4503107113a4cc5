//! What there is: one row a resource, with the routes about it. A row is a tag of the document and a page of the reference.

use utoipa::openapi::Tag;
use utoipa::openapi::tag::TagBuilder;
use utoipa_axum::router::OpenApiRouter;

use super::operations;
use crate::App;

/// A kind of thing that requests are about.
pub(super) struct Resource {
    /// Its tag.
    name: &'static str,
    /// What it is.
    about: &'static str,
    /// The routes about it.
    routes: &'static [fn() -> OpenApiRouter<App>],
}

impl Resource {
    pub(super) fn tag(&self) -> Tag {
        TagBuilder::new().name(self.name).description(Some(self.about)).build()
    }

    /// Its routes, each with the tag and an operationId that is made of it: `volumes_attach`.
    pub(super) fn described(&self) -> OpenApiRouter<App> {
        let none = OpenApiRouter::new();
        let mut router = self.routes.iter().fold(none, |router, more| router.merge(more()));
        for (path, item) in &mut router.get_openapi_mut().paths.paths {
            for (_, operation) in operations(item) {
                // An action is called what its path calls it, whatever the function's name.
                let action = path.split_once("/actions/").map(|(_, action)| action.to_owned());
                let called = action.or_else(|| operation.operation_id.take()).unwrap_or_default();
                operation.operation_id = Some(format!("{}_{called}", self.name.replace('-', "_")));
                operation.tags = Some(vec![self.name.to_owned()]);
            }
        }
        router
    }
}

macro_rules! resources {
    ($($name:literal, $about:literal, [$($module:ident),+];)+) => {
        /// Every resource, in the order in which one gets to know them.
        pub(super) const RESOURCES: &[Resource] = &[$(Resource {
            name: $name,
            about: $about,
            routes: &[$(crate::$module::routes),+],
        }),+];
    };
}

resources! {
    "instances", "Virtual machines. What moves one is an action, allowed from some states and answered with an operation.",
        [instance, resize, history];
    "types", "What an instance can be: processors, memory, disk, NICs, and what an hour of it costs.", [instance_type];
    "lifecycle", "The states of instances and the actions that lead from one to another.", [lifecycle];
    "stats", "What instances use at this moment.", [stats];
    "volumes", "Disks. Each instance has one as its root, and may have more; a volume outlives the instances it is attached to.",
        [volume];
    "snapshots", "Volumes as they were at an instant. New volumes are made from them.", [snapshot];
    "images", "Disks that instances are made from: a project's own, and default ones of all projects.", [image];
    "catalog", "Images of the distributions, known by name: where they are fetched from, and what has to be said of them.",
        [catalog];
    "keypairs", "SSH keys. An instance that is made with one lets its owner in.", [keypair];
    "vpcs", "Private networks that know nothing of each other.", [vpc];
    "subnets", "Ranges of addresses in a VPC, with a gateway, DHCP and DNS.", [subnet];
    "security-groups", "What may reach a port, and what it may reach. What no rule allows is dropped.", [security_group];
    "ports", "NICs of instances, with an address and a MAC address of their own.", [port];
    "public-ips", "Addresses of the host's pools at which a port is reached from outside.", [public_ip];
    "projects", "Who shares what: everything belongs to a project, and its members work with it as their role allows.",
        [project];
    "quotas", "How much of each resource a project may have, and has.", [quota];
    "tokens", "What programs sign in with, and who one is.", [token];
    "operations", "Work under way, and how it ended.", [operation];
    "events", "What happens, as a stream: every change once and in order.", [event];
    "usage", "Who held what for how long, and what that comes to.", [usage];
    "audit", "Who asked for what, and what was decided.", [audit];
    "host", "The host itself: its hypervisor and room, and whether it is as the records have it.", [host, check];
    "health", "For whoever watches the daemon.", [health, metrics];
}
