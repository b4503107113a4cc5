//! What every answer has: headers, words for its status, and a problem if it is a refusal or a failure.

use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::{
    Components, ContentBuilder, KnownFormat, OpenApi, Ref, RefOr, Response, ResponseBuilder, SchemaFormat,
};

use super::every;

/// The media type of every problem.
const PROBLEM: &str = "application/problem+json";
/// The header that names a request.
const REQUEST_ID: &str = "X-Request-Id";
const REFUSED: &str = "Refused";
const FAILED: &str = "Failed";

/// Gives each operation its problems, and each answer its headers and words.
pub(super) fn describe(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    headers(components);
    let refused = "Refused: it says why, which field, and what would be right. Nothing has changed.";
    let failed = "It could not be done: the host, libvirt or the disk failed. Worth asking again later.";
    let rows: [(&str, &str, &[&str]); 2] = [
        (
            REFUSED,
            refused,
            &[REQUEST_ID, "Retry-After", "WWW-Authenticate", "Allow", "ETag"],
        ),
        (FAILED, failed, &[REQUEST_ID]),
    ];
    for (name, about, headers) in rows {
        let mut response = problem(about);
        response.headers = headers.iter().map(|name| ((*name).to_owned(), header(name))).collect();
        components.responses.insert(name.to_owned(), RefOr::T(response));
    }
    for (_, operation) in every(document) {
        told(operation);
    }
}

fn told(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    for (status, response) in responses.iter_mut() {
        if let RefOr::T(response) = response {
            response.headers.insert(REQUEST_ID.to_owned(), header(REQUEST_ID));
            if response.description.is_empty() {
                words(status).clone_into(&mut response.description);
            }
        }
    }
    for (status, name) in [("4XX", REFUSED), ("5XX", FAILED)] {
        let response = RefOr::Ref(Ref::from_response_name(name));
        responses.insert(status.to_owned(), response);
    }
}

/// What a status means here.
fn words(status: &str) -> &'static str {
    match status {
        "200" => "It is so.",
        "201" => "It is made.",
        "202" => "It is begun: the operation tells how it goes on.",
        "204" => "It is done, and there is nothing left to show.",
        _ => "It is not well.",
    }
}

fn problem(about: &str) -> Response {
    let schema = Ref::from_schema_name("Problem");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new()
        .description(about)
        .content(PROBLEM, content)
        .build()
}

/// A header that answers have, by its name.
fn header(name: &str) -> RefOr<Header> {
    RefOr::Ref(Ref::new(format!("#/components/headers/{name}")))
}

fn headers(components: &mut Components) {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let uuid = text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    let all: [(&str, &str, Object); 5] = [
        (
            "ETag",
            "What it is now, in a word: for `If-None-Match` and `If-Match`.",
            text().build(),
        ),
        (
            REQUEST_ID,
            "The id of the request, as the audit log has it.",
            uuid.build(),
        ),
        (
            "Retry-After",
            "With 429: how many seconds to wait before asking again.",
            seconds.build(),
        ),
        ("WWW-Authenticate", "With 401: how to sign in.", text().build()),
        ("Allow", "With 405: the methods that the path has.", text().build()),
    ];
    for (name, about, schema) in all {
        let header = HeaderBuilder::new()
            .description(Some(about))
            .schema(Some(schema))
            .build();
        components.headers.insert(name.to_owned(), RefOr::T(header));
    }
}
