//! `berth usage …`

use std::process::ExitCode;

use berth_api_types::{UsageLineView, UsageQuery, UsageVerifiedView, UsageView, VerifyUsageQuery};
use berth_model::Code;
use berth_model::metering::Head;
use clap::{Args, Subcommand};
use comfy_table::Table;
use jiff::Timestamp;

use crate::cli::{Format, time};
use crate::commands::Context;
use crate::output::{self, lines, table};

const EXAMPLES: &str = "\
Times are RFC 3339, such as 2026-11-01T08:00:00Z, or a date, which is its beginning (UTC). \
Time in which the host was off is billed for nothing; time in which only the daemon was down is.

Examples:
  berth usage                                       # all there ever was
  berth usage --from 2026-11-01 --to 2026-12-01     # what November comes to
  berth usage --instance web --by-state             # where an instance has spent its time
  berth usage --from 2026-11-01 -o csv > november.csv
  berth usage verify                                # is the ledger whole? keep the head that it prints
  berth usage verify --head 1066:5f2c…              # is all still there that was when that was kept?";

/// What may be typed after `berth usage`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct UsageArgs {
    #[command(subcommand)]
    verb: Option<UsageVerb>,
    #[command(flatten)]
    report: ReportArgs,
}

#[derive(Debug, Args)]
struct ReportArgs {
    /// From this time on [default: the first there was]
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
    /// Up to this time [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
    /// Of the instances with this name or id only, of those that are gone too
    #[arg(long)]
    instance: Option<String>,
    /// Each state by itself, also those that cost nothing
    #[arg(long)]
    by_state: bool,
}

#[derive(Debug, Subcommand)]
enum UsageVerb {
    /// Follow the ledger from its first entry to its last: nothing changed, taken out, put in, billed twice
    Verify {
        /// A head that was printed before: it must still be there
        #[arg(long, value_name = "NUMBER:HASH")]
        head: Option<Head>,
    },
}

pub(crate) async fn run(args: UsageArgs, cx: &Context) -> anyhow::Result<ExitCode> {
    match args.verb {
        Some(UsageVerb::Verify { head }) => {
            let wanted = VerifyUsageQuery {
                head: head.map(|head| head.to_string()),
            };
            let verified = cx.client.verify_usage(&wanted).await?;
            output::text(cx.format, &verified, told)?;
            Ok(if verified.whole {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(Code::StoreError.exit())
            })
        }
        None => {
            let wanted = args.report;
            let query = UsageQuery {
                from: wanted.from,
                to: wanted.to,
                instance: wanted.instance,
                by_state: wanted.by_state,
            };
            let usage = cx.client.usage(&query).await?;
            match cx.format {
                Format::Csv => output::raw(&csv(&usage)?)?,
                _ if query.by_state => output::text(cx.format, &usage, |usage| lines(&by_state(usage)))?,
                _ => output::text(cx.format, &usage, |usage| lines(&report(usage)))?,
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn told(verified: &UsageVerifiedView) -> String {
    match (&verified.broken, &verified.head) {
        (Some(broken), _) => format!("entry {} of the ledger is broken: {}\n", broken.number, broken.reason),
        (None, head) => {
            let head = head.as_deref().unwrap_or_default();
            let entries = head.split(':').next().unwrap_or_default();
            format!("the ledger is whole: {entries} entries\nhead  {head}\n")
        }
    }
}

fn report(usage: &UsageView) -> Table {
    let row = |line: &UsageLineView| {
        [
            line.project.clone(),
            line.kind.clone(),
            line.name.clone(),
            line.rate.clone(),
            quantity(line),
            duration(line.duration_micros),
            line.price_per_hour.to_string(),
            line.amount.to_string(),
        ]
    };
    let amount = amount_in(usage);
    let headings = [
        "project", "kind", "name", "rate", "quantity", "time", "per hour", &amount,
    ];
    table(headings, usage.lines.iter().map(row).chain([total(usage)]))
}

fn by_state(usage: &UsageView) -> Table {
    let row = |line: &UsageLineView| {
        [
            line.kind.clone(),
            line.name.clone(),
            line.state.clone().unwrap_or_default(),
            line.rate.clone(),
            quantity(line),
            duration(line.duration_micros),
            yes_or_no(line.billed).to_owned(),
            line.amount.to_string(),
        ]
    };
    let amount = amount_in(usage);
    let headings = ["kind", "name", "state", "rate", "quantity", "time", "billed", &amount];
    table(headings, usage.lines.iter().map(row).chain([total(usage)]))
}

/// The last line.
fn total(usage: &UsageView) -> [String; 8] {
    let mut total = <[String; 8]>::default();
    "total".clone_into(&mut total[0]);
    total[7] = usage.total.to_string();
    total
}

fn amount_in(usage: &UsageView) -> String {
    match &usage.currency {
        Some(currency) => format!("amount ({currency})"),
        None => "amount".to_owned(),
    }
}

fn yes_or_no(it: bool) -> &'static str {
    if it { "yes" } else { "no" }
}

fn quantity(line: &UsageLineView) -> String {
    match &line.unit {
        Some(unit) => format!("{} {unit}", line.quantity),
        None => line.quantity.to_string(),
    }
}

/// Hours, minutes and seconds; what is left of a second is in the other formats.
fn duration(micros: i64) -> String {
    let seconds = micros / 1_000_000;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// A line for each line, exactly.
fn csv(usage: &UsageView) -> anyhow::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record([
        "project",
        "kind",
        "resource",
        "name",
        "rate",
        "state",
        "billed",
        "quantity",
        "unit",
        "seconds",
        "price_per_hour",
        "amount",
        "currency",
    ])?;
    for line in &usage.lines {
        let seconds = format!(
            "{}.{:06}",
            line.duration_micros / 1_000_000,
            line.duration_micros % 1_000_000
        );
        csv.write_record([
            line.project.as_str(),
            &line.kind,
            &line.resource,
            &line.name,
            &line.rate,
            line.state.as_deref().unwrap_or_default(),
            yes_or_no(line.billed),
            &line.quantity.to_string(),
            line.unit.as_deref().unwrap_or_default(),
            &seconds,
            &line.price_per_hour.to_string(),
            &line.amount.to_string(),
            usage.currency.as_deref().unwrap_or_default(),
        ])?;
    }
    Ok(csv.into_inner()?)
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::needless_raw_string_hashes,
    reason = "tests; so snapbox writes what is expected"
)]
mod tests {
    use clap::Parser as _;
    use serde_json::json;
    use snapbox::{assert_data_eq, str};

    use super::*;
    use crate::cli::Cli;

    fn line(kind: &str, state: Option<&str>, quantity: u64, unit: Option<&str>) -> serde_json::Value {
        json!({ "project": "default", "kind": kind, "resource": "0198", "name": "web, 1", "rate": "t1.nano", "state": state,
                "billed": state != Some("Building"), "quantity": quantity, "unit": unit, "duration_micros": 93_784_500_000_i64,
                "price_per_hour": "0.0012", "amount": "0.031262" })
    }

    fn usage(lines: &[serde_json::Value]) -> UsageView {
        let view = json!({ "as_of": "2026-11-26T09:00:00Z", "currency": "EUR", "lines": lines, "total": "0.062524" });
        serde_json::from_value(view).unwrap()
    }

    #[test]
    fn a_report_for_people() {
        let lines = [line("instance", None, 1, None), line("volume", None, 10, Some("GiB"))];
        assert_data_eq!(
            output::lines(&report(&usage(&lines))),
            str![[r#"
PROJECT  KIND      NAME    RATE     QUANTITY  TIME      PER HOUR  AMOUNT (EUR)
default  instance  web, 1  t1.nano  1         26:03:04  0.0012    0.031262
default  volume    web, 1  t1.nano  10 GiB    26:03:04  0.0012    0.031262
total                                                             0.062524

"#]]
        );
        let lines = [
            line("instance", Some("Building"), 1, None),
            line("instance", Some("Active"), 1, None),
        ];
        assert_data_eq!(
            output::lines(&by_state(&usage(&lines))),
            str![[r#"
KIND      NAME    STATE     RATE     QUANTITY  TIME      BILLED  AMOUNT (EUR)
instance  web, 1  Building  t1.nano  1         26:03:04  no      0.031262
instance  web, 1  Active    t1.nano  1         26:03:04  yes     0.031262
total                                                            0.062524

"#]]
        );
    }

    #[test]
    fn a_report_for_a_spreadsheet() {
        let lines = [
            line("instance", None, 1, None),
            line("volume", Some("Stored"), 10, Some("GiB")),
        ];
        assert_data_eq!(
            String::from_utf8(csv(&usage(&lines)).unwrap()).unwrap(),
            str![[r#"
project,kind,resource,name,rate,state,billed,quantity,unit,seconds,price_per_hour,amount,currency
default,instance,0198,"web, 1",t1.nano,,yes,1,,93784.500000,0.0012,0.031262,EUR
default,volume,0198,"web, 1",t1.nano,Stored,yes,10,GiB,93784.500000,0.0012,0.031262,EUR

"#]]
        );
    }

    #[test]
    fn what_verify_says() {
        let whole = json!({ "whole": true, "head": format!("12:{}", "ab".repeat(32)) });
        let whole: UsageVerifiedView = serde_json::from_value(whole).unwrap();
        assert_data_eq!(
            told(&whole),
            str![[r#"
the ledger is whole: 12 entries
head  12:abababababababababababababababababababababababababababababababab

"#]]
        );
        let broken = json!({ "whole": false, "broken": { "number": 7, "reason": "it was changed" } });
        let broken: UsageVerifiedView = serde_json::from_value(broken).unwrap();
        assert_data_eq!(
            told(&broken),
            str![[r#"
entry 7 of the ledger is broken: it was changed

"#]]
        );
    }

    #[test]
    fn times_are_moments_or_days() {
        assert_eq!(time("2026-11-01"), time("2026-11-01T00:00:00Z"));
        assert_eq!(time("2026-11-01T01:00:00+01:00"), time("2026-11-01"));
        for wrong in ["yesterday", "2026-11", "2026-11-31", "1764100123"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        for good in [
            "usage",
            "usage --from 2026-11-01 -o csv",
            "usage verify -o json",
            "usage --instance web --by-state",
        ] {
            Cli::try_parse_from(["berth"].into_iter().chain(good.split(' '))).unwrap();
        }
        for bad in [
            "usage verify --head 12",
            "usage --from 2026-11-01 verify",
            "usage --to x",
        ] {
            assert!(
                Cli::try_parse_from(["berth"].into_iter().chain(bad.split(' '))).is_err(),
                "{bad}"
            );
        }
    }
}
