//! `berth quota …`

use std::collections::BTreeMap;

use berth_api_types::{ChangeQuota, QuotaView, ResourceQuota};
use berth_model::{Limit, Resource};
use clap::Subcommand;

use crate::commands::Context;
use crate::output::{self, lines, table};

/// What takes the daemon's default for a limit.
const DEFAULT: &str = "default";

const EXAMPLES: &str = "\
Examples:
  berth quota show
  berth quota set default vcpus=64 memory_mib=131072 images=default";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum QuotaVerb {
    /// Show how much of each resource a project has, and may have
    Show {
        /// Its name [default: yours]
        project: Option<String>,
    },
    /// Set limits of a project: a number, 'unlimited', or 'default' for what the daemon's configuration says
    ///
    /// A limit may be below what is used: then nothing new is given, and nothing is taken away.
    Set {
        /// The project's name
        project: String,
        /// Which limits, e.g. vcpus=64
        #[arg(required = true, value_name = "RESOURCE=LIMIT", value_parser = limit)]
        limits: Vec<(Resource, Option<Limit>)>,
    },
}

/// A resource and its limit; none for the daemon's default.
fn limit(text: &str) -> Result<(Resource, Option<Limit>), String> {
    let (resource, limit) = text
        .split_once('=')
        .ok_or_else(|| "give it as RESOURCE=LIMIT, e.g. vcpus=64".to_owned())?;
    let resource = resource
        .parse()
        .map_err(|error: berth_model::ParseResourceError| error.to_string())?;
    if limit == DEFAULT {
        return Ok((resource, None));
    }
    let limit = limit
        .parse()
        .map_err(|error: berth_model::ParseLimitError| format!("{error}, or 'default'"))?;
    Ok((resource, Some(limit)))
}

pub(crate) async fn run(verb: QuotaVerb, cx: &Context) -> anyhow::Result<()> {
    let quota = match verb {
        QuotaVerb::Show { project } => cx.client.quota(&cx.project(project).await?).await?,
        QuotaVerb::Set { project, limits } => {
            let limits = BTreeMap::from_iter(limits);
            cx.client.change_quota(&project, &ChangeQuota { limits }).await?
        }
    };
    output::text(cx.format, &quota, |quota: &QuotaView| {
        let row = |one: &ResourceQuota| [one.resource.to_string(), one.used.to_string(), limit_of(one)];
        lines(&table(["resource", "used", "limit"], quota.quotas.iter().map(row)))
    })
}

/// The limit, and whose it is if it isn't the project's own.
fn limit_of(one: &ResourceQuota) -> String {
    if one.set || one.limit == Limit::Unlimited {
        return one.limit.to_string();
    }
    format!("{} (default)", one.limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_or_a_word() {
        assert_eq!(limit("vcpus=64"), Ok((Resource::Vcpus, Some(Limit::AtMost(64)))));
        assert_eq!(
            limit("images=unlimited"),
            Ok((Resource::Images, Some(Limit::Unlimited)))
        );
        assert_eq!(limit("images=default"), Ok((Resource::Images, None)));
        assert_eq!(
            limit("images=many"),
            Err(
                "'many' is no limit: give a number from 0 to 9223372036854775807, or 'unlimited', or 'default'"
                    .to_owned()
            )
        );
        assert!(limit("images").is_err());
        assert!(limit("ram=1").is_err_and(|error| error.starts_with("there is no quota 'ram'; there are instances,")));
    }
}
