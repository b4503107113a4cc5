//! Gates: between the look at what is changed and the change, nobody else changes it.
//!
//! One for each collection of a project. Changes go through together; one with a condition goes through alone. What makes
//! something new needs none, and what streams for minutes has none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::RwLock;

/// A gate that some request is at, or in.
type Gate = Arc<RwLock<()>>;

/// All gates that anybody is at. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Gates(Arc<Mutex<HashMap<(String, String), Gate>>>);

impl Gates {
    /// The gate of a collection. Those that nobody is at are forgotten.
    pub(super) fn of(&self, project: &str, collection: &str) -> Gate {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gates.retain(|_, gate| Arc::strong_count(gate) > 1);
        let key = (project.to_owned(), collection.to_owned());
        Arc::clone(gates.entry(key).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_alone_keeps_out_others_of_its_collection_only_and_nothing_is_kept() {
        let gates = Gates::default();
        let alone = gates.of("red", "ports").write_owned().await;
        assert!(gates.of("red", "ports").try_read().is_err());
        assert!(gates.of("red", "vpcs").try_read().is_ok() && gates.of("blue", "ports").try_read().is_ok());
        drop(alone);
        let together = (
            gates.of("red", "ports").read_owned().await,
            gates.of("red", "ports").read_owned().await,
        );
        assert!(gates.of("red", "ports").try_write().is_err());
        drop(together);
        drop(gates.of("red", "ports"));
        assert_eq!(
            gates.0.lock().map(|gates| gates.len()).ok(),
            Some(1),
            "only the one that was asked for last"
        );
    }
}
