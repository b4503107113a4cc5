//! The doors of this daemon: its socket, and TLS where the operator has asked for it.

use axum::Router;
use berth_api::{Certificates, Door};
use berth_model::Code;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::failure::Failure;
use crate::tls::Tls;

/// Doors that are open, and served once there is a router.
pub(crate) struct Doors {
    doors: Vec<Door>,
    tls: Option<(Tls, Certificates)>,
}

/// How many files the daemon may have open: enough for all places of its doors, and what is behind them.
const DESCRIPTORS: u64 = 8192;

impl Doors {
    /// Opens all of them, the socket being open already.
    pub(crate) async fn open(socket: UnixListener, tls: Option<Tls>) -> Result<Self, Failure> {
        make_room();
        let mut doors = vec![Door::Unix(socket)];
        let Some(tls) = tls else {
            return Ok(Self { doors, tls: None });
        };
        let certificates = Certificates::new(tls.load()?);
        for address in &tls.listen {
            let listener = TcpListener::bind(address).await.map_err(|error| {
                let code = match error.kind() {
                    std::io::ErrorKind::AddrInUse => Code::AlreadyRunning,
                    _ => Code::InvalidArgument,
                };
                Failure::new(code, format!("tls.listen: {address}: {error}"))
            })?;
            tracing::info!(%address, "serving TLS");
            doors.push(Door::Tls(listener, certificates.clone()));
        }
        let tls = Some((tls, certificates));
        Ok(Self { doors, tls })
    }

    /// What reads the certificates again.
    pub(crate) fn reloader(&self) -> Reloader {
        Reloader(self.tls.clone())
    }

    /// Serves all of them until `down` says so; returns once what is under way then is answered.
    pub(crate) async fn serve(self, router: Router, down: watch::Receiver<bool>) {
        let mut serving = JoinSet::new();
        for door in self.doors {
            let mut down = down.clone();
            serving.spawn(berth_api::serve(door, router.clone(), async move {
                // Whoever could say so is gone, which says so too.
                let _ = down.wait_for(|down| *down).await;
            }));
        }
        serving.join_all().await;
    }
}

/// Reads the certificates again: those of a running daemon are renewed without ending a connection.
#[derive(Debug, Clone)]
pub(crate) struct Reloader(Option<(Tls, Certificates)>);

impl Reloader {
    /// Takes the files as they are now, if all of them are good; else the old ones stay.
    pub(crate) fn reload(&self) {
        let Some((tls, certificates)) = &self.0 else { return };
        match tls.load() {
            Ok(config) => {
                certificates.set(config);
                tracing::info!("the certificates are read again");
            }
            Err(failure) => tracing::error!(code = %failure.code, "the certificates stay as they were: {failure}"),
        }
    }
}

/// Raises the soft limit on descriptors as far as the hard one lets us.
fn make_room() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        let wanted = DESCRIPTORS.min(hard);
        if soft < wanted {
            setrlimit(Resource::RLIMIT_NOFILE, wanted, hard)?;
        }
        Ok(())
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit on open files stays as it is");
    }
}
