//! `berth keypair …`

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use berth_api_types::{ChangeLabels, CreateKeyPair, KeyPairView};
use berth_model::{Labels, Name};
use clap::Subcommand;
use comfy_table::Table;

use crate::cli::{Format, name};
use crate::commands::Context;
use crate::commands::label::{self, Listing, NewLabels, Relabel};
use crate::failure::Failure;
use crate::output::{self, ago, fields, lines, table};
use crate::secret::SecretFile;
use crate::several::{Holds, Sure, each};
use crate::watch::Watching;

const EXAMPLES: &str = "\
Examples:
  berth keypair create desk --out ~/.ssh/desk
  berth keypair import mine ~/.ssh/id_ed25519.pub
  berth keypair list -o name
  berth keypair delete laptop";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum KeypairVerb {
    /// Make a key pair; the private half is shown once and stored nowhere
    Create {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        /// Write the private half into this new file, which only you may read, rather than to stdout
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        labels: NewLabels,
    },
    /// Import a public key
    Import {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        /// The public key in OpenSSH's one-line form, such as ~/.ssh/id_ed25519.pub; - for stdin
        file: PathBuf,
        #[command(flatten)]
        labels: NewLabels,
    },
    /// List the key pairs
    List {
        #[command(flatten)]
        which: Listing,
        #[command(flatten)]
        watching: Watching,
    },
    /// Show a key pair
    Show {
        /// Its name or id
        keypair: String,
    },
    /// Label a key pair, or take labels from it
    Label(Relabel),
    /// Forget key pairs; instances that have them keep them
    Delete {
        /// Their names or ids
        #[arg(required = true)]
        keypairs: Vec<String>,
        #[command(flatten)]
        sure: Sure,
    },
}

/// The most bytes of a public key's file that are read.
const PUBLIC_KEY_MAX: u64 = 64 << 10;

pub(crate) async fn run(verb: KeypairVerb, cx: &Context) -> anyhow::Result<()> {
    match verb {
        KeypairVerb::Create { name, out, labels } => create(name, labels.given()?, out.as_deref(), cx).await,
        KeypairVerb::Import { name, file, labels } => {
            let key = read(&file)?;
            let made = cx
                .client
                .create_keypair(&CreateKeyPair {
                    name,
                    public_key: Some(key),
                    labels: labels.given()?,
                })
                .await?;
            show(&made.key_pair, cx)
        }
        KeypairVerb::List { which, watching } => {
            let query = which.into();
            let fetch = async || cx.client.keypairs(&query).await;
            watching.show(cx, &["keypair"], fetch, |keys| lines(&list(keys))).await
        }
        KeypairVerb::Show { keypair } => show(&cx.client.keypair(&keypair).await?, cx),
        KeypairVerb::Label(change) => {
            let labels = change.patch();
            show(
                &cx.client.change_keypair(&change.of, &ChangeLabels { labels }).await?,
                cx,
            )
        }
        KeypairVerb::Delete { keypairs, sure } => {
            sure.ask(cx, "delete", ("key pair", "key pairs"), &keypairs, Holds::Nothing)?;
            each(&keypairs, cx, async |keypair| cx.client.delete_keypair(keypair).await).await
        }
    }
}

fn list(keys: &[KeyPairView]) -> Table {
    let row = |key: &KeyPairView| [key.name.to_string(), key.fingerprint.clone(), ago(key.created_at)];
    table(["name", "fingerprint", "made"], keys.iter().map(row))
}

/// Makes a key pair, and shows the private half or keeps it in a new file.
pub(super) async fn create(name: Name, labels: Labels, out: Option<&Path>, cx: &Context) -> anyhow::Result<()> {
    if out.is_none() && cx.format == Format::Name {
        let message = "-o name: the private half is shown once, and would be lost: write it to a file by --out";
        return Err(Failure::invalid(message).into());
    }
    // The file first: a private half that can't be kept must not be made.
    let file = out.map(SecretFile::new).transpose()?;
    let request = CreateKeyPair {
        name,
        public_key: None,
        labels,
    };
    let made = SecretFile::made(file.as_ref(), cx.client.create_keypair(&request).await)?;
    let private = made.private_key.context("the daemon sent no private key")?;
    match file {
        Some(file) => {
            file.keep(private.as_bytes())?;
            show(&made.key_pair, cx)
        }
        None => Ok(output::raw(private.as_bytes())?),
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    let wrong = |error: std::io::Error| Failure::invalid(format!("{}: {error}", path.display()));
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin()
            .take(PUBLIC_KEY_MAX)
            .read_to_string(&mut text)
            .map_err(wrong)?;
    } else {
        let file = File::open(path).map_err(wrong)?;
        file.take(PUBLIC_KEY_MAX).read_to_string(&mut text).map_err(wrong)?;
    }
    Ok(text.trim().to_owned())
}

fn show(key: &KeyPairView, cx: &Context) -> anyhow::Result<()> {
    output::print(cx.format, key, |key| {
        fields([
            ("id", key.id.to_string()),
            ("name", key.name.to_string()),
            ("owner", key.owner.to_string()),
            ("fingerprint", key.fingerprint.clone()),
            ("public key", key.public_key.clone()),
            ("labels", label::shown(&key.labels)),
            ("made", key.created_at.to_string()),
        ])
    })?;
    Ok(())
}
