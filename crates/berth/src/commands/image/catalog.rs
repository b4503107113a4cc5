//! `berth image catalog`

use berth_api_types::CatalogEntryView;
use comfy_table::Table;

use super::settings;
use crate::commands::Context;
use crate::output::{self, fields, or_dash, table};

/// Lists the catalog, or shows one entry of it.
pub(super) async fn run(name: Option<&str>, cx: &Context) -> anyhow::Result<()> {
    match name {
        Some(name) => output::show(cx.format, &cx.client.catalog_entry(name).await?, show)?,
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

/// A line for each field, then what is said in sentences.
fn show(entry: &CatalogEntryView) -> String {
    let mut shown = fields([
        ("name", entry.name.to_string()),
        ("title", entry.title.clone()),
        ("url", or_dash(entry.url.as_ref())),
        ("checksums", or_dash(entry.checksums.as_ref())),
    ]);
    for (name, value) in settings::rows(&entry.properties) {
        shown.add_row([name.to_owned(), value]);
    }
    let mut text = output::lines(&shown);
    for said in [&entry.note, &entry.manual].into_iter().flatten() {
        text.push_str(&format!("\n{said}\n"));
    }
    text
}
