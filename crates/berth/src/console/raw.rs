//! A terminal that passes every key on.

use std::os::fd::AsFd as _;

use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

/// A raw terminal; it is as it was when this is dropped, however that comes.
pub(super) struct Raw(Option<Termios>);

impl Raw {
    pub(super) fn begin() -> Self {
        let stdin = std::io::stdin();
        let Ok(before) = tcgetattr(stdin.as_fd()) else {
            return Self(None);
        };
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        Self(
            tcsetattr(stdin.as_fd(), SetArg::TCSANOW, &raw)
                .is_ok()
                .then_some(before),
        )
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // There is nobody to tell when the terminal is gone.
            let _ = tcsetattr(std::io::stdin().as_fd(), SetArg::TCSADRAIN, before);
        }
    }
}
