//! The escape key: what is typed behind it is meant for this program, all else for the guest.

use std::fmt;
use std::str::FromStr;

/// A key together with Ctrl, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Escape(Option<u8>);

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// To have this typed into the guest.
    Send(Vec<u8>),
    /// To have the window's size typed into the guest's shell.
    Size,
    /// To be told which keys there are.
    Help,
    Leave,
    /// The window has another size.
    Resized,
    /// A signal ends this program.
    Killed,
}

impl FromStr for Escape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        match text.as_bytes() {
            // Ctrl takes the two highest bits of a key away (ECMA-48, C0).
            [b'^', key] if (b'@'..=b'_').contains(&key.to_ascii_uppercase()) => {
                Ok(Self(Some(key.to_ascii_uppercase() & 0x1f)))
            }
            _ => Err(format!("'{text}' is not a key with Ctrl such as ^] or ^A, nor 'none'")),
        }
    }
}

impl fmt::Display for Escape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(byte) => write!(f, "Ctrl-{}", char::from(byte | 0x40)),
            None => f.write_str("nothing"),
        }
    }
}

impl Escape {
    /// How one leaves, and hears of the rest.
    pub(crate) fn short(self) -> String {
        if self.0.is_none() {
            return self.help();
        }
        format!("{self} leaves, {self} ? says what else there is")
    }

    /// Which keys there are.
    pub(crate) fn help(self) -> String {
        if self.0.is_none() {
            return "there is no escape key: it ends with the guest".to_owned();
        }
        format!("{self} leaves; {self} s tells the guest's shell the window's size; {self} {self} types {self}")
    }
}

/// What is typed, told apart.
pub(super) struct Keys {
    escape: Escape,
    escaped: bool,
}

impl Keys {
    pub(super) fn new(escape: Escape) -> Self {
        Self { escape, escaped: false }
    }

    pub(super) fn escape(&self) -> Escape {
        self.escape
    }

    /// Whether the last key was the escape key: alone it leaves.
    pub(super) fn is_escaped(&self) -> bool {
        self.escaped
    }

    /// What these bytes wish. Nothing behind a wish to leave is looked at.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Wish> {
        let (mut wishes, mut plain) = (Vec::new(), Vec::new());
        for byte in bytes.iter().copied() {
            if !self.escaped {
                if self.escape.0 == Some(byte) {
                    self.escaped = true;
                } else {
                    plain.push(byte);
                }
                continue;
            }
            self.escaped = false;
            if self.escape.0 == Some(byte) {
                plain.push(byte);
                continue;
            }
            if !plain.is_empty() {
                wishes.push(Wish::Send(std::mem::take(&mut plain)));
            }
            match byte {
                b's' | b'S' => wishes.push(Wish::Size),
                b'.' | b'q' | b'Q' => {
                    wishes.push(Wish::Leave);
                    return wishes;
                }
                _ => wishes.push(Wish::Help),
            }
        }
        if !plain.is_empty() {
            wishes.push(Wish::Send(plain));
        }
        wishes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn keys() -> Keys {
        Keys::new("^]".parse().unwrap())
    }

    fn send(text: &[u8]) -> Wish {
        Wish::Send(text.to_vec())
    }

    #[test]
    fn what_is_typed_goes_to_the_guest() {
        let mut keys = keys();
        assert_eq!(keys.feed(b"ls\r"), [send(b"ls\r")]);
        assert_eq!(keys.feed(b"\x03"), [send(b"\x03")], "Ctrl-C too");
        assert!(!keys.is_escaped());
    }

    #[test]
    fn behind_the_escape_key_a_key_is_a_wish() {
        assert_eq!(keys().feed(b"a\x1d.b"), [send(b"a"), Wish::Leave]);
        assert_eq!(keys().feed(b"\x1dq"), [Wish::Leave]);
        assert_eq!(keys().feed(b"\x1ds\x1d?x"), [Wish::Size, Wish::Help, send(b"x")]);
        assert_eq!(keys().feed(b"a\x1d\x1db"), [send(b"a\x1db")], "twice types it");
    }

    #[test]
    fn the_key_may_come_later() {
        let mut keys = keys();
        assert_eq!(keys.feed(b"a\x1d"), [send(b"a")]);
        assert!(keys.is_escaped());
        assert_eq!(keys.feed(b"s"), [Wish::Size]);
    }

    #[test]
    fn another_escape_key_may_be_chosen_or_none() {
        let mut keys = Keys::new("^a".parse().unwrap());
        assert_eq!(keys.feed(b"\x1d\x01."), [send(b"\x1d"), Wish::Leave]);
        let mut keys = Keys::new("none".parse().unwrap());
        assert_eq!(keys.feed(b"\x1d.\x01"), [send(b"\x1d.\x01")]);
        for wrong in ["", "]", "^", "^1", "ctrl-]"] {
            assert!(wrong.parse::<Escape>().is_err(), "{wrong}");
        }
        assert_eq!("^]".parse::<Escape>().unwrap().to_string(), "Ctrl-]");
    }
}
