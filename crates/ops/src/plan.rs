//! What is decided about an operation that was in flight when the daemon died: pure, so that each case is a unit test.

use berth_model::{AfterCrash, Position};

/// How an operation goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Do the step it was at again: what is done already stays done.
    GoOn,
    /// Undo the step it was at and all before it.
    RollBack,
    /// It was being undone already: go on with that.
    GoOnUndoing,
}

/// What is decided about an operation found at `position` (lifecycle.md, "After a crash of the daemon").
pub fn plan(position: Position, undoing: bool) -> Plan {
    match (undoing, position.after_crash()) {
        (true, _) => Plan::GoOnUndoing,
        (false, AfterCrash::GoOn) => Plan::GoOn,
        (false, AfterCrash::RollBack) => Plan::RollBack,
    }
}

#[cfg(test)]
mod tests {
    use berth_model::TABLE;

    use super::*;

    #[test]
    fn only_the_first_two_steps_of_a_resize_are_rolled_back() {
        let positions = TABLE
            .iter()
            .flat_map(|row| (0..row.steps.len()).filter_map(|step| Position::at(row.action, step)));
        let rolled_back: Vec<_> = positions
            .filter(|position| plan(*position, false) == Plan::RollBack)
            .map(|position| position.state().as_str())
            .collect();
        assert_eq!(rolled_back, ["Resize_prep", "Resize_migrating"]);
    }

    #[test]
    fn what_was_being_undone_goes_on_being_undone() {
        for row in TABLE {
            assert_eq!(plan(Position::first(row.action), true), Plan::GoOnUndoing);
        }
    }
}
