//! `berth image catalog`

use berth_api_types::CatalogEntryView;
use comfy_table::Table;

use super::settings;
use crate::commands::Context;
use crate::output::{self, fields, or_dash, table};

/// Lists the catalog, or shows one entry of it.
pub(super) async fn run(name: Option<&str>, cx: &Context) -> anyhow::Result<()> {
    match name {
        Some(name) => output::print(cx.format, &cx.client.catalog_entry(name).await?, show)?,
        None => output::print(cx.format, &cx.client.catalog().await?, |entries| list(entries))?,
    }
    Ok(())
}

fn list(entries: &[CatalogEntryView]) -> Table {
    let row = |entry: &CatalogEntryView| {
        [
            entry.name.to_string(),
            entry.title.clone(),
            settings::system(&entry.properties),
            settings::needs(&entry.properties),
            if entry.url.is_some() { "download" } else { "manual" }.to_owned(),
        ]
    };
    table(["name", "title", "system", "needs", "from"], entries.iter().map(row))
}

fn show(entry: &CatalogEntryView) -> Table {
    let mut shown = fields([
        ("name", entry.name.to_string()),
        ("title", entry.title.clone()),
        ("note", or_dash(entry.note.as_ref())),
        ("url", or_dash(entry.url.as_ref())),
        ("checksums", or_dash(entry.checksums.as_ref())),
        ("file", or_dash(entry.file.as_ref())),
        ("manual", or_dash(entry.manual.as_ref())),
    ]);
    for (name, value) in settings::rows(&entry.properties) {
        shown.add_row([name.to_owned(), value]);
    }
    shown
}
