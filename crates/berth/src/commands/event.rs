//! `berth event …`

use berth_api_types::EventQuery;
use clap::Subcommand;

use crate::cli::Format;
use crate::commands::Context;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  berth event watch
  berth event watch --after 0 --kind instance
  berth event watch --resource web -o json";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum EventVerb {
    /// Print what happens, as it happens
    Watch {
        /// Begin after this event; 0 shows all that are kept
        #[arg(long, value_name = "SEQ")]
        after: Option<i64>,
        /// Only events of this kind, e.g. instance.state, or of all kinds of a resource, e.g. instance
        #[arg(long)]
        kind: Option<String>,
        /// Only events about the resource of this id or name
        #[arg(long, value_name = "NAME")]
        resource: Option<String>,
    },
}

pub(crate) async fn run(verb: EventVerb, cx: &Context) -> anyhow::Result<()> {
    let EventVerb::Watch { after, kind, resource } = verb;
    let query = EventQuery { after, kind, resource };
    let mut events = cx.client.events(&query).await?;
    while let Some(event) = events.next().await? {
        match cx.format {
            Format::Json => output::line(&serde_json::to_string(&event)?)?,
            Format::Yaml => output::raw(format!("---\n{}", serde_yaml_ng::to_string(&event)?).as_bytes())?,
            Format::Table | Format::Csv | Format::Name => {
                let rest = [event.state, event.message]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join(": ");
                output::line(&format!(
                    "{:>6}  {:.3}  {:<18} {:<16} {rest}",
                    event.seq, event.at, event.kind, event.name
                ))?;
            }
        }
    }
    Ok(())
}
