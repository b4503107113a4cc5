//! Development only: writes what is generated, and checks that the tree is tidy.
//!
//! `cargo run -p xtask` writes the diagram and the matrix into `ARCHITECTURE.md`, the OpenAPI document into
//! `crates/api/openapi.json`, a page of it for each resource into `crates/api/docs`, and every key of the configuration into
//! `crates/berthd/berthd.toml`. The tests of this package fail when they aren't current, when a dependency points
//! upwards, or when a file is untidy.

mod generated;
#[cfg(test)]
mod layers;
mod pages;
#[cfg(test)]
mod tidy;

fn main() -> anyhow::Result<()> {
    for file in generated::all()? {
        std::fs::write(&file.path, file.text)?;
    }
    Ok(())
}
