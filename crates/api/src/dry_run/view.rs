//! A preview as it is shown.

use berth_api_types::{ChargeView, DiffView, DryRunView, OperationPreview, PriceChange, WouldView};
use berth_engine::{Charge, Diff, EventRecord, HourlyPrice, OperationRecord, Preview};
use berth_model::Work;

pub(super) fn of(preview: Preview) -> DryRunView {
    DryRunView {
        dry_run: true,
        would: preview.events.into_iter().map(would).collect(),
        operations: preview.operations.into_iter().map(operation).collect(),
        charges: preview.charges.into_iter().map(charge).collect(),
        price_per_hour: preview.price.map(price),
        diffs: preview.diffs.into_iter().map(diff).collect(),
    }
}

fn would(event: EventRecord) -> WouldView {
    WouldView {
        kind: event.kind,
        resource: event.resource,
        name: event.name,
        state: event.state,
        message: event.message,
    }
}

fn operation(record: OperationRecord) -> OperationPreview {
    let steps = match record.work {
        Work::Instance(position) => {
            let steps = position.action().row().steps.iter();
            steps.map(|step| step.state.to_string()).collect()
        }
        Work::Volume(..) | Work::Image(_) => record.work.state().map(str::to_owned).into_iter().collect(),
    };
    OperationPreview {
        kind: record.work.kind().to_owned(),
        action: record.work.action().to_owned(),
        resource: record.subject,
        resource_name: record.subject_name,
        steps,
    }
}

fn charge(charge: Charge) -> ChargeView {
    ChargeView {
        project: charge.project,
        resource: charge.resource,
        delta: charge.delta,
        used: charge.used,
        limit: charge.limit,
    }
}

fn diff(diff: Diff) -> DiffView {
    DiffView {
        what: diff.what,
        diff: diff.text,
    }
}

fn price(price: HourlyPrice) -> PriceChange {
    PriceChange {
        before: price.before,
        after: price.after,
        currency: Some(price.currency).filter(|currency| !currency.is_empty()),
    }
}
