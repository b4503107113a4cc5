//! What is begun by a request and goes on by itself: followed to its end, or left with its id printed.

use berth_api_types::OperationView;
use berth_client::ClientError;

use crate::cli::Waiting;
use crate::commands::Context;
use crate::output;
use crate::several::{self, Failures};
use crate::wait::{Follower, succeeded};

/// Begins to follow what is asked for next, unless it isn't waited for.
pub(super) async fn begin(waiting: Waiting, cx: &Context) -> anyhow::Result<Option<Follower>> {
    if waiting.no_wait {
        return Ok(None);
    }
    Ok(Some(Follower::begin(&cx.client).await?))
}

/// Asks for one operation and waits for it; without waiting its id is the result, and nothing is left to show.
pub(super) async fn done(
    waiting: Waiting,
    cx: &Context,
    ask: impl Future<Output = Result<OperationView, ClientError>>,
) -> anyhow::Result<Option<OperationView>> {
    let mut failures = Failures::new(cx, 1);
    let follower = begin(waiting, cx).await?;
    let operation = ask.await?;
    let ended = finish(follower, &[operation], &mut failures).await?;
    failures.end()?;
    Ok(ended.into_iter().next())
}

/// Asks for the same of each and waits for all; those that succeeded.
pub(super) async fn all(
    names: &[String],
    waiting: Waiting,
    cx: &Context,
    ask: impl AsyncFn(&str) -> Result<OperationView, ClientError>,
) -> anyhow::Result<Vec<OperationView>> {
    let mut failures = Failures::new(cx, names.len());
    let follower = begin(waiting, cx).await?;
    let operations = several::ask(names, &mut failures, ask).await;
    let ended = finish(follower, &operations, &mut failures).await?;
    failures.end()?;
    Ok(ended)
}

/// Waits for them; those that succeeded. Without waiting their ids are printed, and none is left to show.
pub(super) async fn finish(
    follower: Option<Follower>,
    operations: &[OperationView],
    failures: &mut Failures<'_>,
) -> anyhow::Result<Vec<OperationView>> {
    let Some(follower) = follower else {
        for operation in operations {
            output::line(&operation.id.to_string())?;
        }
        return Ok(Vec::new());
    };
    let mut good = Vec::with_capacity(operations.len());
    for operation in follower.finish(operations).await? {
        match succeeded(&operation) {
            Ok(()) => good.push(operation),
            Err(failure) => failures.add(failure.into()).await,
        }
    }
    Ok(good)
}
