//! What libvirt says of a guest → what it means for the instance (lifecycle.md, "What libvirt says").
//!
//! A total function, no I/O: `observe(what we hold, what happened, what a fresh query says)`. An event alone moves
//! nothing: the query that follows it decides, so that a STOPPED within a reboot's own STARTED is no stop. While an
//! operation is in flight the guest is that operation's business, and nothing is adopted.
//!
//! ```text
//!   event ──▶ fresh query ──▶ observe(standing, event, status) ──▶ Verdict::Nothing
//!   timer ──▶ fresh query ──▶                                  └─▶ Verdict::Adopt(Adoption) ──▶ the store
//! ```
//!
//! An [`Adoption`] can't be made anywhere else: reality is adopted as this page says or not at all.

use crate::{Code, GuestEvent, GuestStatus, OffReason, PauseReason, Stable, Standing};

/// What is known of an instance when its guest is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known<'a> {
    /// Where it stands.
    pub standing: Standing,
    /// What makes it less than well while it runs.
    pub degraded: Option<&'a str>,
}

/// What an observation comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// What we hold is what is.
    Nothing,
    /// What we hold has to follow what is.
    Adopt(Adoption),
}

/// A change of what we hold to what is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::option_option,
    reason = "the flag stays, is cleared or is set: three cases, and no fourth"
)]
pub struct Adoption {
    to: Option<Stable>,
    degraded: Option<Option<String>>,
    fault: Option<(Code, String)>,
    kind: &'static str,
    message: Option<String>,
    heard: Option<String>,
}

impl Adoption {
    /// Of that kind, and nothing changes yet.
    fn of(kind: &'static str) -> Self {
        Self {
            to: None,
            degraded: None,
            fault: None,
            kind,
            message: None,
            heard: None,
        }
    }

    /// The stable state to move to; none if only something is noted.
    pub fn to(&self) -> Option<Stable> {
        self.to
    }

    /// What the *degraded* flag becomes; none if it stays, `Some(None)` if it is cleared.
    pub fn degraded(&self) -> Option<Option<&str>> {
        self.degraded.as_ref().map(Option::as_deref)
    }

    /// The fault to record.
    pub fn fault(&self) -> Option<(Code, &str)> {
        self.fault.as_ref().map(|(code, message)| (*code, message.as_str()))
    }

    /// The kind of event to write, e.g. `guest.stopped`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// What to say about it.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// The event of libvirt that led to it, in libvirt's words; none if libvirt said so when it was asked.
    pub fn heard(&self) -> Option<&str> {
        self.heard.as_deref()
    }
}

/// What it means that `status` is what a query just said, after `event` if one woke us.
///
/// `status` is `None` if libvirt knows no such domain.
pub fn observe(known: Known<'_>, event: Option<&GuestEvent>, status: Option<GuestStatus>) -> Verdict {
    match known.standing {
        Standing::Moving { .. } => Verdict::Nothing,
        Standing::Resting(stable) => match at_rest(stable, known.degraded, event, status) {
            Verdict::Nothing => Verdict::Nothing,
            Verdict::Adopt(adoption) => Verdict::Adopt(Adoption {
                heard: event.map(ToString::to_string),
                ..adoption
            }),
        },
    }
}

fn at_rest(stable: Stable, degraded: Option<&str>, event: Option<&GuestEvent>, status: Option<GuestStatus>) -> Verdict {
    match status {
        None => undefined(stable),
        Some(GuestStatus::Running | GuestStatus::ShuttingDown) => running(stable, degraded, event),
        Some(GuestStatus::Paused(reason)) => paused(stable, degraded, event, reason),
        Some(GuestStatus::Off(reason)) => off(stable, reason),
        Some(GuestStatus::Crashed) => crashed(stable, "the guest's kernel panicked"),
    }
}

fn undefined(stable: Stable) -> Verdict {
    match stable {
        Stable::Active | Stable::Stopped | Stable::Resized => Verdict::Adopt(Adoption {
            to: Some(Stable::Error),
            degraded: Some(None),
            fault: Some((
                Code::HypervisorError,
                "the domain was undefined outside of Berth; a hard reboot defines it again".to_owned(),
            )),
            ..Adoption::of("guest.undefined")
        }),
        // A failed create has no domain, a shelved instance has none either.
        Stable::Error | Stable::ShelvedOffloaded => Verdict::Nothing,
    }
}

fn running(stable: Stable, degraded: Option<&str>, event: Option<&GuestEvent>) -> Verdict {
    match stable {
        Stable::Stopped => started("started outside of Berth"),
        // An instance in Error may run all along; only a start of its own brings it back.
        Stable::Error if event == Some(&GuestEvent::Started) => started("started outside of Berth"),
        Stable::Active if degraded.is_some() => Verdict::Adopt(Adoption {
            degraded: Some(None),
            ..Adoption::of("guest.resumed")
        }),
        Stable::Active | Stable::Resized if event == Some(&GuestEvent::Rebooted) => Verdict::Adopt(Adoption {
            message: Some("the guest rebooted by itself".to_owned()),
            ..Adoption::of("guest.rebooted")
        }),
        Stable::Active | Stable::Resized | Stable::Error | Stable::ShelvedOffloaded => Verdict::Nothing,
    }
}

fn started(why: &str) -> Verdict {
    Verdict::Adopt(Adoption {
        to: Some(Stable::Active),
        degraded: Some(None),
        message: Some(why.to_owned()),
        ..Adoption::of("guest.started")
    })
}

fn paused(stable: Stable, degraded: Option<&str>, event: Option<&GuestEvent>, reason: PauseReason) -> Verdict {
    let flag = match (reason, event) {
        (PauseReason::IoError, Some(GuestEvent::IoError { disk, reason })) => format!("I/O error on {disk}: {reason}"),
        // The event that names the disk may have come before this query; what it said is kept.
        (PauseReason::IoError, _) => degraded
            .filter(|flag| flag.starts_with("I/O error"))
            .unwrap_or("I/O error")
            .to_owned(),
        (PauseReason::Asked | PauseReason::StartingUp | PauseReason::Other, _) => "paused".to_owned(),
    };
    let to = match stable {
        Stable::Active => None,
        Stable::Stopped => Some(Stable::Active),
        Stable::Resized | Stable::Error | Stable::ShelvedOffloaded => return Verdict::Nothing,
    };
    if to.is_none() && degraded == Some(flag.as_str()) {
        return Verdict::Nothing;
    }
    Verdict::Adopt(Adoption {
        to,
        message: Some(flag.clone()),
        degraded: Some(Some(flag)),
        ..Adoption::of("guest.paused")
    })
}

fn off(stable: Stable, reason: OffReason) -> Verdict {
    match stable {
        Stable::Active => match reason {
            OffReason::Shutdown => stopped("the guest shut itself down"),
            OffReason::Destroyed => stopped("the plug was pulled outside of Berth"),
            OffReason::Other => stopped("the guest is off"),
            OffReason::Crashed => crashed(stable, "the guest or QEMU crashed"),
            OffReason::Failed => crashed(stable, "QEMU failed"),
        },
        // A resized guest that is off is confirmed or reverted all the same.
        Stable::Stopped | Stable::Resized | Stable::Error | Stable::ShelvedOffloaded => Verdict::Nothing,
    }
}

fn stopped(why: &str) -> Verdict {
    Verdict::Adopt(Adoption {
        to: Some(Stable::Stopped),
        degraded: Some(None),
        message: Some(why.to_owned()),
        ..Adoption::of("guest.stopped")
    })
}

fn crashed(stable: Stable, why: &str) -> Verdict {
    match stable {
        Stable::Active | Stable::Stopped | Stable::Resized => Verdict::Adopt(Adoption {
            to: Some(Stable::Error),
            degraded: Some(None),
            fault: Some((Code::GuestCrashed, format!("{why}; a hard reboot starts it again"))),
            message: Some(why.to_owned()),
            ..Adoption::of("guest.crashed")
        }),
        Stable::Error | Stable::ShelvedOffloaded => Verdict::Nothing,
    }
}
