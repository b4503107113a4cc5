//! Summaries: the first sentence of what a route says of itself.

use utoipa::openapi::OpenApi;
use utoipa::openapi::path::Operation;

use super::every;

/// Gives each operation a summary of one line, and a description that has all of it.
pub(super) fn describe(document: &mut OpenApi) {
    for (_, operation) in every(document) {
        let Some(said) = operation.summary.take() else { continue };
        let said = said.replace('\n', " ");
        operation.summary = Some(first_sentence(&said).to_owned());
        operation.description = Some(joined(operation, said));
    }
}

fn joined(operation: &Operation, said: String) -> String {
    match &operation.description {
        Some(more) => format!("{said}\n\n{more}"),
        None => said,
    }
}

fn first_sentence(text: &str) -> &str {
    let end = text.find(". ").unwrap_or(text.len());
    text[..end].trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_one_sentence_without_its_full_stop() {
        assert_eq!(first_sentence("Shows it. All of it."), "Shows it");
        assert_eq!(first_sentence("Shows it."), "Shows it");
        assert_eq!(first_sentence("Shows v1.2 of it"), "Shows v1.2 of it");
    }
}
