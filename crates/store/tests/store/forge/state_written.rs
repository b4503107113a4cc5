//! What writes a state is not to be reached, and a claim's step can't be set.

use berth_model::{Action, Position};
use berth_store::transition;

fn jump(claim: &mut berth_store::Claim) {
    claim.position = Position::first(Action::Delete);
}

fn main() {}
