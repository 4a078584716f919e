//! The same life, met with every error of AWS and of the API server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use simulator::{Fault, FaultEffect};
use windlass::engine::stage::Stage;

use super::bench::{histories, history};
use super::kube::{KubeFault, KubeFaultEffect};
use super::life::{Part, parts};

/// How much longer a step may take: three timeouts of a create, each of which needs certainty before the next.
const PATIENCE: Duration = Duration::from_secs(400);

fn coded(code: &str, status: u16) -> FaultEffect {
    FaultEffect::Coded { code: code.into(), message: "words".into(), status }
}

/// What passes by itself: the effect, and how many times in a row.
fn passing() -> Vec<(FaultEffect, u32)> {
    let hour = Duration::from_secs(3600);
    vec![
        (FaultEffect::Throttle, 1),
        (FaultEffect::Throttle, 3),
        (FaultEffect::ServerError, 1),
        (FaultEffect::ServerError, 3),
        (FaultEffect::NotAppliedNoAnswer, 1),
        (FaultEffect::AppliedNoAnswer, 1),
        (FaultEffect::AppliedNoAnswer, 3),
        (FaultEffect::AppliedServerError, 1),
        (FaultEffect::AppliedHalfAnswer, 1),
        (FaultEffect::Hang(hour), 1),
        (FaultEffect::AppliedThenHang(hour), 1),
        (coded("ConcurrentModificationException", 400), 1),
        (coded("ConcurrentModificationException", 400), 3),
        (coded("RequestLimitExceededException", 400), 1),
        (coded("AccessDeniedException", 403), 1),
        (coded("ExpiredTokenException", 403), 1),
    ]
}

/// What only writes are refused with, once.
fn refusals() -> Vec<(FaultEffect, u32)> {
    [
        "LimitExceededException",
        "OperationNotPermittedException",
        "ResourceInUseException",
        "ResourceNotFoundException",
        "ResourceNotAvailableException",
    ]
    .map(|code| (coded(code, 400), 1))
    .into()
}

fn writes(operation: &str) -> bool {
    !["Describe", "List", "Get"].iter().any(|verb| operation.starts_with(verb))
}

/// Each write of each part, and of the reads the first and the last of each operation: its number among those calls.
fn calls(part: &Part) -> Vec<(String, u32)> {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for operation in &part.requests {
        *counts.entry(operation).or_default() += 1;
    }
    let each = counts.into_iter().flat_map(|(operation, count)| {
        let numbers: Vec<u32> = match (writes(operation), count) {
            (true, count) => (1..=count).collect(),
            (false, 1) => vec![1],
            (false, count) => vec![1, count],
        };
        numbers.into_iter().map(|n| (operation.to_owned(), n))
    });
    each.collect()
}

fn report<I>(title: &str, results: Vec<(I, Vec<String>)>, name: impl Fn(&I) -> String) {
    let failed: Vec<String> = results
        .iter()
        .filter(|(_, wrong)| !wrong.is_empty())
        .map(|(input, wrong)| format!("{}:\n  {}", name(input), wrong.join("\n  ")))
        .collect();
    println!("{title}: {} runs, {} recovered", results.len(), results.len() - failed.len());
    assert!(failed.is_empty(), "{} failed\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn every_error_of_aws_that_passes_ends_as_if_there_had_been_none() {
    let mut runs = Vec::new();
    for part in parts() {
        for (operation, number) in calls(part) {
            let more = if writes(&operation) { refusals() } else { Vec::new() };
            for (effect, times) in passing().into_iter().chain(more) {
                // While a schedule goes on, there is no time for three of them.
                if !part.step.waits_for_the_clock() || times == 1 {
                    runs.push((part, operation.clone(), number, effect, times));
                }
            }
        }
    }
    let results = histories(runs, |(part, operation, number, effect, times)| {
        let (part, operation, number, effect, times) = (*part, operation.clone(), *number, effect.clone(), *times);
        history(async move || {
            let prepare = |life: &mut super::life::Life| {
                for more in 0..times {
                    // A struck line is taken out of the script, and the others go on counting.
                    life.bench.world.script(Fault::nth(&operation, number + more, effect.clone()));
                }
                life.start(Stage::unwatched(), Arc::default());
            };
            part.live(PATIENCE, prepare, |_| {}).await
        })
    });
    report("errors of AWS", results, |(part, operation, number, effect, times)| {
        format!("{:?}: {operation} {number}: {effect:?} x {times}", part.step)
    });
}

#[test]
fn every_error_of_the_api_server_ends_as_if_there_had_been_none() {
    use KubeFaultEffect::{AppliedNoAnswer, AppliedThenHang, Conflict, Hang, Refused, Unavailable};
    let mut runs = Vec::new();
    for part in parts() {
        for first in 1..=part.mutations {
            for (effect, times) in [
                (Conflict, 1),
                (Conflict, 3),
                (Unavailable, 1),
                (Unavailable, 3),
                (AppliedNoAnswer, 1),
                (AppliedNoAnswer, 3),
                (Hang, 1),
                (AppliedThenHang, 1),
                (Refused, 1),
            ] {
                runs.push((part, KubeFault { first, times, effect }));
            }
        }
    }
    let results = histories(runs, |(part, fault)| {
        let (part, fault) = (*part, *fault);
        history(async move || {
            let prepare = |life: &mut super::life::Life| {
                life.bench.cluster.fail(fault);
                life.start(Stage::unwatched(), Arc::default());
            };
            part.live(PATIENCE, prepare, |_| {}).await
        })
    });
    report("errors of the API server", results, |(part, fault)| format!("{:?}: {fault:?}", part.step));
}
