//! Typed async client of Berth's API over the daemon's unix socket or TLS.
//!
//! ```no_run
//! # async fn example() -> Result<(), berth_client::ClientError> {
//! let client = berth_client::Client::new("/run/berth/berth.sock")?;
//! for instance in client.instances(&berth_api_types::InstanceQuery::default()).await? {
//!     println!("{} is {}", instance.name, instance.state);
//! }
//! # Ok(()) }
//! ```
//!
//! One method a route; one module a resource.

mod access;
mod error;
mod event;
mod http;
mod networks;
mod public_ips;
mod quota;
mod resources;
mod sse;
mod stats;
mod stream;
mod target;
mod tls;
mod usage;
mod volumes;

pub use error::ClientError;
pub use event::Events;
pub use http::Client;
pub use stream::ByteStream;
pub use target::{At, Identity, Target};
