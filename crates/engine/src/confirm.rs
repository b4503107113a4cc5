//! Resizes that confirm themselves: because the request said so, or because the operator's window is over.

use std::sync::Arc;

use berth_model::{Action, Stable, Standing};
use berth_store::InstanceRecord;
use jiff::Timestamp;
use serde_json::json;

use crate::actor::Actors;
use crate::automatic;

/// Confirms the resize of an instance that rests in Resized, if it is time.
pub(crate) async fn if_due(actors: &Arc<Actors>, record: &InstanceRecord) {
    let Some(from) = record.resized_from.as_ref() else {
        return;
    };
    if record.standing != Standing::Resting(Stable::Resized) {
        return;
    }
    let window = actors.world().settings().resize_confirm_window;
    let age = Timestamp::now().duration_since(from.at).unsigned_abs();
    if !from.confirm && window.is_none_or(|window| age < window) {
        return;
    }
    if let Err(error) = automatic::ask(actors, record.id, Action::ConfirmResize, json!({})).await {
        tracing::warn!(instance = %record.id, %error, "the resize is not confirmed yet; it is tried again");
    }
}
