//! Journaled operations: what a recipe is, how its steps are run, and what is decided about one after a crash.
//!
//! Knows no libvirt, no qcow2, no network: a step is a pair of functions, *make sure it is so* and *make sure it
//! isn't*, and this crate is what calls them between two transactions of the store.
//!
//! ```text
//!   Claim (the store's) ──▶ run ──▶ make step 0 ─ok─▶ advance ──▶ make step 1 ─ok─▶ commit
//!                            ▲            │ fails                       │ fails
//!                 plan ──────┘            └──▶ undo: unmake 1, 0 ◀──────┘ ──▶ fall back
//!              (after a crash)
//! ```

mod failure;
mod fault;
mod half;
mod plan;
mod recipe;
mod run;
mod task;

pub use failure::Failure;
pub use fault::fault_point;
pub use half::Retry;
pub use plan::{Plan, plan};
pub use recipe::{Memo, Recipe, Step, StepFn, nothing};
pub use run::{End, Kitchen, resume, run};
pub use task::{TaskEnd, TaskStep, Workshop, resume_task, run_task};
