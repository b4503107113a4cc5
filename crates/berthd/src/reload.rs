//! SIGHUP: the configuration is read again, and what may change while guests run is changed.
//!
//! ```text
//!   file, environment, flags ─▶ right in itself? ─▶ what runs, with the new values of keys that are reloaded
//!                                  │ no                  │                                └▶ right together? ─▶ taken
//!                                  ▼                     └▶ the others: told, and taken by the next start
//!                              told; nothing changes
//! ```
//!
//! All settings are swapped at once, so nobody sees half of a change. Which keys there are: [`When`].

use berth_engine::Engine;
use sd_notify::NotifyState;
use toml::Table;

use crate::config::{Config, Flags};
use crate::doors::Reloader;
use crate::failure::Failure;
use crate::key::When;
use crate::keys::{self, Leaf};
use crate::layers;
use crate::log::LogFilter;

/// Reads the configuration again for a daemon that runs with `running`, which is then what it runs with.
pub(crate) async fn reload(
    flags: &Flags,
    running: &mut Table,
    (engine, filter, certificates): (&Engine, &LogFilter, &Reloader),
) {
    // Without systemd there is nobody to notify.
    let now = NotifyState::monotonic_usec_now();
    let _ = now.and_then(|now| sd_notify::notify(&[NotifyState::Reloading, now]));
    certificates.reload();
    if let Err(failure) = take(flags, running, engine, filter).await {
        tracing::error!(code = %failure.code, "nothing is changed: {failure}");
    }
    let _ = sd_notify::notify(&[NotifyState::Ready]);
}

async fn take(flags: &Flags, running: &mut Table, engine: &Engine, filter: &LogFilter) -> Result<(), Failure> {
    let reloaded = Reloaded::read(flags, running)?;
    let names = |leaves: &[Leaf]| leaves.iter().map(Leaf::dotted).collect::<Vec<_>>().join(" ");
    engine.set_settings(reloaded.config.engine).await?;
    filter.set(&reloaded.config.log_filter);
    *running = reloaded.config.table;
    tracing::info!(changed = names(&reloaded.taken), "the configuration is read again");
    if !reloaded.waiting.is_empty() {
        let keys = names(&reloaded.waiting);
        tracing::warn!(keys, "these keys are taken by the next start of the daemon");
    }
    Ok(())
}

/// What a changed configuration comes to.
struct Reloaded {
    config: Config,
    /// The keys whose new value it has …
    taken: Vec<Leaf>,
    /// … and those that a daemon which runs can't change.
    waiting: Vec<Leaf>,
}

impl Reloaded {
    fn read(flags: &Flags, running: &Table) -> Result<Self, Failure> {
        let written = Config::load(flags)?.table;
        let mut table = running.clone();
        let changed = keys::leaves()
            .into_iter()
            .filter(|leaf| layers::get(running, &leaf.path) != layers::get(&written, &leaf.path));
        let (taken, waiting): (Vec<_>, Vec<_>) = changed.partition(|leaf| leaf.key.when == When::Reload);
        for leaf in &taken {
            layers::take(&mut table, &written, &leaf.path);
        }
        Ok(Self {
            config: Config::of(table)?,
            taken,
            waiting,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use clap::Parser as _;

    use super::*;

    /// What SIGHUP makes of it when the file is changed from `before` to `after`.
    fn changed(before: &str, after: &str) -> Result<(Config, String, String), String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("berthd.toml");
        let flags = crate::Cli::parse_from(["berthd", "--config", file.to_str().unwrap()]).flags;
        std::fs::write(&file, before).unwrap();
        let running = Config::load(&flags).unwrap().table;
        std::fs::write(&file, after).unwrap();
        let reloaded = Reloaded::read(&flags, &running).map_err(|failure| failure.to_string())?;
        let names = |leaves: &[Leaf]| leaves.iter().map(Leaf::dotted).collect::<Vec<_>>().join(" ");
        Ok((reloaded.config, names(&reloaded.taken), names(&reloaded.waiting)))
    }

    #[test]
    fn what_may_change_is_taken_and_the_rest_waits_for_the_next_start() {
        let before = "stop_grace = 5\nresize_confirm_window = 3\nsubnet = '10.7.0.0/20'\n";
        let after = "stop_grace = 6\nsubnet = '10.8.0.0/20'\nstate_dir = '/elsewhere'\nlog.filter = 'debug'\n\
                     [[volume_types]]\nname = 'slow'\niops = 10\n";
        let (config, taken, waiting) = changed(before, after).unwrap();
        assert_eq!(taken, "stop_grace resize_confirm_window log.filter volume_types");
        assert_eq!(waiting, "state_dir subnet");
        assert_eq!(config.engine.stop_grace, Duration::from_secs(6));
        assert_eq!(config.engine.resize_confirm_window, None);
        assert_eq!(config.engine.volume_types[0].name, "slow");
        assert_eq!(config.log_filter, "debug");
        assert_eq!(config.engine.subnet.to_string(), "10.7.0.0/20");
        assert_eq!(config.state_dir.to_str(), Some("/var/lib/berth"));
    }

    #[test]
    fn a_default_that_is_written_down_is_no_change() {
        let (_, taken, waiting) = changed("", "stop_grace = 60\nstate_dir = '/var/lib/berth'\n").unwrap();
        assert_eq!((taken.as_str(), waiting.as_str()), ("", ""));
    }

    #[test]
    fn what_is_right_by_itself_but_not_with_what_runs_is_refused() {
        // The subnet waits for the next start, so the pool would have addresses of the one that is in use.
        let pool = "[[public_ip_pools]]\nname = 'a'\nranges = ['10.0.0.9']\n";
        let told = changed("", &format!("subnet = '10.8.0.0/20'\n{pool}")).err().unwrap();
        assert!(told.contains("it has addresses of subnet = 10.0.0.0/20"), "{told}");
    }
}
