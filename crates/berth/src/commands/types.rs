//! `berth type …`

use berth_model::InstanceType;
use clap::Subcommand;

use crate::commands::Context;
use crate::output::{self, fields, table};

const EXAMPLES: &str = "\
Examples:
  berth type list
  berth type show t1.nano";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum TypeVerb {
    /// List the instance types
    List,
    /// Show an instance type
    Show {
        /// Its name, such as m2.large
        name: String,
    },
}

pub(crate) async fn run(verb: TypeVerb, cx: &Context) -> anyhow::Result<()> {
    match verb {
        TypeVerb::List => {
            let types = cx.client.types().await?;
            output::print(cx.format, &types, |types| {
                let row = |entry: &InstanceType| {
                    [
                        entry.name.clone(),
                        entry.vcpus.to_string(),
                        entry.memory.to_string(),
                        entry.storage.to_string(),
                        format!("{} Mbit/s", entry.bandwidth),
                        entry.price_per_hour.to_string(),
                    ]
                };
                table(
                    ["type", "vcpus", "memory", "storage", "bandwidth", "per hour"],
                    types.iter().map(row),
                )
            })?;
        }
        TypeVerb::Show { name } => {
            let entry = cx.client.instance_type(&name).await?;
            output::print(cx.format, &entry, |entry| {
                fields([
                    ("type", entry.name.clone()),
                    ("family", entry.family().to_owned()),
                    ("vcpus", entry.vcpus.to_string()),
                    ("memory", entry.memory.to_string()),
                    ("storage", entry.storage.to_string()),
                    ("nics", entry.nics.to_string()),
                    ("bandwidth", format!("{} Mbit/s", entry.bandwidth)),
                    ("per hour", entry.price_per_hour.to_string()),
                ])
            })?;
        }
    }
    Ok(())
}
