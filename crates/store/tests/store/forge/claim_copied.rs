//! There is one claim to an operation.

fn copy(claim: &berth_store::Claim) -> berth_store::Claim {
    claim.clone()
}

fn main() {}
