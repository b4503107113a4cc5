//! The table of roles is the seed's, and the judge goes by it.

#![allow(clippy::unwrap_used, reason = "tests")]

use berth_model::{Denial, Need, Power, ROLES, Reach, Role, User, judge};

#[test]
fn the_table_is_the_reviewed_one() {
    let mut text = String::from("kind                reader   member   admin\n");
    for (kind, reaches) in ROLES {
        let words = reaches.map(|reach| format!("{reach:?}"));
        let line = format!("{:<19} {:<8} {:<8} {}", kind.to_string(), words[0], words[1], words[2]);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    insta::assert_snapshot!(text);
}

#[test]
fn every_kind_has_one_row_and_a_higher_role_reaches_no_less() {
    for (kind, reaches) in ROLES {
        assert_eq!(ROLES.iter().filter(|(other, _)| *other == kind).count(), 1);
        assert!(reaches.is_sorted(), "{kind}");
        for role in Role::ALL {
            assert_eq!(role.reach(kind), reaches[role as usize]);
        }
    }
}

#[test]
fn nobody_gets_further_than_what_anyone_may() {
    for (kind, _) in ROLES {
        for need in [
            Need::SignedIn,
            Need::Operator,
            Need::Project(kind, Reach::View),
            Need::Project(kind, Reach::Manage),
        ] {
            assert_eq!(judge(Power::Nobody, need), Err(Denial::Unknown));
            assert_eq!(judge(Power::Operator, need), Ok(()));
        }
        assert_eq!(
            judge(Power::Outsider, Need::Project(kind, Reach::View)),
            Err(Denial::NoProject)
        );
    }
    assert_eq!(judge(Power::Nobody, Need::Anyone), Ok(()));
    assert_eq!(judge(Power::Outsider, Need::SignedIn), Ok(()));
    assert_eq!(judge(Power::In(Role::Admin), Need::Operator), Err(Denial::Forbidden));
}

#[test]
fn a_role_may_what_the_table_says_and_nothing_else() {
    for (kind, reaches) in ROLES {
        for role in Role::ALL {
            for reach in [Reach::View, Reach::Manage] {
                let may = judge(Power::In(role), Need::Project(kind, reach)).is_ok();
                assert_eq!(may, reaches[role as usize] >= reach, "{role} {kind} {reach:?}");
            }
        }
    }
}

#[test]
fn a_users_name_is_visible_ascii() {
    for good in ["local:root", "oidc:alice@example.com", "a", &"x".repeat(255)] {
        assert_eq!(good.parse::<User>().unwrap().as_str(), good);
    }
    for bad in ["", "a b", "a\n", "\u{e9}", "\u{7f}", &"x".repeat(256)] {
        assert!(bad.parse::<User>().is_err(), "{bad:?}");
    }
}
