//! What was found out a moment ago is good enough: however many ask, and however often, the host is asked once a second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::EngineError;

/// How old an answer may be.
const FRESH: Duration = Duration::from_secs(1);

/// The last answer to a question, and when it was found.
pub(crate) struct Recent<T>(Arc<Mutex<Option<Found<T>>>>);

/// An answer, and when it was found.
type Found<T> = (Instant, Arc<T>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Send + Sync + 'static> Recent<T> {
    /// The last answer if it is fresh, else a new one. One is looked for at a time, and to its end, also when whoever
    /// asked has gone away.
    pub(crate) async fn get(&self, find: impl Future<Output = T> + Send + 'static) -> Result<Arc<T>, EngineError> {
        let mut last = Arc::clone(&self.0).lock_owned().await;
        if let Some((at, found)) = last.as_ref()
            && at.elapsed() < FRESH
        {
            return Ok(Arc::clone(found));
        }
        let looking = tokio::spawn(async move {
            let found = Arc::new(find.await);
            *last = Some((Instant::now(), Arc::clone(&found)));
            found
        });
        looking.await.map_err(|panic| EngineError::Internal(panic.to_string()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn many_who_ask_at_once_are_answered_by_one_look() {
        static LOOKS: AtomicU32 = AtomicU32::new(0);
        let recent = Arc::new(Recent::default());
        let ask = |recent: Arc<Recent<u32>>| async move {
            let look = async { LOOKS.fetch_add(1, Ordering::Relaxed) };
            *recent.get(look).await.unwrap()
        };
        let asked: Vec<_> = (0..50).map(|_| tokio::spawn(ask(Arc::clone(&recent)))).collect();
        for one in asked {
            assert_eq!(one.await.unwrap(), 0);
        }
    }
}
