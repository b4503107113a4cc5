//! `/metrics`: what is counted is what happened, what is gauged is what is, and a libvirt that is away hides the guests'
//! numbers only.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use berth_testkit::{Daemon, Host, Libvirt, Options, ask};

use crate::away::wait_for_link;

/// A scrape, as text.
pub(crate) fn scrape(daemon: &Daemon<'_>) -> String {
    let (status, text) = ask(daemon, "GET /metrics", &[]);
    assert_eq!(status, 200, "{text}");
    text
}

/// The value of the one series whose line begins so.
fn value(text: &str, series: &str) -> Option<f64> {
    let found: Vec<_> = text.lines().filter(|line| line.starts_with(series)).collect();
    assert!(found.len() < 2, "{series} is not one series: {found:?}");
    let (_, value) = found.first()?.rsplit_once(' ')?;
    value.parse().ok()
}

/// Scrapes until that says what it waits for.
fn until<T>(daemon: &Daemon<'_>, what: &str, seen: impl Fn(&str) -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let text = scrape(daemon);
        if let Some(seen) = seen(&text) {
            return seen;
        }
        assert!(Instant::now() < deadline, "{what} never came: {text}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn what_happened_is_counted_and_what_a_guest_uses_is_told_while_it_runs() {
    let host = Host::new(Libvirt::Started);
    let daemon = Daemon::start(&host);
    let id = daemon.create("web");
    let whose = format!("{{id=\"{id}\",name=\"web\",project=\"default\"");
    let text = scrape(&daemon);
    let create = "berth_operations_total{resource=\"instance\",action=\"create\",outcome=\"succeeded\"}";
    assert_eq!(value(&text, create), Some(1.0), "{text}");
    assert_eq!(value(&text, "berth_instances{state=\"Active\"}"), Some(1.0));
    assert_eq!(value(&text, "berth_libvirt_up"), Some(1.0));
    assert_eq!(value(&text, &format!("berth_instance_vcpus{whose}")), Some(1.0));
    let networking = "berth_operation_step_duration_seconds_count{resource=\"instance\",action=\"create\",step=\"3\",\
                      state=\"Networking\"}";
    assert_eq!(value(&text, networking), Some(1.0), "{text}");

    let cpu = format!("berth_instance_cpu_seconds_total{whose}");
    let before = value(&text, &cpu).unwrap();
    until(&daemon, "more processor time", |text| {
        (value(text, &cpu)? > before).then_some(())
    });
    for what in ["memory", "memory_resident"] {
        let bytes = value(&text, &format!("berth_instance_{what}_bytes{whose}")).unwrap();
        assert!(bytes > f64::from(1 << 20), "{what}: {bytes}");
    }
    let read = format!("berth_instance_disk_read_bytes_total{whose},disk=\"vda\"}}");
    until(&daemon, "a read of the disk", |text| {
        (value(text, &read)? > 0.0).then_some(())
    });
    let received = format!("berth_instance_network_receive_bytes_total{whose},nic=\"0\"}}");
    until(&daemon, "an answer of DHCP", |text| {
        (value(text, &received)? > 0.0).then_some(())
    });
    let lag = value(&scrape(&daemon), "berth_event_lag_seconds_count").unwrap();
    assert!(lag > 0.0, "libvirt has told of nothing");

    // The same for people, and for one project only.
    let used = &daemon.json(["top", "--once", "--interval", "0.5"])["instances"][0];
    assert_eq!(
        (used["name"].as_str(), used["state"].as_str()),
        (Some("web"), Some("Active"))
    );
    assert!(
        used["cpu_percent"].as_f64().is_some() && used["network_sent_bytes_per_second"].as_f64().is_some(),
        "{used}"
    );
    daemon.ok(["project", "create", "lab"]);
    for (project, instances) in [("lab", 0), ("default", 1)] {
        let (_, stats) = ask(
            &daemon,
            "GET /v1/stats",
            &[&format!("{}: {project}", berth_api_types::PROJECT_HEADER)],
        );
        let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
        assert_eq!(
            stats["instances"].as_array().unwrap().len(),
            instances,
            "{project}: {stats}"
        );
    }

    daemon.ok(["instance", "stop", "web", "--force"]);
    // Numbers may be a second old.
    until(&daemon, "the end of its series", |text| {
        (!text.contains(&whose)).then_some(())
    });
    let text = scrape(&daemon);
    assert_eq!(value(&text, "berth_instances{state=\"Stopped\"}"), Some(1.0));
    assert_eq!(value(&text, "berth_instances{state=\"Active\"}"), Some(0.0));
    daemon.ok(["instance", "delete", "web"]);
    until(&daemon, "no instance", |text| {
        (value(text, "berth_instances{state=\"Stopped\"}") == Some(0.0)).then_some(())
    });
    assert!(!scrape(&daemon).contains(&id));
}

#[test]
fn requests_are_counted_by_route_and_nobody_makes_series_up() {
    let host = Host::new(Libvirt::Absent);
    let daemon = Daemon::start_with(&host, Options::default());
    for nowhere in 0..20 {
        assert_eq!(ask(&daemon, &format!("GET /v1/nowhere/{nowhere}"), &[]).0, 404);
        assert_eq!(ask(&daemon, &format!("METHOD{nowhere} /v1/instances"), &[]).0, 405);
        assert_eq!(ask(&daemon, &format!("GET /v1/instances/none-{nowhere}"), &[]).0, 404);
    }
    let text = scrape(&daemon);
    for series in [
        "{method=\"GET\",route=\"unmatched\",status=\"4xx\"}",
        "{method=\"other\",route=\"/v1/instances\",status=\"4xx\"}",
        "{method=\"GET\",route=\"/v1/instances/{instance}\",status=\"4xx\"}",
    ] {
        let series = format!("berth_http_request_duration_seconds_count{series}");
        assert_eq!(value(&text, &series), Some(20.0), "{text}");
    }
    assert!(!text.contains("none-1") && !text.contains("nowhere") && !text.contains("METHOD"));
    assert_eq!(value(&text, "berth_libvirt_up"), Some(0.0));
}

/// The families of scrapes: their types, and the labels that their series have.
fn families(scrapes: &[String]) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut found: BTreeMap<String, (String, BTreeSet<String>)> = BTreeMap::new();
    for line in scrapes.iter().flat_map(|text| text.lines()) {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap();
            kind.clone_into(&mut found.entry(name.to_owned()).or_default().0);
        } else if !line.starts_with('#') {
            let (name, rest) = line.split_at(line.find(['{', ' ']).unwrap());
            let histogram = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end));
            let family = histogram.filter(|family| found.contains_key(*family)).unwrap_or(name);
            let labels = rest
                .split_once('}')
                .map_or("", |(labels, _)| labels)
                .trim_start_matches('{');
            let keys = labels
                .split("\",")
                .filter_map(|label| label.split_once('='))
                .map(|(key, _)| key.to_owned());
            let (_, known) = found
                .get_mut(family)
                .unwrap_or_else(|| panic!("{family} is not declared"));
            known.extend(keys);
        }
    }
    found
}

/// What Prometheus' own tool has against a scrape; nothing if it isn't installed.
fn promtool(text: &str) -> Option<String> {
    let tool = std::env::var_os("PROMTOOL").unwrap_or_else(|| "promtool".into());
    let mut promtool = Command::new(tool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .ok()?;
    promtool.stdin.take()?.write_all(text.as_bytes()).ok()?;
    let output = promtool.wait_with_output().ok()?;
    Some(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_families_are_those_that_dashboards_are_built_on() {
    let host = Host::new(Libvirt::Started);
    let options = Options {
        config: "[[public_ip_pools]]\nname = 'office'\nranges = ['203.0.113.16/28']\n".to_owned(),
        tiny: true,
        ..Options::default()
    };
    let daemon = Daemon::start_with(&host, options);
    daemon.create("web");
    let received = "berth_instance_network_receive_bytes_total{";
    until(&daemon, "a NIC", |text| text.contains(received).then_some(()));
    let well = scrape(&daemon);
    match promtool(&well) {
        Some(complaints) => assert_eq!(complaints, "", "promtool doesn't like it"),
        None => println!("SKIPPED promtool: it is in Debian's package prometheus"),
    }
    host.signal_libvirtd("-KILL");
    wait_for_link(&daemon, false);
    let away = until(&daemon, "a call that failed", |text| {
        text.contains("berth_libvirt_call_failures_total{")
            .then(|| text.to_owned())
    });
    assert_eq!(value(&away, "berth_libvirt_up"), Some(0.0));
    assert!(away.contains("berth_operations_total{") && !away.contains("berth_instance_cpu_seconds_total{"));

    let families = families(&[well, away]);
    let line = |(name, (kind, labels)): (&String, &(String, BTreeSet<String>))| {
        let labels: Vec<_> = labels.iter().map(String::as_str).collect();
        format!("{name} {kind} {}", labels.join(","))
    };
    let lines: Vec<_> = families.iter().map(line).collect();
    insta::assert_snapshot!(lines.join("\n"));

    let dashboard = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/grafana.json");
    let dashboard = std::fs::read_to_string(dashboard).unwrap();
    let words = dashboard.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let mut used = 0;
    for metric in words.filter(|word| word.starts_with("berth_")) {
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| metric.strip_suffix(end));
        let there = families.contains_key(metric) || family.is_some_and(|family| families.contains_key(family));
        assert!(there, "the dashboard shows {metric}, and there is no such metric");
        used += 1;
    }
    assert!(used > 10, "the dashboard shows nothing");
}
