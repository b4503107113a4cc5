//! The catalog of images as the operator has it.

use std::path::Path;

use berth_model::{BUILT_IN_CATALOG, Catalog, Code};

use crate::failure::Failure;

/// The catalog: the operator's file if there is one, else the one that is built in.
pub(crate) fn catalog(file: Option<&Path>) -> Result<Catalog, Failure> {
    let wrong =
        |path: &Path, why: String| Failure::new(Code::InvalidArgument, format!("catalog: {}: {why}", path.display()));
    match file {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| wrong(path, error.to_string()))?;
            Catalog::parse(&text).map_err(|error| wrong(path, error.to_string()))
        }
        None => Catalog::parse(BUILT_IN_CATALOG).map_err(|error| Failure::new(Code::Internal, error.to_string())),
    }
}
