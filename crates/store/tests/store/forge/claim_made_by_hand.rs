//! A claim comes from the store alone.

fn forge(store: berth_store::Store, id: berth_model::InstanceId) -> berth_store::Claim {
    berth_store::Claim { store, instance: id }
}

fn main() {}
