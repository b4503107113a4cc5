//! Labels and what lists are asked by: what is taken is what the rule says, and what is written is read back.

#![allow(clippy::unwrap_used, reason = "tests")]

use berth_model::{Cursor, LABELS_MAX, Label, LabelError, LabelKey, LabelPatch, LabelSelector, LabelValue, Labels};
use berth_model::{NamePattern, Sort, SortKey};
use proptest::prelude::*;
use serde_json::json;

fn labels(all: &[&str]) -> Labels {
    Labels::of(all.iter().map(|label| label.parse::<Label>().unwrap())).unwrap()
}

/// A key, by the rule as it was written down: 1 to 63 of these, a letter or a digit at both ends.
fn is_key(text: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let length = text.chars().count();
    (1..=63).contains(&length) && text.chars().all(known) && edge(text.chars().next()) && edge(text.chars().last())
}

proptest! {
    #[test]
    fn a_key_is_what_the_rule_says(text in "[a-zA-Z0-9._/ =-]{0,70}|\\PC{0,8}") {
        let parsed = text.parse::<LabelKey>();
        prop_assert_eq!(parsed.is_ok(), is_key(&text));
        if let Ok(key) = parsed {
            prop_assert_eq!(key.to_string(), text);
        }
    }

    #[test]
    fn a_value_is_any_text_that_fits_on_a_line(text in "\\PC{0,260}|.{0,20}|[\\n\\t\\x00a]{0,5}") {
        let fits = text.chars().count() <= 255 && !text.chars().any(char::is_control);
        prop_assert_eq!(text.parse::<LabelValue>().is_ok(), fits);
    }

    #[test]
    fn a_label_is_read_back_whatever_its_value(value in "[^\\p{Cc}]{0,40}") {
        let label: Label = format!("team/name={value}").parse().unwrap();
        prop_assert_eq!(label.value.as_str(), &value);
        prop_assert_eq!(label.to_string().parse::<Label>().unwrap(), label.clone());
        let selector: LabelSelector = label.to_string().parse().unwrap();
        prop_assert_eq!(selector.value, Some(label.value));
    }

    #[test]
    fn a_patch_is_what_rfc_7396_says(
        before in prop::collection::btree_map("[a-e]", "[x-z]{0,2}", 0..5),
        patch in prop::collection::btree_map("[a-g]", prop::option::of("[x-z]{0,2}"), 0..7),
    ) {
        let read = |value| serde_json::from_value::<Labels>(value).unwrap();
        let applied = serde_json::from_value::<LabelPatch>(json!(patch)).unwrap().apply(read(json!(before))).unwrap();
        let mut expected = before;
        for (key, value) in patch {
            match value {
                Some(value) => drop(expected.insert(key, value)),
                None => drop(expected.remove(&key)),
            }
        }
        prop_assert_eq!(serde_json::to_value(applied).unwrap(), json!(expected));
    }

    #[test]
    fn a_cursor_is_read_back_and_nothing_made_up_is_taken(
        descending in any::<bool>(), at in any::<i64>(), name in "[a-z][a-z0-9-]{0,20}[a-z]", made_up in ".{0,60}",
    ) {
        for (key, value) in [(SortKey::CreatedAt, at.to_string()), (SortKey::Name, name)] {
            let cursor = Cursor { sort: Sort { key, descending }, key: value, id: "0198f3c2".to_owned() };
            prop_assert_eq!(cursor.to_string().parse::<Cursor>(), Ok(cursor));
        }
        if let Ok(taken) = made_up.parse::<Cursor>() {
            prop_assert_eq!(taken.to_string(), made_up);
        }
    }
}

#[test]
fn what_is_wrong_with_a_label_is_said() {
    let said = |text: &str| text.parse::<Label>().unwrap_err().to_string();
    assert_eq!(said("env"), "'env' is not KEY=VALUE");
    assert_eq!(said("=x"), "a label's key has 1 to 63 characters, this one has 0");
    assert!(said("a b=x").ends_with("this one has ' '"));
    assert_eq!(
        said("-a=x"),
        "a label's key begins and ends with a letter or a digit, and '-a' does not"
    );
    assert!(said("a=\n").ends_with("this one has '\\n'"));
    let twice = Labels::of(["a=1", "a=2"].map(|label| label.parse::<Label>().unwrap()));
    assert_eq!(twice, Err(LabelError::Twice("a".to_owned())));
}

#[test]
fn null_takes_all_labels_away_and_there_are_never_too_many() {
    let read = |value| serde_json::from_value::<LabelPatch>(value).unwrap();
    assert_eq!(read(json!(null)).apply(labels(&["a=1", "b=2"])), Ok(Labels::default()));
    assert!(read(json!({})).is_empty() && !read(json!(null)).is_empty());
    let many: serde_json::Map<_, _> = (0..=LABELS_MAX).map(|n| (format!("k{n}"), json!("v"))).collect();
    let patch = read(json!(many));
    assert_eq!(patch.apply(Labels::default()), Err(LabelError::TooMany(LABELS_MAX + 1)));
    assert!(serde_json::from_value::<Labels>(json!(many)).is_err());
}

#[test]
fn names_are_asked_for_whole_or_by_their_beginning() {
    assert_eq!("web".parse(), Ok(NamePattern::Exactly("web".to_owned())));
    assert_eq!("web-*".parse(), Ok(NamePattern::Prefix("web-".to_owned())));
    for wrong in ["", "w*b", "a b", "**", "%", "_%"] {
        let refused = wrong.parse::<NamePattern>();
        assert!(refused.is_err() || wrong == "*", "{wrong}: {refused:?}");
    }
    assert_eq!(
        "-name".parse::<Sort>().map(|sort| sort.to_string()),
        Ok("-name".to_owned())
    );
    let said = "size".parse::<Sort>().unwrap_err().to_string();
    assert_eq!(said, "'size' is none of created_at, -created_at, name, -name");
}
