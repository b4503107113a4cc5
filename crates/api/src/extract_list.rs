//! How a list is asked for, parsed: its page, order, names and labels; and the words that filters are given in.

use std::str::FromStr;

use berth_api_types::{Asked, ListQuery};
use berth_engine::{ListBy, Listed};
use berth_model::{Cursor, InstanceId, Sort, SortKey, VpcId};

use crate::App;
use crate::auth::Scope;
use crate::extract::limit;
use crate::problem::ApiError;

/// What the entries of a list may be sorted by.
const NAMELESS: &[SortKey] = &[SortKey::CreatedAt];

/// How a list of what has names is asked for; in that order if the query says none.
pub(crate) fn list_by(query: &impl ListQuery, order: Sort) -> Result<ListBy, ApiError> {
    asked(query.asked(), order, SortKey::ALL)
}

/// How a list of what has no names is asked for.
pub(crate) fn nameless_by(query: &impl ListQuery) -> Result<ListBy, ApiError> {
    asked(query.asked(), Sort::OLDEST, NAMELESS)
}

fn asked(asked: Asked<'_>, order: Sort, keys: &[SortKey]) -> Result<ListBy, ApiError> {
    let sort: Option<Sort> = parsed("sort", asked.sort)?;
    let sort = sort.unwrap_or(order);
    if !keys.contains(&sort.key) {
        return Err(ApiError::invalid(
            "sort",
            "these have no name: they are sorted by created_at or -created_at",
        ));
    }
    let after: Option<Cursor> = parsed("after", asked.after)?;
    if let Some(other) = after.as_ref().filter(|after| after.sort != sort) {
        let message = format!(
            "it is of a list sorted by {}, and this one is sorted by {sort}: begin without it",
            other.sort
        );
        return Err(ApiError::invalid("after", message));
    }
    let labels = asked.label.iter().map(|label| label.parse());
    Ok(ListBy {
        limit: limit(asked.limit)?,
        sort,
        after,
        name: parsed("name", asked.name)?,
        labels: labels
            .collect::<Result<_, _>>()
            .map_err(|error: berth_model::LabelError| ApiError::invalid("label", error))?,
    })
}

/// A value that is given as text.
fn parsed<T: FromStr<Err: ToString>>(field: &str, text: Option<&str>) -> Result<Option<T>, ApiError> {
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|error: T::Err| ApiError::invalid(field, error))
}

/// One of some words, or none if it isn't given. What is none of them is refused with all of them.
pub(crate) fn word<T: Copy>(
    field: &str,
    given: Option<&str>,
    words: &[T],
    shown: impl Fn(T) -> &'static str,
) -> Result<Option<T>, ApiError> {
    let Some(given) = given else { return Ok(None) };
    let found = words.iter().find(|word| shown(**word) == given);
    found.copied().map(Some).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|word| shown(*word)).collect();
        ApiError::invalid(
            field,
            format!("'{}' is none of {}", given.escape_debug(), words.join(", ")),
        )
    })
}

/// One of the names that are known, or none if it isn't given. What is none of them is refused with all of them.
pub(crate) fn known(field: &str, given: Option<String>, names: &[&str]) -> Result<Option<String>, ApiError> {
    let unknown = given.as_ref().filter(|given| !names.contains(&given.as_str()));
    match unknown {
        Some(unknown) => Err(ApiError::invalid(
            field,
            format!("'{}' is none of {}", unknown.escape_debug(), names.join(", ")),
        )),
        None => Ok(given),
    }
}

/// The VPC that a list is filtered by.
pub(crate) async fn vpc(app: &App, scope: &Scope, reference: Option<&str>) -> Result<Option<VpcId>, ApiError> {
    Ok(match reference {
        Some(reference) => Some(app.engine.find_vpc(&scope.project, Some(reference)).await?.id),
        None => None,
    })
}

/// The instance that a list is filtered by.
pub(crate) async fn instance(
    app: &App,
    scope: &Scope,
    reference: Option<&str>,
) -> Result<Option<InstanceId>, ApiError> {
    Ok(match reference {
        Some(reference) => Some(app.engine.find_instance(&scope.project, reference).await?.id),
        None => None,
    })
}

/// A page as it is shown.
pub(crate) fn page_of<T, V>(listed: Listed<T>, view: impl FnMut(&T) -> V) -> berth_api_types::Page<V> {
    berth_api_types::Page {
        items: listed.items.iter().map(view).collect(),
        next: listed.next.map(|next| next.to_string()),
    }
}
