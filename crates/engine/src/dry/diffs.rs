//! Differences between what is applied to the host and what would be, for a person to read.

use std::sync::Arc;

use berth_domain_xml::Vocabulary;
use berth_model::{InstanceId, Stable, Standing};
use similar::TextDiff;

use super::applied::{Applied, Touched};
use crate::context::Subject;
use crate::network::vpc_of;
use crate::world::World;
use crate::{EngineError, guest, looking};

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// Of what: `domain NAME` or `rules of vpc NAME`.
    pub what: String,
    /// As `diff -u` writes it.
    pub text: String,
}

impl Diff {
    fn new(what: String, now: &str, then: &str) -> Option<Self> {
        if now == then {
            return None;
        }
        let diff = TextDiff::from_lines(now, then);
        let text = diff.unified_diff().header("now", "then").to_string();
        Some(Self { what, text })
    }
}

/// All differences. What libvirt can't tell now has none.
pub(super) async fn between(
    world: &Arc<World>,
    touched: Touched,
    now: Applied,
    then: Applied,
) -> Result<Vec<Diff>, EngineError> {
    let world = Arc::clone(world);
    looking(move || {
        let mut diffs = Vec::new();
        for id in &touched.guests {
            match domain(&world, *id, now.guests.get(id), then.guests.get(id)) {
                Ok(diff) => diffs.extend(diff),
                Err(error) => tracing::debug!(instance = %id, %error, "no difference of a domain can be told"),
            }
        }
        diffs.extend(rules(&world, &now, &then)?);
        Ok(diffs)
    })
    .await
}

/// What libvirt has defined, and what it would be given.
fn domain(
    world: &World,
    id: InstanceId,
    now: Option<&Subject>,
    then: Option<&Subject>,
) -> Result<Option<Diff>, EngineError> {
    let Some(named) = now.or(then) else { return Ok(None) };
    let told = |subject: &Subject| {
        let told = guest::definition(world, subject);
        told.map_err(|failure| EngineError::Internal(failure.fault().message))
    };
    // The words for a domain that goes are those that it would be defined with.
    let ours = told(then.unwrap_or(named))?;
    let words = Vocabulary::of(&[&ours]).map_err(of_xml)?;
    let there = world.hypervisor.definition(id)?;
    let there = there.map(|xml| words.lines(&xml)).transpose().map_err(of_xml)?;
    let stays = then.is_some_and(|subject| subject.instance.standing != Standing::Resting(Stable::ShelvedOffloaded));
    let wanted = if stays {
        words.lines(&ours).map_err(of_xml)?
    } else {
        String::new()
    };
    let what = format!("domain {}", named.instance.name);
    Ok(Diff::new(what, &there.unwrap_or_default(), &wanted))
}

fn of_xml(error: berth_domain_xml::XmlError) -> EngineError {
    EngineError::Internal(error.to_string())
}

/// What nft is told of each VPC.
fn rules(world: &World, now: &Applied, then: &Applied) -> Result<Vec<Diff>, EngineError> {
    let mut diffs = Vec::new();
    let text = |applied: &Applied, id| match applied.vpcs.get(id) {
        Some((record, ports)) => Ok::<_, EngineError>(world.network.rules(&vpc_of(record), ports)?),
        None => Ok(String::new()),
    };
    let mut all: Vec<_> = now.vpcs.iter().collect();
    all.extend(then.vpcs.iter().filter(|(id, _)| !now.vpcs.contains_key(id)));
    for (id, (record, _)) in all {
        let what = format!("rules of vpc {}", record.name);
        diffs.extend(Diff::new(what, &text(now, id)?, &text(then, id)?));
    }
    Ok(diffs)
}
