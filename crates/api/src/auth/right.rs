//! The right to go on with what was begun: for streams and connections, which last longer than what let them in.
//!
//! ```text
//!   event of members, tokens, projects ─┐
//!   the token's time is over ───────────┼─▶ asked again: who is it still, and may they? ──no──▶ the stream ends
//!   the stream was behind ──────────────┘
//! ```

use std::time::Duration;

use berth_engine::EventRecord;
use berth_model::{Need, Power, judge};
use jiff::Timestamp;
use tokio::sync::broadcast::error::RecvError;

use crate::App;
use crate::auth::{Caller, Scope, scope};

/// What somebody may, for as long as they may.
pub(crate) struct Right {
    app: App,
    caller: Caller,
    project: String,
    need: Need,
}

impl Right {
    /// What a request has been let through for.
    pub(crate) fn new(app: &App, caller: Caller, scope: &Scope, need: Need) -> Self {
        Self {
            app: app.clone(),
            caller,
            project: scope.project.clone(),
            need,
        }
    }

    /// What its holder is in the project now; none if they may no longer, or it can't be found out.
    pub(crate) async fn holds(&self) -> Option<Power> {
        if self.caller.until().is_some_and(|until| until <= Timestamp::now()) {
            return None;
        }
        if let Some(token) = self.caller.token() {
            let now = self.app.engine.find_token(None, &token.id.to_string()).await.ok()?;
            if now.revoked_at.is_some() {
                return None;
            }
        }
        let power = scope::power(&self.app, &self.caller, &self.project).await.ok()?;
        judge(power, self.need).is_ok().then_some(power)
    }

    /// Resolves when the holder's token is too old; never for who came without one.
    pub(crate) async fn expired(&self) {
        let Some(until) = self.caller.until() else {
            return std::future::pending().await;
        };
        let left = until.duration_since(Timestamp::now());
        tokio::time::sleep(Duration::try_from(left).unwrap_or_default()).await;
    }

    /// Resolves when it is lost.
    pub(crate) async fn lost(&self) {
        let mut events = self.app.engine.events();
        // What happened before that is looked at now.
        let mut asked = true;
        while !asked || self.holds().await.is_some() {
            asked = tokio::select! {
                () = self.expired() => return,
                event = events.recv() => match event {
                    Ok(event) => touches(&event),
                    Err(RecvError::Lagged(_)) => true,
                    Err(RecvError::Closed) => return,
                },
            };
        }
    }
}

/// Whether an event may have changed what somebody may.
pub(crate) fn touches(event: &EventRecord) -> bool {
    let (what, _) = event.kind.split_once('.').unwrap_or((&event.kind, ""));
    matches!(what, "member" | "token" | "project")
}
