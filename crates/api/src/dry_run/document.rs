//! The parameter and its answer in the document, at every operation that changes something.

use axum::http::Method;
use berth_api_types::DryRunView;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Components, Content, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder, Schema};
use utoipa::{PartialSchema as _, ToSchema as _};

use super::PARAMETER;
use crate::document::every;

const DESCRIPTION: &str = "With `true` nothing is changed: what is refused is refused, else what would be done is told \
                           (`DryRunView`). No `Idempotency-Key` is taken.";
const ANSWERED: &str = "With `dry_run=true`: what the request would do. Nothing was changed.";

/// Says it of every operation that changes something: it can be tried, and is answered with 200 then.
pub(crate) fn describe(document: &mut OpenApi) {
    for (_, operation) in every(document).filter(|(method, _)| method != Method::GET) {
        operation.parameters.get_or_insert_default().push(RefOr::T(parameter()));
        let answers = &mut operation.responses.responses;
        answers.entry("200".to_owned()).or_insert_with(|| {
            let told = ResponseBuilder::new()
                .description(ANSWERED)
                .content("application/json", Content::new(Some(view())));
            told.build().into()
        });
    }
    register(document.components.get_or_insert_default());
}

/// Joins that answer with what an operation answers with 200 itself, once that has its words and its example.
pub(crate) fn join(document: &mut OpenApi) {
    for (_, operation) in every(document).filter(|(method, _)| method != Method::GET) {
        let answers = &mut operation.responses.responses;
        if let Some(RefOr::T(own)) = answers.get_mut("200")
            && own.description != ANSWERED
        {
            either(own);
        }
    }
}

fn parameter() -> Parameter {
    ParameterBuilder::new()
        .name(PARAMETER)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(DESCRIPTION))
        .schema(Some(ObjectBuilder::new().schema_type(Type::Boolean)))
        .build()
}

fn view() -> Ref {
    Ref::from_schema_name(DryRunView::name())
}

/// An answer, or that to a dry run.
fn either(own: &mut Response) {
    for content in own.content.values_mut() {
        if let RefOr::T(content) = content
            && let Some(schema) = content.schema.take()
        {
            content.schema = Some(AnyOfBuilder::new().item(schema).item(view()).into());
        }
    }
    let separator = if own.description.is_empty() { "" } else { "\n\n" };
    own.description.push_str(separator);
    own.description.push_str(ANSWERED);
}

/// The answer's schema, and those that it names.
fn register(components: &mut Components) {
    let mut named: Vec<(String, RefOr<Schema>)> = Vec::new();
    DryRunView::schemas(&mut named);
    named.push((DryRunView::name().into_owned(), DryRunView::schema()));
    components.schemas.extend(named);
}
