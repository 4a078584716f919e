//! The same lives, met with every error of AWS and of the API server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use simulator::{Fault, FaultEffect};
use windlass::engine::stage::Stage;

use super::bench::{histories, history};
use super::kube::{KubeFault, KubeFaultEffect};
use super::life::{Ends, Life, Part, difference, parts, report};

/// How much longer a step may take: three timeouts of a create, each of which needs certainty before the next.
const PATIENCE: Duration = Duration::from_secs(400);

fn coded(code: &str, status: u16) -> FaultEffect {
    FaultEffect::Coded { code: code.into(), message: "words".into(), status }
}

/// What happens to reads: the effect, and how many times in a row.
fn read_errors() -> Vec<(FaultEffect, u32)> {
    vec![
        (FaultEffect::Throttle, 3),
        (FaultEffect::ServerError, 1),
        (FaultEffect::AppliedHalfAnswer, 1),
        (FaultEffect::Hang(Duration::from_secs(3600)), 1),
        (coded("AccessDeniedException", 403), 1),
        (coded("ExpiredTokenException", 403), 1),
    ]
}

/// What happens to writes and passes by itself.
fn write_errors() -> Vec<(FaultEffect, u32)> {
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
        (coded("OperationNotPermittedException", 400), 1),
        (coded("ResourceInUseException", 400), 1),
        (coded("ResourceNotAvailableException", 400), 1),
    ]
}

/// What lasts until a person does something.
const LASTING: [(&str, u16); 5] = [
    ("AccessDeniedException", 403),
    ("LimitExceededException", 400),
    ("InvalidParameterCombinationException", 400),
    ("InvalidRoleException", 400),
    ("ResourceNotFoundException", 400),
];

fn writes(operation: &str) -> bool {
    !["Describe", "List", "Get"].iter().any(|verb| operation.starts_with(verb))
}

/// Each write of a part, and the first and the last read of each operation: its number among those calls.
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

#[test]
fn every_error_of_aws_that_passes_ends_as_if_there_had_been_none() {
    let mut runs = Vec::new();
    for part in parts() {
        for (operation, number) in calls(part) {
            let errors = if writes(&operation) { write_errors() } else { read_errors() };
            for (effect, times) in errors {
                // While a schedule goes on, there is no time for three of them.
                if !(part.step.ends == Ends::ByTheClock) || times == 1 {
                    runs.push((part, operation.clone(), number, effect, times));
                }
            }
        }
    }
    let results = histories(runs, |(part, operation, number, effect, times)| {
        let (part, operation, number, effect, times) = (*part, operation.clone(), *number, effect.clone(), *times);
        history(async move || {
            let prepare = |life: &mut Life| {
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
        format!("{}: {:?}: {operation} {number}: {effect:?} x {times}", part.story.kind, part.step)
    });
}

#[test]
fn what_aws_refuses_for_good_is_said_keeps_no_fleet_down_and_is_made_when_a_person_has_mended_it() {
    let mut runs = Vec::new();
    for part in parts().filter(|part| !(part.step.ends == Ends::ByTheClock)) {
        let operations: BTreeSet<&String> = part.requests.iter().filter(|operation| writes(operation)).collect();
        for operation in operations {
            if part.story.does_without.contains(&(part.step.name, operation)) {
                continue;
            }
            for (code, status) in LASTING {
                runs.push((part, operation.clone(), code, status));
            }
        }
    }
    let results = histories(runs, |(part, operation, code, status)| {
        let (part, operation, code, status) = (*part, operation.clone(), *code, *status);
        history(async move || {
            let mut life = part.begin();
            life.bench.world.script(Fault::every(&operation, coded(code, status)));
            life.start(Stage::unwatched(), Arc::default());
            life.step(part.step).await;
            // What may pass is tried for a minute before a fleet is started as it was.
            let refused = life.more(part.step, Duration::from_secs(90)).await;
            let mut wrong = Vec::new();
            let objects = life.bench.cluster.everything();
            let told = objects.iter().any(|object| {
                let ready = condition(object, "Ready");
                ready.0 == "False" && (part.story.reasons)(&operation, code).contains(&ready.1.as_str())
            });
            if !told && !difference(&refused, &part.scene).is_empty() {
                wrong.extend(objects.iter().map(|object| format!("Ready is {:?}", condition(object, "Ready"))));
            }
            wrong.extend((part.story.refused)(&operation, &life.bench));
            // A person mends it, and says so.
            life.bench.world.clear_faults();
            life.bench.cluster.poke_everything("1");
            wrong.extend(life.until_it_is(part, Duration::from_secs(60)).await);
            wrong.extend(life.bench.world.violations().iter().map(ToString::to_string));
            wrong
        })
    });
    report("lasting refusals of AWS", results, |(part, operation, code, _)| {
        format!("{}: {:?}: {operation}: {code}", part.story.kind, part.step)
    });
}

fn condition(object: &Value, name: &str) -> (String, String) {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.into_iter().find(|condition| condition["type"] == name).unwrap_or_default();
    let word = |member: &str| found[member].as_str().unwrap_or_default().to_owned();
    (word("status"), word("reason"))
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
            let prepare = |life: &mut Life| {
                life.bench.cluster.fail(fault);
                life.start(Stage::unwatched(), Arc::default());
            };
            part.live(PATIENCE, prepare, |_| {}).await
        })
    });
    report("errors of the API server", results, |(part, fault)| {
        format!("{}: {:?}: {fault:?}", part.story.kind, part.step)
    });
}
