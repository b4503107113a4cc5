//! The catalog of images: what each is, where its distribution publishes it, and what has to be said of it.
//!
//! A TOML file, one `[[image]]` each. An image comes from a download with the checksum file beside it, or it can't be
//! downloaded and a text says how to make it:
//!
//! ```text
//!   name "ubuntu-24.04" ──▶ entry ──(mirror, if any)──▶ Pull { image, checksums, file, properties }
//!                             └── manual ──▶ a refusal that says what to do instead
//! ```

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::{ImageProperties, Name};

/// The catalog that Berth comes with, as its file is written.
pub const BUILT_IN_CATALOG: &str = include_str!("../../../images/catalog.toml");

/// Images that are known by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    entries: Vec<CatalogEntry>,
}

/// An image of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct CatalogEntry {
    /// What it is asked for by, and called once it is here.
    pub name: Name,
    /// What it is, for people.
    pub title: String,
    /// What else there is to know of it.
    pub note: Option<String>,
    /// Where it comes from.
    pub source: Source,
    /// What has to be said of it.
    pub properties: ImageProperties,
}

/// Where an image of the catalog comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// It is published as a file.
    Download(Download),
    /// It isn't; this says how to make it.
    Manual(String),
}

/// A published file and the checksums of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Download {
    /// The image's official address.
    pub url: Url,
    /// The official address of the checksum file.
    pub checksums: Url,
    /// What the image is called in it.
    pub file: String,
}

/// All that is needed to fetch an image: [`find_checksum`](crate::find_checksum) reads what is at `checksums`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// The image's address.
    pub image: Url,
    /// The address of its checksum file.
    pub checksums: Url,
    /// What the image is called in it.
    pub file: String,
    /// What has to be said of it.
    pub properties: ImageProperties,
}

/// Where files are fetched from instead of their official addresses.
///
/// The path of the official address is appended to the mirror's: with `http://mirror/os`, what is at
/// `https://cloud-images.ubuntu.com/releases/x.img` is fetched from `http://mirror/os/releases/x.img`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Mirror(Url);

/// Why a catalog, or an address in it, can't be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// It isn't TOML, or has other fields.
    #[error("the catalog can't be read: {0}")]
    Unreadable(String),
    /// Two entries have the same name.
    #[error("the catalog has '{0}' twice")]
    Twice(Name),
    /// What is given isn't where a file could be.
    #[error("'{address}' {why}: give an address such as https://mirror.example.com/images")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// Why an image of the catalog can't be fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PullError {
    /// The catalog doesn't have it.
    #[error("the catalog has no image '{name}'{}", did_you_mean(.near))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What may have been meant, nearest first.
        near: Vec<Name>,
    },
    /// It has, and there is nothing to fetch.
    #[error("'{name}' can't be downloaded. {how}")]
    Manual {
        /// What was asked for.
        name: Name,
        /// How it is made.
        how: String,
    },
}

fn did_you_mean(near: &[Name]) -> String {
    if near.is_empty() {
        return "; 'berth image catalog' lists what it has".to_owned();
    }
    let names: Vec<_> = near.iter().map(Name::as_str).collect();
    format!("; did you mean {}?", names.join(" or "))
}

/// How many names are offered for one that isn't there, and how alike each has to be (Jaro-Winkler, 0 to 1).
const OFFERED: usize = 3;
const ALIKE: f64 = 0.8;

impl Catalog {
    /// Reads a catalog file.
    pub fn parse(text: &str) -> Result<Self, CatalogError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            #[serde(default)]
            image: Vec<CatalogEntry>,
        }
        let file: File = toml::from_str(text).map_err(|error| CatalogError::Unreadable(error.to_string()))?;
        let mut names = HashSet::new();
        if let Some(twice) = file.image.iter().find(|entry| !names.insert(&entry.name)) {
            return Err(CatalogError::Twice(twice.name.clone()));
        }
        Ok(Self { entries: file.image })
    }

    /// All of it, in the order of the file.
    pub fn entries(&self) -> &[CatalogEntry] {
        &self.entries
    }

    /// The entry of that name.
    pub fn find(&self, name: &str) -> Result<&CatalogEntry, PullError> {
        let found = self.entries.iter().find(|entry| entry.name.as_str() == name);
        found.ok_or_else(|| PullError::Unknown {
            name: name.to_owned(),
            near: self.near(name),
        })
    }

    /// What is needed to fetch the image of that name, from a mirror if there is one.
    pub fn pull(&self, name: &str, mirror: Option<&Mirror>) -> Result<Pull, PullError> {
        self.find(name)?.pull(mirror)
    }

    fn near(&self, name: &str) -> Vec<Name> {
        let wanted = name.to_ascii_lowercase();
        let mut alike: Vec<_> = self
            .entries
            .iter()
            .map(|entry| {
                (
                    strsim::jaro_winkler(&wanted, &entry.name.as_str().to_ascii_lowercase()),
                    entry,
                )
            })
            .filter(|(alike, _)| *alike >= ALIKE)
            .collect();
        alike.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        alike
            .into_iter()
            .take(OFFERED)
            .map(|(_, entry)| entry.name.clone())
            .collect()
    }
}

impl CatalogEntry {
    /// What is needed to fetch it, from a mirror if there is one.
    pub fn pull(&self, mirror: Option<&Mirror>) -> Result<Pull, PullError> {
        let download = match &self.source {
            Source::Download(download) => download,
            Source::Manual(how) => {
                return Err(PullError::Manual {
                    name: self.name.clone(),
                    how: how.clone(),
                });
            }
        };
        let from = |official: &Url| mirror.map_or_else(|| official.clone(), |mirror| mirror.of(official));
        Ok(Pull {
            image: from(&download.url),
            checksums: from(&download.checksums),
            file: download.file.clone(),
            properties: self.properties.clone(),
        })
    }
}

impl Mirror {
    /// Where the mirror has what is officially at that address.
    pub fn of(&self, official: &Url) -> Url {
        let mut there = self.0.clone();
        there.set_path(&format!("{}{}", self.0.path().trim_end_matches('/'), official.path()));
        there
    }
}

impl FromStr for Mirror {
    type Err = CatalogError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why| CatalogError::Address {
            address: text.to_owned(),
            why,
        };
        let url = Url::parse(text).map_err(|_| wrong("is not an address"))?;
        check_address(&url).map_err(wrong)?;
        Ok(Self(url))
    }
}

impl TryFrom<String> for Mirror {
    type Error = CatalogError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An address of a file as this catalog has them: nothing that could be a secret, nothing that a mirror would lose.
fn check_address(url: &Url) -> Result<(), &'static str> {
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("is not an http or https address");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a name or a password in it");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a query or a fragment");
    }
    Ok(())
}

/// An entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Name,
    title: String,
    note: Option<String>,
    download: Option<Download>,
    manual: Option<String>,
    properties: ImageProperties,
}

impl TryFrom<Written> for CatalogEntry {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let name = written.name;
        let wrong = |why: &str| format!("image '{name}': {why}");
        if written.title.trim().is_empty() {
            return Err(wrong("its title is empty"));
        }
        written.properties.check().map_err(|error| wrong(&error.to_string()))?;
        let source = match (written.download, written.manual) {
            (Some(download), None) => {
                check_address(&download.url).map_err(|why| wrong(&format!("url: '{}' {why}", download.url)))?;
                check_address(&download.checksums)
                    .map_err(|why| wrong(&format!("checksums: '{}' {why}", download.checksums)))?;
                if download.file.is_empty() || download.file.contains(['/', '\n']) {
                    return Err(wrong("file: needs the name that the image has in the checksum file"));
                }
                Source::Download(download)
            }
            (None, Some(how)) if !how.trim().is_empty() => Source::Manual(how.trim().to_owned()),
            (None, _) => return Err(wrong("needs a 'download', or a 'manual' that says how it is made")),
            (Some(_), Some(_)) => return Err(wrong("has both a 'download' and a 'manual'")),
        };
        Ok(Self {
            title: written.title,
            note: written.note.map(|note| note.trim().to_owned()),
            source,
            properties: written.properties,
            name,
        })
    }
}
