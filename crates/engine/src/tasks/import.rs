//! Import: an image fetched from an address.

use berth_ops::TaskStep;

use super::NOT_A_TASK;
use super::context::TaskContext;

pub(super) const STEP: TaskStep<TaskContext> = NOT_A_TASK;
