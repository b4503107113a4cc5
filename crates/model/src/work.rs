//! What an operation does, and to what: one word in the store, one line of one of the tables.
//!
//! ```text
//!   create, stop …             an instance's action, at one of its steps    (the action table)
//!   volume.attach …            a volume's action, at one of its steps       (the volume table)
//!   image.import               an image's; images have no states
//! ```

use crate::{Action, Position, VolumeAction};

/// What can be asked of an image that takes its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageAction {
    /// Fetch it from an address, check it and keep it.
    Import,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Work {
    /// It moves an instance, and is at that step.
    Instance(Position),
    /// It moves a volume, and is at that step, from 0. All steps show the one state of the action's row.
    Volume(VolumeAction, usize),
    /// It makes an image.
    Image(ImageAction),
}

const VOLUME: &str = "volume.";
const IMAGE_IMPORT: &str = "image.import";

impl Work {
    /// What it is done to: `instance`, `volume` or `image`.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Instance(_) => "instance",
            Self::Volume(..) => "volume",
            Self::Image(_) => "image",
        }
    }

    /// The action as it is told.
    pub fn action(self) -> &'static str {
        match self {
            Self::Instance(position) => position.action().as_str(),
            Self::Volume(action, _) => action.as_str(),
            Self::Image(ImageAction::Import) => "import",
        }
    }

    /// The documented state that is shown meanwhile; none for an image.
    pub fn state(self) -> Option<&'static str> {
        match self {
            Self::Instance(position) => Some(position.state().as_str()),
            Self::Volume(action, _) => Some(action.row().through.as_str()),
            Self::Image(_) => None,
        }
    }

    /// The number of the step, from 0.
    pub fn step(self) -> usize {
        match self {
            Self::Instance(position) => position.step(),
            Self::Volume(_, step) => step,
            Self::Image(_) => 0,
        }
    }

    /// The word for it in the store.
    pub fn word(self) -> String {
        match self {
            Self::Instance(position) => position.action().as_str().to_owned(),
            Self::Volume(action, _) => format!("{VOLUME}{action}"),
            Self::Image(ImageAction::Import) => IMAGE_IMPORT.to_owned(),
        }
    }

    /// What that word and step of the store mean; none if Berth would not have written them.
    pub fn read(word: &str, step: usize) -> Option<Self> {
        if word == IMAGE_IMPORT {
            return Some(Self::Image(ImageAction::Import));
        }
        if let Some(word) = word.strip_prefix(VOLUME) {
            let action = VolumeAction::ALL.iter().find(|action| action.as_str() == word)?;
            return Some(Self::Volume(*action, step));
        }
        Position::at(word.parse::<Action>().ok()?, step).map(Self::Instance)
    }

    /// Everything that an operation may be told to do, each once.
    pub fn actions() -> Vec<&'static str> {
        let mut all: Vec<_> = Self::beginnings().map(Self::action).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The words of the store for what is told as that action: of an instance, a volume, an image.
    pub fn words_of(action: &str) -> Vec<String> {
        let works = Self::beginnings().filter(|work| work.action() == action);
        works.map(Self::word).collect()
    }

    /// The beginning of every operation.
    fn beginnings() -> impl Iterator<Item = Self> {
        let instances = Action::ALL
            .iter()
            .map(|action| Self::Instance(Position::first(*action)));
        let volumes = VolumeAction::ALL.iter().map(|action| Self::Volume(*action, 0));
        instances.chain(volumes).chain([Self::Image(ImageAction::Import)])
    }

    /// Where an instance's operation is; none if it moves something else.
    pub const fn position(self) -> Option<Position> {
        match self {
            Self::Instance(position) => Some(position),
            Self::Volume(..) | Self::Image(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back() {
        let instances = Action::ALL
            .iter()
            .map(|action| Work::Instance(Position::first(*action)));
        let volumes = VolumeAction::ALL.iter().map(|action| Work::Volume(*action, 1));
        for work in instances.chain(volumes).chain([Work::Image(ImageAction::Import)]) {
            assert_eq!(Work::read(&work.word(), work.step()), Some(work));
        }
        assert_eq!(Work::read("volume.dance", 0), None);
        assert_eq!(Work::read("start", 7), None);
        for action in Work::actions() {
            let words = Work::words_of(action);
            assert!(
                words
                    .iter()
                    .all(|word| Work::read(word, 0).is_some_and(|work| work.action() == action))
            );
        }
        assert_eq!(Work::words_of("create"), ["create", "volume.create"]);
        assert_eq!(Work::words_of("dance"), [] as [String; 0]);
    }
}
