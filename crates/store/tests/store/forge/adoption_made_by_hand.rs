//! Reality is adopted as `observe` says.

fn forge() -> berth_model::Adoption {
    berth_model::Adoption {
        to: Some(berth_model::Stable::Active),
        degraded: None,
        fault: None,
        kind: "guest.started",
        message: None,
        heard: None,
    }
}

fn main() {}
