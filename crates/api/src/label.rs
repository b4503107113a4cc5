//! The labels of what is shown: read once for all of it.

use std::collections::HashMap;

use berth_api_types::GivenLabels;
use berth_engine::Labelled;
use berth_model::{Label, LabelError, LabelPatch, Labels};

use crate::App;
use crate::problem::ApiError;

/// The labels of the resources that an answer shows.
#[derive(Debug)]
pub(crate) struct LabelsOf(HashMap<String, Labels>);

impl LabelsOf {
    /// Those of these resources, in one query.
    pub(crate) async fn read<Id: ToString>(app: &App, ids: impl IntoIterator<Item = Id>) -> Result<Self, ApiError> {
        let ids: Vec<_> = ids.into_iter().collect();
        Ok(Self(app.engine.labels_of(&ids).await?))
    }

    /// Those of one of them.
    pub(crate) fn of(&self, id: &impl ToString) -> Labels {
        self.0.get(&id.to_string()).cloned().unwrap_or_default()
    }
}

/// Changes the labels of what has no other change.
pub(crate) async fn change(app: &App, of: Labelled, patch: &LabelPatch) -> Result<(), ApiError> {
    Ok(app.engine.change_labels(of, patch).await?)
}

/// The labels that a query gives, each as `KEY=VALUE`.
pub(crate) fn given(labels: &GivenLabels) -> Result<Labels, ApiError> {
    let parsed: Result<Vec<Label>, _> = labels.label.iter().map(|label| label.parse()).collect();
    parsed
        .and_then(Labels::of)
        .map_err(|error: LabelError| ApiError::invalid("label", error))
}
