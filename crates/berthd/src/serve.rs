//! Serving: from the parts to an API that answers, until a signal says otherwise.

use std::os::unix::net::UnixListener as StdListener;
use std::time::Duration;

use berth_api::{About, Audit, AuditSettings};
use berth_engine::Engine;
use berth_model::Code;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{Config, Flags};
use crate::doors::Doors;
use crate::failure::Failure;
use crate::log::LogFilter;
use crate::parts::Parts;
use crate::{locks, reload};

/// How long answers under way may take once the daemon goes down; streams are cut off then.
const DRAIN: Duration = Duration::from_secs(2);

/// Serves until SIGTERM or SIGINT, on the socket that systemd hands over or on its own.
pub(crate) async fn serve(
    mut config: Config,
    flags: &Flags,
    filter: &LogFilter,
    handed: Option<StdListener>,
) -> Result<(), Failure> {
    let mut signals = Signals::install()?;
    // The socket first: two daemons must not both get as far as libvirt.
    let (listener, own) = if let Some(handed) = handed {
        (locks::adopt(handed)?, None)
    } else {
        let (listener, lock) = locks::socket(&config.socket, locks::Admitted::of(&config))?;
        (listener, Some(lock))
    };
    let doors = Doors::open(listener, config.tls.take()).await?;
    let reloader = doors.reloader();
    let Parts {
        store,
        storage,
        network,
        hypervisor,
        lock: _state,
    } = Parts::open(&config).await?;
    let about = About {
        libvirt_uri: config.libvirt_uri.clone(),
        state_dir: config.state_dir.display().to_string(),
    };
    let audit = Audit::open(AuditSettings::new(config.state_dir.join("audit")))
        .map_err(|error| Failure::new(Code::StorageError, format!("opening the audit log: {error}")))?;
    let mut running = config.table;
    let engine = Engine::start(config.engine, store, storage, network, hypervisor).await?;
    tokio::spawn(berth_api::serve_guests(engine.clone()));
    let app = berth_api::router(engine.clone(), about, config.auth, audit);
    tracing::info!(handed_over = own.is_none(), socket = %config.socket.display(), state_dir = %config.state_dir.display(), "serving");
    // Without systemd there is nobody to notify.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);

    let (down, going_down) = tokio::sync::watch::channel(false);
    let mut serving = tokio::spawn(doors.serve(app, going_down));
    loop {
        tokio::select! {
            ended = &mut serving => return Err(Failure::internal(format!("the doors closed by themselves: {ended:?}"))),
            asked = signals.next() => match asked {
                Asked::Reload => reload::reload(flags, &mut running, (&engine, filter, &reloader)).await,
                Asked::End(name) => {
                    tracing::info!(signal = name, "going down; guests run on");
                    break;
                }
            },
        }
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    down.send_replace(true);
    engine.stop();
    let _ = tokio::time::timeout(DRAIN, serving).await;
    // A socket that is left behind is cleared by the next start; a clean end leaves none.
    // systemd's stays: the next request that comes by it starts the next daemon.
    if own.is_some() {
        let _ = std::fs::remove_file(&config.socket);
    }
    Ok(())
}

/// What a signal asks for.
enum Asked {
    /// To read files again.
    Reload,
    /// To end; the signal's name.
    End(&'static str),
}

/// The signals that ask for something.
struct Signals {
    hup: Signal,
    term: Signal,
    int: Signal,
}

impl Signals {
    fn install() -> Result<Self, Failure> {
        let install = |kind| signal(kind).map_err(|error| Failure::internal(format!("handling signals: {error}")));
        Ok(Self {
            hup: install(SignalKind::hangup())?,
            term: install(SignalKind::terminate())?,
            int: install(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.hup.recv() => Asked::Reload,
            _ = self.term.recv() => Asked::End("SIGTERM"),
            _ = self.int.recv() => Asked::End("SIGINT"),
        }
    }
}
