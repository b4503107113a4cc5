//! Whether an answer is what a document shows of it, whatever differs from run to run.
//!
//! - Times, durations, ids, MACs, tokens, keys, hashes and sizes of files (`27.69 MiB`) stand for each other; with `numbers`
//!   all numbers do.
//! - How far columns are apart, and lines that are empty, don't matter.
//! - A line `…` stands for any lines, also none; in a line `…` stands for any characters.
//! - Of instances that go on at once, each passes its states in order; which is first differs.

use std::sync::LazyLock;

use regex::Regex;

/// What differs from run to run, and what it is replaced by. The first that fits wins.
static REPLACED: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let rules = [
        (r"\bberth_[0-9a-f…]+_[0-9A-Za-z_…-]+", "[TOKEN]"),
        (r"\bSHA256:[0-9A-Za-z+/]{43}", "[FINGERPRINT]"),
        (r"\bAAAA[0-9A-Za-z+/=]{40,}", "[KEY]"),
        (
            r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
            "[ID]",
        ),
        // A serial number is the first 20 characters of an id.
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]\b", "[SERIAL]"),
        (r"\b[0-9a-f]{64}\b", "[HASH]"),
        (r"\b52:54:00(:[0-9a-f]{2}){3}\b", "[MAC]"),
        (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]"),
        (r"\b\d{4}-\d\d-\d\d( \d\d:\d\d)?\b", "[DATE]"),
        (r"\b\d+:\d\d:\d\d(\.\d+)?\b", "[CLOCK]"),
        (r"\b[\d.]+/[\d.]+/[\d.]+ ms\b", "[ROUND TRIP]"),
        (r"\b\d+(\.\d+)? (µs|ms|s|min|h|d)\b", "[FOR]"),
        (r"\b\d+\.\d+ [KMG]iB\b", "[SIZE]"),
    ];
    rules.map(|(rule, by)| (Regex::new(rule).expect("a rule"), by)).into()
});

/// A number by itself or with its unit, such as `35.1`, `69M` or `28`, but not that of a name.
static NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(^|[\s/:=])-?\d+(\.\d+)?[KMG]?\b").expect("a rule"));

/// Whether the answer is what is shown.
pub(crate) fn fits(shown: &[String], answer: &str, numbers: bool) -> bool {
    let shown = prepared(shown.iter().map(String::as_str), numbers);
    lines_fit(&shown, &prepared(answer.lines(), numbers))
}

/// What is to be shown of this answer: all of it, or as much as is shown now. Where a line can't be found any more by its
/// first word, what is shown stays, to be shortened anew by hand.
pub(crate) fn renewed(shown: &[String], answer: &str) -> Vec<String> {
    let answer: Vec<String> = answer.lines().map(|line| line.trim_end().to_owned()).collect();
    let answer: Vec<String> = trimmed(answer);
    if !shown.iter().any(|line| line == "…") {
        let keep = |line: &String| {
            let same = shown
                .iter()
                .find(|old| old.contains('…') && line_fits(&one(old, false), &one(line, false)));
            same.unwrap_or(line).clone()
        };
        return answer.iter().map(keep).collect();
    }
    let mut rest = answer.iter();
    let kept = shown.iter().map(|line| {
        if line == "…" {
            return Some(line.clone());
        }
        let wanted = one(line, true);
        let first = |line: &str| line.split(' ').next().map(str::to_owned);
        let same = |said: &&String| line_fits(&wanted, &one(said, true));
        let alike = |said: &&String| first(&one(said, true)) == first(&wanted);
        let at = (rest.clone().position(|said| same(&said))).or_else(|| rest.clone().position(|said| alike(&said)))?;
        let found = rest.nth(at)?;
        Some(if line.contains('…') { line } else { found }.clone())
    });
    kept.collect::<Option<_>>().unwrap_or_else(|| shown.to_vec())
}

fn trimmed(mut lines: Vec<String>) -> Vec<String> {
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    let begin = lines.iter().take_while(|line| line.is_empty()).count();
    lines.split_off(begin)
}

fn prepared<'a>(lines: impl Iterator<Item = &'a str>, numbers: bool) -> Vec<String> {
    let mut lines: Vec<_> = lines
        .map(|line| one(line, numbers))
        .filter(|line| !line.is_empty())
        .collect();
    for run in lines.chunk_by_mut(|one, other| passes(one).is_some() && passes(other).is_some()) {
        run.sort_by_key(|line| passes(line).unwrap_or_default().to_owned());
    }
    lines
}

/// Who passes a state, if the line tells that.
fn passes(line: &str) -> Option<&str> {
    line.strip_prefix("[FOR] ")?.split_once(' ').map(|(name, _)| name)
}

/// One line without what differs.
fn one(line: &str, numbers: bool) -> String {
    let mut line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    for (rule, by) in REPLACED.iter() {
        line = rule.replace_all(&line, *by).into_owned();
    }
    if numbers {
        line = NUMBER.replace_all(&line, "${1}[N]").into_owned();
    }
    line
}

/// Whether these lines are those, where `…` stands for any. What the last `…` stands for grows until all fits.
fn lines_fit(shown: &[String], said: &[String]) -> bool {
    let (mut at, mut here, mut last) = (0, 0, None);
    while here < said.len() {
        if shown.get(at).is_some_and(|line| line == "…") {
            last = Some((at, here));
            at += 1;
        } else if shown.get(at).is_some_and(|line| line_fits(line, &said[here])) {
            (at, here) = (at + 1, here + 1);
        } else if let Some((any, from)) = last {
            last = Some((any, from + 1));
            (at, here) = (any + 1, from + 1);
        } else {
            return false;
        }
    }
    shown[at..].iter().all(|line| line == "…")
}

fn line_fits(shown: &str, said: &str) -> bool {
    let Some((begin, rest)) = shown.split_once('…') else {
        return shown == said;
    };
    let Some(mut said) = said.strip_prefix(begin.trim_end()) else {
        return false;
    };
    let mut pieces: Vec<_> = rest.split('…').map(str::trim).collect();
    let end = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some(found) = said.find(piece) else { return false };
        said = &said[found + piece.len()..];
    }
    said.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(lines: &str) -> Vec<String> {
        lines.lines().map(str::to_owned).collect()
    }

    fn same(one: &str, other: &str) -> bool {
        fits(&shown(one), other, false)
    }

    #[test]
    fn what_differs_from_run_to_run_is_no_difference() {
        assert!(same("   0.02 s  web  Building", "  11.73 s  web  Building\n"));
        assert!(same(
            "NAME   STATE  CREATED\nweb    Active  1 s ago",
            "NAME STATE CREATED\nweb Active 3 min ago"
        ));
        assert!(same(
            "id 01a2151b-2127-726a-a442-4a5685bedd2e",
            "id 0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b11"
        ));
        assert!(same(
            "20  2026-11-26T06:02:30.775Z  x",
            "20  2027-01-02T03:04:05.000001Z  x"
        ));
        assert!(same(
            "20:49:45.984    Building   done in 1.6 ms",
            "00:00:00.001 Building done in 526 s"
        ));
        assert!(same(
            "berth_01a2…_…",
            "berth_01a219d5429e72a889d1ca19089784d3_slf78UMfqlTRD26qE0uq1eGLXO2noTe4_qqRabJ3BbU"
        ));
        assert!(same("until 2026-12-26 09:39", "until 2027-01-01 23:00") && same("27.69 MiB", "1.43 KiB"));
        assert!(same("eth1 52:54:00:14:5b:86", "eth1 52:54:00:00:00:01"));
        assert!(same("one\n\ntwo", "\none\ntwo\n\n"));
    }

    #[test]
    fn what_is_another_answer_is_one() {
        assert!(!same("web  Active", "web  Stopped"));
        assert!(!same("web", "web\nweb-2"));
        assert!(!same("web\nweb-2", "web"));
        assert!(!same("20 GB", "10 GB"));
        assert!(!same("10.0.0.2", "10.0.0.3"));
        assert!(!same(
            "the ledger is whole: 28 entries",
            "the ledger is whole: 29 entries"
        ));
        assert!(fits(&shown("whole: 28 entries, 1.5M"), "whole: 29 entries, 170K", true));
        assert!(!fits(&shown("web-1  28"), "web-2  28", true));
    }

    #[test]
    fn dots_stand_for_lines_and_for_characters() {
        assert!(same("…", "") && same("…", "a\nb") && same("a\n…\nd", "a\nb\nc\nd") && same("a\n…", "a"));
        assert!(same("…\nb\n…\nd", "b\na\nb\nc\nb\nd"));
        assert!(!same("a\n…\nd", "a\nb") && !same("…\nb", "b\na"));
        assert!(same("head …:…", "head 28:db08") && same("a … end", "a b c end"));
        assert!(same("host         …", "host vm") && same("host …", "host"));
        assert!(!same("a … b … c", "a c b"));
    }

    #[test]
    fn each_of_several_passes_its_states_in_order() {
        let told = " 0.1 s  a  Building\n 0.1 s  b  Building\n 0.2 s  a  Active\n 0.3 s  b  Active";
        assert!(same(
            told,
            " 0.1 s  b  Building\n 0.1 s  b  Active\n 0.1 s  a  Building\n 0.2 s  a  Active"
        ));
        assert!(!same(
            told,
            " 0.1 s  a  Active\n 0.1 s  a  Building\n 0.1 s  b  Building\n 0.2 s  b  Active"
        ));
    }

    #[test]
    fn an_answer_is_renewed_as_it_was_shortened() {
        let renew = |old: &str, answer: &str| renewed(&shown(old), answer).join("\n");
        assert_eq!(renew("old", "\nnew  \nmore\n\n"), "new\nmore");
        assert_eq!(
            renew("…\nname  web\n…", "id  1\nname    db\nstate  x"),
            "…\nname    db\n…"
        );
        assert_eq!(
            renew("…\n   0.76 s  data  In-use", " 9.01 s  data  In-use\n"),
            "…\n 9.01 s  data  In-use"
        );
        assert_eq!(renew("…\nname  web", "id  1\ntitle  db"), "…\nname  web");
        assert_eq!(renew("berth_01…_…", "berth_01ab_cd"), "berth_01…_…");
    }
}
