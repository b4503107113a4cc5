//! Reports of usage: at which price, and how long.

use berth_model::metering::{LedgerKind, PriceList, Prices, Report, Span};

#[test]
fn a_new_price_list_changes_no_time_before_it() {
    let list = |price: &str, types: &[&str]| PriceList {
        instance: types
            .iter()
            .map(|name| ((*name).to_owned(), price.parse().unwrap()))
            .collect(),
        ..PriceList::default()
    };
    let hour = 3_600_000_000;
    // The last list doesn't name the type any more: what is left of it costs what it did.
    let prices = Prices::new(vec![
        (0, list("1", &["a"])),
        (2 * hour, list("3", &["a"])),
        (3 * hour, list("9", &["b"])),
    ]);
    let span = |from: i64, to| Span {
        kind: LedgerKind::Instance,
        project: "p".to_owned(),
        resource: "r".to_owned(),
        name: "web".to_owned(),
        state: "Active".to_owned(),
        billed: true,
        rate: "a".to_owned(),
        quantity: 1,
        from,
        to,
    };
    let mut report = Report::new(vec![0..4 * hour, 5 * hour..6 * hour], prices, false, 10);
    report.add(&span(hour, None)).unwrap();
    let lines: Vec<_> = report
        .lines()
        .into_iter()
        .map(|line| (line.price.to_string(), line.micros / hour, line.amount.to_string()))
        .collect();
    let line = |price: &str, hours, amount: &str| (price.to_owned(), hours, amount.to_owned());
    assert_eq!(lines, [line("1", 1, "1.000000"), line("3", 3, "9.000000")]);
}

#[test]
fn a_report_has_no_more_lines_than_it_may() {
    let span = |resource: usize| Span {
        kind: LedgerKind::Volume,
        project: "p".to_owned(),
        resource: resource.to_string(),
        name: "data".to_owned(),
        state: "Stored".to_owned(),
        billed: true,
        rate: "ssd".to_owned(),
        quantity: 10,
        from: 0,
        to: None,
    };
    let mut report = Report::new(std::iter::once(0..10).collect(), Prices::default(), false, 2);
    report.add(&span(1)).unwrap();
    report.add(&span(2)).unwrap();
    assert!(report.add(&span(3)).is_err());
}
