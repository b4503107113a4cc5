//! A random walk through everything a claim can do, beside a model of a few lines: the state is what the table says,
//! and the spans of the ledger are the states that the model went through, on each database.

use berth_model::{
    Action, Fallback, GuestStatus, Known, Landing, OffReason, Position, Stable, Standing, Verdict, default_catalog,
    observe,
};
use berth_store::{Claim, ClaimError, Found};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::json;

use crate::support::*;
use crate::usage;

/// One thing that happens, chosen without knowing whether it can.
#[derive(Debug, Clone, Copy)]
enum Happens {
    Asked(Action),
    Done,
    Failed,
    GivenUp,
    Crashed,
    Found(GuestStatus),
}

fn happens() -> impl Strategy<Value = Happens> {
    let status = prop_oneof![
        Just(GuestStatus::Running),
        Just(GuestStatus::Off(OffReason::Shutdown)),
        Just(GuestStatus::Crashed)
    ];
    prop_oneof![
        4 => prop::sample::select(Action::ALL).prop_map(Happens::Asked),
        8 => Just(Happens::Done),
        2 => Just(Happens::Failed),
        1 => Just(Happens::GivenUp),
        1 => Just(Happens::Crashed),
        2 => status.prop_map(Happens::Found),
    ]
}

/// The model: where the instance is, and where it was.
struct Walk {
    id: berth_model::InstanceId,
    claim: Option<Claim>,
    gone: bool,
    at: Standing,
    before_resize: Option<Stable>,
    /// The states and types that it had, in their order.
    lived: Vec<(String, String)>,
}

impl Walk {
    async fn step(&mut self, bed: &mut Bed, happens: Happens) {
        match (happens, self.claim.take()) {
            (Happens::Asked(action), claim) => self.ask(bed, action, claim).await,
            (Happens::Done, Some(claim)) if claim.undoing() => self.undone(claim).await,
            (Happens::Done, Some(claim)) => self.done(claim).await,
            (Happens::Failed, Some(claim)) if !claim.undoing() => self.failed(claim).await,
            (Happens::GivenUp, Some(claim)) => {
                claim.give_up(fault("given up")).await.unwrap();
                self.at = Standing::Resting(Stable::Error);
            }
            (Happens::Crashed, claim) => {
                let had = claim.map(|claim| (claim.operation(), claim.position(), claim.undoing()));
                bed.restart().await;
                let mut found = bed.store.in_flight().await.unwrap();
                self.claim = found.pop();
                assert!(found.is_empty());
                let has = self
                    .claim
                    .as_ref()
                    .map(|claim| (claim.operation(), claim.position(), claim.undoing()));
                assert_eq!(has, had);
            }
            (Happens::Found(status), None) => self.look(bed, status).await,
            (_, claim) => self.claim = claim,
        }
    }

    async fn ask(&mut self, bed: &Bed, action: Action, old: Option<Claim>) {
        match bed.store.claim(self.id, action, params(action), &by()).await {
            Ok(claim) => {
                assert!(action.allowed(self.at));
                let from = match self.at {
                    Standing::Resting(stable) => Some(stable),
                    Standing::Moving { from, .. } => from,
                };
                self.at = Standing::Moving {
                    from,
                    position: Position::first(action),
                };
                self.claim = Some(claim);
                if let Some(old) = old {
                    assert!(matches!(old.give_up(fault("late")).await, Err(ClaimError::Lost)));
                }
            }
            Err(ClaimError::Refused { .. }) => {
                assert!(!action.allowed(self.at), "{action} was refused in {:?}", self.at);
                self.claim = old;
            }
            Err(other) => panic!("{other}"),
        }
    }

    async fn done(&mut self, mut claim: Claim) {
        if let Some(next) = claim.position().next() {
            advance(&mut claim).await;
            self.at = Standing::Moving {
                from: claim.origin(),
                position: next,
            };
            self.claim = Some(claim);
            return;
        }
        let (action, origin) = (claim.position().action(), claim.origin());
        commit(claim).await;
        match action.row().lands {
            Landing::In(stable) => self.at = Standing::Resting(stable),
            Landing::BeforeResize => self.at = Standing::Resting(self.before_resize.unwrap()),
            Landing::Gone => self.gone = true,
        }
        self.before_resize = origin.filter(|_| action == Action::Resize);
    }

    async fn failed(&mut self, mut claim: Claim) {
        match claim.position().action().row().on_failure {
            Fallback::Becomes(other) => {
                claim.becomes(fault("failed")).await.unwrap();
                self.at = Standing::Moving {
                    from: claim.origin(),
                    position: Position::first(other),
                };
            }
            _ => claim.undo(fault("failed")).await.unwrap(),
        }
        self.claim = Some(claim);
    }

    async fn undone(&mut self, mut claim: Claim) {
        let (position, origin) = (claim.position(), claim.origin());
        if claim.undone().await.unwrap() {
            let position = Position::at(position.action(), position.step() - 1).unwrap();
            self.at = Standing::Moving { from: origin, position };
            self.claim = Some(claim);
            return;
        }
        claim.fall_back(Found::Running).await.unwrap();
        self.at = Standing::Resting(match position.action().row().on_failure {
            Fallback::Origin => origin.unwrap(),
            Fallback::AsFound => Stable::Active,
            Fallback::Error | Fallback::Becomes(_) => Stable::Error,
        });
    }

    async fn look(&mut self, bed: &Bed, status: GuestStatus) {
        let record = bed.get(self.id).await;
        let known = Known {
            standing: self.at,
            degraded: None,
        };
        if let Verdict::Adopt(adoption) = observe(known, None, Some(status)) {
            assert!(bed.store.adopt(self.id, record.revision, &adoption).await.unwrap());
            if let Some(to) = adoption.to() {
                self.at = Standing::Resting(to);
            }
        }
    }

    /// The record and the ledger agree with the model.
    async fn check(&mut self, bed: &Bed) {
        let record = bed.store.instance(self.id).await.unwrap();
        assert_eq!(record.is_none(), self.gone);
        if let Some(record) = &record {
            assert_eq!(record.standing, self.at);
            assert_eq!(record.operation, self.claim.as_ref().map(Claim::operation));
        }
        if let Some(record) = &record {
            let is = (record.standing.state().to_string(), record.instance_type.name.clone());
            if self.lived.last() != Some(&is) {
                self.lived.push(is);
            }
        }
        let spans = usage::life(bed, &self.id.to_string()).await;
        let metered: Vec<_> = spans
            .iter()
            .map(|span| (span.state.clone(), span.rate.clone()))
            .collect();
        assert_eq!(metered, self.lived);
        assert_eq!(spans.last().unwrap().to.is_some(), self.gone);
    }
}

async fn walk(bed: &mut Bed, path: &[Happens]) {
    let claim = bed.building().await;
    let (id, at) = (
        claim.instance(),
        Standing::Moving {
            from: None,
            position: claim.position(),
        },
    );
    let mut walk = Walk {
        id,
        claim: Some(claim),
        gone: false,
        at,
        before_resize: None,
        lived: vec![("Building".to_owned(), default_catalog()[0].name.clone())],
    };
    // Most of what can happen happens to an instance that was made.
    for happens in [Happens::Done; 6].iter().chain(path) {
        walk.step(bed, *happens).await;
        walk.check(bed).await;
        if walk.gone {
            return;
        }
    }
    drop(walk.claim.take());
    finish(bed.store.claim(id, Action::Delete, json!({}), &by()).await.unwrap()).await;
}

fn run(database: berth_store::Database, runtime: &tokio::runtime::Runtime) {
    assert_ne!(default_catalog()[0].name, default_catalog()[3].name);
    let mut bed = runtime.block_on(Bed::new(database));
    let bed = std::cell::RefCell::new(&mut bed);
    let config = ProptestConfig {
        cases: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let paths = prop::collection::vec(happens(), 1..60);
    let result = TestRunner::new(config).run(&paths, |path| {
        runtime.block_on(walk(&mut bed.borrow_mut(), &path));
        Ok(())
    });
    result.unwrap();
}

mod sqlite {
    #[test]
    fn whatever_happens_state_and_usage_are_the_models() {
        let dir = tempfile::tempdir().unwrap();
        super::run(
            berth_store::Database::Sqlite(dir.path().join("berth.db")),
            &crate::support::runtime(),
        );
    }
}

mod postgres {
    #[test]
    fn whatever_happens_state_and_usage_are_the_models() {
        let Some(server) = crate::postgres::Server::get() else {
            eprintln!("SKIPPED: no PostgreSQL");
            return;
        };
        let runtime = crate::support::runtime();
        let scratch = runtime.block_on(server.scratch());
        super::run(scratch.database.clone(), &runtime);
        runtime.block_on(scratch.remove());
    }
}
