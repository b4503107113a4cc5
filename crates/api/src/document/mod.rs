//! The OpenAPI document: told by the routes where they are written, finished here for all of them alike.
//!
//! ```text
//!   routes, with their words and types ─▶ resources: tags, operationIds ─▶ once, etag, auth, dry run: what requests carry
//!                                                ─▶ words: summaries ─▶ answers: problems, headers ─▶ examples
//! ```
//!
//! So a new route has all that by being there; what it has to bring are its words and an example, and a test says so.

mod answers;
mod examples;
mod resources;
#[cfg(test)]
mod tests;
mod words;

use axum::http::Method;
use utoipa::OpenApi as _;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{OpenApi, RefOr, Required};
use utoipa_axum::router::OpenApiRouter;

use crate::{App, auth, dry_run, etag, fields, once};

#[derive(utoipa::OpenApi)]
#[openapi(info(
    title = "Berth",
    description = "Instances, volumes, images, key pairs, networks and what moves them, on one host. \
                   What is begun is answered with an operation, which can be waited for; what is changed at once is in \
                   force when it is answered. Every error is a problem (RFC 9457) with a stable code."
))]
struct Described;

/// The routes, with the document that describes them.
pub(crate) fn described() -> OpenApiRouter<App> {
    let document = OpenApiRouter::with_openapi(Described::openapi());
    let mut router = resources::RESOURCES
        .iter()
        .fold(document, |router, resource| router.merge(resource.described()));
    let document = router.get_openapi_mut();
    document.tags = Some(resources::RESOURCES.iter().map(resources::Resource::tag).collect());
    once::describe(document);
    dry_run::describe(document);
    etag::describe(document);
    auth::describe(document);
    fields::describe(document);
    optional_bodies(document);
    words::describe(document);
    answers::describe(document);
    examples::describe(document);
    dry_run::join(document);
    router
}

/// Whose body may be left out: what takes a `MaybeBody`, and an image that is only tried to import.
const BODY_OPTIONAL: [&str; 7] = [
    "images_import",
    "instances_stop",
    "instances_reboot",
    "volumes_detach",
    "public_ips_allocate",
    "public_ips_give_instance",
    "ports_give_public_ip",
];

fn optional_bodies(document: &mut OpenApi) {
    for (_, operation) in every(document) {
        let id = operation.operation_id.as_deref().unwrap_or_default();
        if BODY_OPTIONAL.contains(&id)
            && let Some(RefOr::T(body)) = &mut operation.request_body
        {
            body.required = Some(Required::False);
        }
    }
}

/// The operations of a path, with their methods.
pub(crate) fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let all = [
        (Method::GET, &mut item.get),
        (Method::POST, &mut item.post),
        (Method::PUT, &mut item.put),
        (Method::PATCH, &mut item.patch),
        (Method::DELETE, &mut item.delete),
    ];
    all.into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Every operation of the document.
pub(crate) fn every(document: &mut OpenApi) -> impl Iterator<Item = (Method, &mut Operation)> {
    document.paths.paths.values_mut().flat_map(operations)
}
