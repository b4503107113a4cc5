//! `berth instance resize`

use berth_api_types::{EventQuery, ResizeInstance};
use clap::Args;

use crate::cli::Waiting;
use crate::commands::Context;
use crate::commands::begun::begin;
use crate::commands::instance::finish;
use crate::several::Failures;
use crate::wait::succeeded;

#[derive(Debug, Args)]
pub(crate) struct Resize {
    /// Its name or id
    instance: String,
    /// The new type: see 'berth type list'
    #[arg(long = "type", value_name = "TYPE")]
    instance_type: String,
    /// Confirm once the guest runs on the new type
    #[arg(long)]
    confirm: bool,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) async fn run(how: &Resize, cx: &Context) -> anyhow::Result<()> {
    let request = ResizeInstance {
        instance_type: how.instance_type.clone(),
        confirm: how.confirm,
    };
    // Listening begins before anything is asked: the confirmation is the daemon's own doing.
    let confirmed = match begin(how.waiting, cx).await?.filter(|_| how.confirm) {
        Some(follower) => Some((follower, cx.client.events(&EventQuery::default()).await?)),
        None => None,
    };
    let follower = begin(how.waiting, cx).await?;
    let resize = cx.client.resize_instance(&how.instance, &request).await?;
    let Some((confirmation, mut events)) = confirmed else {
        return finish(follower, &[resize], Failures::new(cx, 1), cx).await;
    };
    if let Some(follower) = follower {
        let ended = follower.finish(std::slice::from_ref(&resize)).await?;
        ended.iter().try_for_each(succeeded)?;
    }
    let (instance, own) = (resize.resource.clone(), resize.id.to_string());
    while let Some(event) = events.next().await? {
        match event.operation {
            Some(other) if event.resource == instance && other != own => {
                let operation = cx.client.operation(&other).await?;
                return finish(Some(confirmation), &[operation], Failures::new(cx, 1), cx).await;
            }
            _ => {}
        }
    }
    Ok(())
}
