//! Which layers are merged next: each case of the drawing, and what holds of all chains.

use berth_model::ImageId;
use proptest::prelude::*;

use super::*;

/// A chain, newest first: how many snapshots each layer is, and how many layers stand on it besides the one above.
fn chain(layers: &[(u32, u32)]) -> Vec<LayerRecord> {
    let ids: Vec<_> = layers.iter().map(|_| LayerId::new()).collect();
    let image = ImageId::new();
    let record = |(place, (snapshots, branches)): (usize, &(u32, u32))| LayerRecord {
        id: ids[place],
        parent: ids.get(place + 1).copied(),
        image: (place + 1 == ids.len()).then_some(image),
        children: u32::from(place > 0) + branches,
        snapshots: *snapshots,
    };
    layers.iter().enumerate().map(record).collect()
}

#[test]
fn what_nothing_needs_beneath_the_newest_is_pulled_into_it() {
    let layers = chain(&[(0, 0), (0, 0), (0, 0), (1, 0)]);
    let base = Base {
        parent: Some(layers[3].id),
        image: None,
    };
    assert_eq!(plan(&layers), Some(Merge::Pull(base)));
}

#[test]
fn with_nothing_needed_the_newest_stands_on_the_image_again() {
    let layers = chain(&[(0, 0), (0, 0)]);
    let base = Base {
        parent: None,
        image: layers[1].image,
    };
    assert_eq!(plan(&layers), Some(Merge::Pull(base)));
}

#[test]
fn a_snapshot_on_what_nothing_needs_is_written_into_it() {
    let layers = chain(&[(0, 0), (1, 0), (0, 0), (1, 0)]);
    let expected = Merge::Commit {
        above: layers[0].id,
        top: layers[1].id,
        into: layers[2].id,
    };
    assert_eq!(plan(&layers), Some(expected));
}

#[test]
fn what_others_stand_on_stays_as_it_is() {
    assert_eq!(plan(&chain(&[(0, 0), (0, 1)])), None);
    assert_eq!(plan(&chain(&[(0, 0), (1, 1), (0, 0)])), None);
    assert_eq!(plan(&chain(&[(0, 0), (1, 0), (1, 0)])), None);
    assert_eq!(plan(&chain(&[(0, 0)])), None);
    assert_eq!(plan(&[]), None);
}

#[test]
fn a_chain_that_is_too_long_is_pulled_to_its_bottom() {
    let mut layers = vec![(1, 0); CHAIN_MAX];
    layers[0] = (0, 0);
    assert_eq!(plan(&chain(&layers)), None);
    layers.push((1, 0));
    assert!(matches!(
        plan(&chain(&layers)),
        Some(Merge::Pull(Base { parent: None, .. }))
    ));
}

/// The chain after a merge, as the store would have it.
fn merged(layers: &[LayerRecord], merge: Merge) -> Vec<LayerRecord> {
    match merge {
        Merge::Pull(base) => {
            let rest = layers.iter().skip_while(|layer| Some(layer.id) != base.parent);
            layers.iter().take(1).chain(rest).cloned().collect()
        }
        Merge::Commit { top, into, .. } => {
            let snapshots = layers
                .iter()
                .find(|layer| layer.id == top)
                .map_or(0, |top| top.snapshots);
            let kept = layers.iter().filter(|layer| layer.id != top);
            kept.cloned()
                .map(|mut layer| {
                    if layer.id == into {
                        layer.snapshots += snapshots;
                    }
                    layer
                })
                .collect()
        }
    }
}

proptest! {
    /// Merging comes to an end, takes no snapshot away from a chain that isn't too long, and nothing that others need.
    #[test]
    fn merging_ends_with_what_is_needed(layers in prop::collection::vec((0..3u32, 0..2u32), 1..CHAIN_MAX)) {
        let mut layers = layers;
        layers[0] = (0, 0);
        let before = chain(&layers);
        let mut now = before.clone();
        for _ in 0..=before.len() {
            let Some(merge) = plan(&now) else { break };
            let after = merged(&now, merge);
            prop_assert!(after.len() < now.len());
            now = after;
        }
        prop_assert_eq!(plan(&now), None);
        let count = |chain: &[LayerRecord]| chain.iter().map(|layer| layer.snapshots).sum::<u32>();
        prop_assert_eq!(count(&now), count(&before));
        for needed in before.iter().filter(|layer| layer.children > 1) {
            prop_assert!(now.iter().any(|layer| layer.id == needed.id));
        }
    }
}
