//! Labels on the command line: `--label` of what is made and of lists, and `berth NOUN label`.

use std::collections::BTreeMap;

use berth_api_types::NamedQuery;
use berth_model::{Label, LabelError, LabelKey, LabelPatch, LabelSelector, LabelValue, Labels};
use clap::Args;

use crate::commands::network::joined;
use crate::failure::Failure;

/// The labels of what is made.
#[derive(Debug, Default, Args)]
pub(crate) struct NewLabels {
    /// A label to find it by again, up to 64 times
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<Label>,
}

impl NewLabels {
    /// All of them. A key that is given twice is refused.
    pub(super) fn given(self) -> anyhow::Result<Labels> {
        Ok(Labels::of(self.labels).map_err(|error| Failure::invalid(format!("--label: {error}")))?)
    }
}

/// `berth NOUN label`.
#[derive(Debug, Args)]
pub(crate) struct Relabel {
    /// Its name or id
    #[arg(value_name = "NAME")]
    pub(super) of: String,
    /// KEY=VALUE sets a label, KEY- takes it away; the others stay
    #[arg(required = true, value_name = "KEY=VALUE|KEY-", value_parser = change)]
    changes: Vec<(LabelKey, Option<LabelValue>)>,
}

impl Relabel {
    /// What changes. Of a key that is given twice the last counts, as it would one after the other.
    pub(super) fn patch(&self) -> LabelPatch {
        LabelPatch::Keys(self.changes.iter().cloned().collect::<BTreeMap<_, _>>())
    }
}

/// How a list is asked for by whatever it is of.
#[derive(Debug, Default, Args)]
pub(crate) struct Listing {
    /// Only those called so; 'web-*' for all names that begin with 'web-'
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// The order [default: created_at]
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    #[arg(value_parser = ["created_at", "-created_at", "name", "-name"])]
    pub(super) sort: Option<String>,
    #[command(flatten)]
    pub(super) by: ByLabel,
}

/// Which labels are wanted in a list.
#[derive(Debug, Default, Args)]
pub(crate) struct ByLabel {
    /// Only those with this label; of several, all have to be there
    #[arg(long = "label", value_name = "KEY[=VALUE]", value_parser = selector)]
    pub(super) label: Vec<String>,
}

impl From<Listing> for NamedQuery {
    fn from(listing: Listing) -> Self {
        Self {
            name: listing.name,
            sort: listing.sort,
            label: listing.by.label,
            ..Self::default()
        }
    }
}

fn label(text: &str) -> Result<Label, String> {
    text.parse().map_err(|error: LabelError| error.to_string())
}

fn selector(text: &str) -> Result<String, String> {
    let known = text.parse::<LabelSelector>();
    known.map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn change(text: &str) -> Result<(LabelKey, Option<LabelValue>), String> {
    let key = |key: &str| key.parse().map_err(|error: LabelError| error.to_string());
    match (text.contains('='), text.strip_suffix('-')) {
        (false, Some(gone)) => Ok((key(gone)?, None)),
        _ => label(text).map(|label| (label.key, Some(label.value))),
    }
}

/// All labels in one line; a dash for none.
pub(super) fn shown(labels: &Labels) -> String {
    let each = |(key, value): (&LabelKey, &LabelValue)| format!("{key}={value}");
    joined(&labels.iter().map(each).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use clap::Parser as _;

    use crate::cli::{Cli, Noun};
    use crate::commands::vpc::VpcVerb;

    /// The change that a line asks for, or what is said of it.
    fn asked(line: &str) -> Result<String, String> {
        let words = "berth vpc label lab".split(' ').chain(line.split_whitespace());
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        match cli.noun {
            Noun::Vpc(VpcVerb::Label(change)) => Ok(serde_json::to_string(&change.patch()).unwrap()),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn a_label_is_set_by_its_value_and_taken_away_by_a_dash() {
        assert_eq!(
            asked("env=prod team- note=ends-with-").unwrap(),
            r#"{"env":"prod","note":"ends-with-","team":null}"#
        );
        assert_eq!(asked("empty=").unwrap(), r#"{"empty":""}"#);
        assert!(asked("env").unwrap_err().contains("'env' is not KEY=VALUE"));
        assert!(asked("").unwrap_err().contains("KEY=VALUE|KEY-"));
        assert!(asked("-env=prod").is_err());
    }
}
