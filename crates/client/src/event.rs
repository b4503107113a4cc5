//! The event stream.

use std::collections::VecDeque;

use berth_api_types::{EventQuery, EventView};
use reqwest::{Method, Response};

use crate::resources::query as fields;
use crate::sse::Parser;
use crate::{Client, ClientError};

/// A live stream of events.
#[derive(Debug)]
pub struct Events {
    response: Response,
    parser: Parser,
    ready: VecDeque<EventView>,
}

impl Client {
    /// Streams the events that a query asks for. Once this returns, nothing is missed.
    pub async fn events(&self, query: &EventQuery) -> Result<Events, ClientError> {
        let path = format!("/v1/events?{}", fields(query));
        let response = self.send(self.request(Method::GET, &path)).await?;
        Ok(Events {
            response,
            parser: Parser::default(),
            ready: VecDeque::new(),
        })
    }
}

impl Events {
    /// The next event; none when the daemon has gone down.
    pub async fn next(&mut self) -> Result<Option<EventView>, ClientError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            // A connection that breaks is an end like any other: who needs more asks for what comes after the last.
            let Ok(Some(bytes)) = self.response.chunk().await else {
                return Ok(None);
            };
            for data in self.parser.push(&bytes) {
                let event = serde_json::from_slice(&data);
                self.ready
                    .push_back(event.map_err(|error| ClientError::Protocol(error.to_string()))?);
            }
        }
    }
}
