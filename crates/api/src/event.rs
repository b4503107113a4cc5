//! `/v1/events`: the event stream, gap-free from any number on, for as long as who reads it may.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use berth_api_types::{EventQuery, EventView};
use berth_engine::{Engine, EventRecord};
use berth_model::{Kind, Need, Power, Reach, judge};
use futures::Stream;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Caller, Right, Scope, touches};
use crate::extract::Query;
use crate::problem::ApiError;
use crate::{App, views};

/// How many events are read from the store at a time.
const BATCH: u32 = 500;

/// A comment now and then keeps proxies from closing a quiet stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(watch))
}

/// Streams events as server-sent events. Those of members and tokens are told to who manages them. The stream ends when
/// who reads it may no longer.
#[utoipa::path(get, path = "/v1/events", params(EventQuery),
    responses((status = 200, body = EventView, content_type = "text/event-stream")))]
async fn watch(
    State(app): State<App>,
    scope: Scope,
    caller: Caller,
    Query(query): Query<EventQuery>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let resumed = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok()?.parse().ok());
    // Subscribed before the backlog is read: what is committed in between comes by both ways and is shown once.
    let live = app.engine.events();
    let after = match query.after.or(resumed) {
        Some(after) => after,
        None => app.engine.last_event().await?,
    };
    let need = Need::Project(Kind::Project, Reach::View);
    let tail = Tail {
        right: Right::new(&app, caller, &scope, need),
        power: scope.power,
        engine: app.engine,
        only: scope.only().map(str::to_owned),
        wanted: query,
        live,
        last: after,
        backlog: VecDeque::new(),
        behind: true,
    };
    let events = futures::stream::unfold(tail, async |mut tail| {
        let event = tail.next().await?;
        Some((Ok(shown(&event)), tail))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn shown(record: &EventRecord) -> Event {
    let event = Event::default().id(record.seq.to_string()).event(&record.kind);
    let data = serde_json::to_string(&views::event(record)).unwrap_or_default();
    event.data(data)
}

/// A reader of the event log: from the store while it is behind, live once it isn't.
struct Tail {
    engine: Engine,
    right: Right,
    /// What the reader is in the project, as far as is known.
    power: Power,
    /// The project whose events are told; none for all.
    only: Option<String>,
    /// What its reader asked for.
    wanted: EventQuery,
    live: Receiver<Arc<EventRecord>>,
    last: i64,
    backlog: VecDeque<Arc<EventRecord>>,
    behind: bool,
}

impl Tail {
    fn tells(&self, event: &EventRecord) -> bool {
        let own = self.only.as_ref().is_none_or(|only| *only == event.project);
        let members = || judge(self.power, Need::Project(Kind::Members, Reach::View)).is_ok();
        own && asks_for(&self.wanted, event)
            && (!event.kind.starts_with("member.") && !event.kind.starts_with("token.") || members())
    }

    /// Asks anew what the reader may; none if that is nothing any more.
    async fn look_again(&mut self) -> Option<()> {
        self.power = self.right.holds().await?;
        Some(())
    }

    /// The next event; none when the daemon goes down, or the reader may no longer be told any.
    async fn next(&mut self) -> Option<Arc<EventRecord>> {
        loop {
            if let Some(event) = self.backlog.pop_front() {
                self.last = event.seq;
                if self.tells(&event) {
                    return Some(event);
                }
                continue;
            }
            if self.behind {
                let only = self.only.as_deref();
                let events = self.engine.events_after(only, self.last, BATCH).await.ok()?;
                self.look_again().await?;
                self.behind = !events.is_empty();
                self.backlog = events.into_iter().map(Arc::new).collect();
                continue;
            }
            let received = tokio::select! {
                received = self.live.recv() => received,
                () = self.right.expired() => return None,
            };
            match received {
                Ok(event) if event.seq > self.last => {
                    if touches(&event) {
                        self.look_again().await?;
                    }
                    self.backlog.push_back(event);
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => self.behind = true,
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

/// Whether an event is one of those that a query asks for.
fn asks_for(query: &EventQuery, event: &EventRecord) -> bool {
    let of_kind = |kind: &String| {
        let rest = event.kind.strip_prefix(kind.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let about = |resource: &String| *resource == event.resource || *resource == event.name;
    query.kind.as_ref().is_none_or(of_kind) && query.resource.as_ref().is_none_or(about)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_stream_tells_what_is_asked_for() {
        let event = EventRecord {
            seq: 1,
            at: Timestamp::UNIX_EPOCH,
            kind: "instance.state".to_owned(),
            project: "default".to_owned(),
            resource: "0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b11".to_owned(),
            name: "web".to_owned(),
            state: None,
            operation: None,
            message: None,
            heard: None,
        };
        let told = |kind: Option<&str>, resource: Option<&str>| {
            let (kind, resource) = (kind.map(str::to_owned), resource.map(str::to_owned));
            let query = EventQuery {
                after: None,
                kind,
                resource,
            };
            asks_for(&query, &event)
        };
        assert!(told(None, None) && told(Some("instance"), None) && told(Some("instance.state"), Some("web")));
        assert!(told(None, Some("0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b11")));
        assert!(!told(Some("inst"), None) && !told(Some("instance.deleted"), None));
        assert!(!told(Some("instance"), Some("web-2")) && !told(Some(""), None));
    }
}
