//! The catalog of images on the wire.

use berth_model::{CatalogEntry, Mirror, Name, Source};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{PropertiesView, schema};

/// An image that is known by name: it can be downloaded from `url`, or `manual` says how it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CatalogEntryView {
    /// Its name.
    #[schema(value_type = schema::Name)]
    pub name: Name,
    /// What it is.
    pub title: String,
    /// What else there is to know of it.
    pub note: Option<String>,
    /// Where it is fetched from: its official address, or the mirror's.
    pub url: Option<String>,
    /// The address of its checksum file.
    pub checksums: Option<String>,
    /// What it is called in it.
    pub file: Option<String>,
    /// How it is made, if nobody publishes it.
    pub manual: Option<String>,
    /// What has to be said of it.
    #[serde(flatten)]
    pub properties: PropertiesView,
}

impl CatalogEntryView {
    /// An entry, with the addresses as that mirror has them.
    pub fn of(entry: &CatalogEntry, mirror: Option<&Mirror>) -> Self {
        let pull = entry.pull(mirror).ok();
        let manual = match &entry.source {
            Source::Manual(how) => Some(how.clone()),
            Source::Download(_) => None,
        };
        Self {
            name: entry.name.clone(),
            title: entry.title.clone(),
            note: entry.note.clone(),
            url: pull.as_ref().map(|pull| pull.image.to_string()),
            checksums: pull.as_ref().map(|pull| pull.checksums.to_string()),
            file: pull.map(|pull| pull.file),
            manual,
            properties: (&entry.properties).into(),
        }
    }
}
