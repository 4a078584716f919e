//! The inputs of the operations and their types: GameLift's published API model (version 2015-10-01).

use crate::model::pattern::Pattern;
use crate::model::{Member, Shape, list, may, must, one_of, patterned, text};

/// The input of an operation; `None` for an operation that this AWS does not have.
pub(crate) fn input(operation: &str) -> Option<&'static [Member]> {
    let members: &'static [Member] = match operation {
        "DescribeFleetAttributes" => const { &[may("FleetIds", FLEETS), may("Limit", LIMIT), may("NextToken", TOKEN)] },
        "DescribeFleetLocationAttributes" => {
            const { &[must("FleetId", FLEET), may("Locations", LOCATIONS), may("Limit", LIMIT), may("NextToken", TOKEN)] }
        }
        "DescribeContainerFleet" => const { &[must("FleetId", FLEET)] },
        "DescribeInstances" => {
            const {
                &[
                    must("FleetId", FLEET),
                    may("InstanceId", INSTANCE),
                    may("Limit", LIMIT),
                    may("NextToken", TOKEN),
                    may("Location", LOCATION),
                ]
            }
        }
        "ListCompute" => {
            const {
                &[
                    must("FleetId", FLEET),
                    may("Location", LOCATION),
                    may("ContainerGroupDefinitionName", DEFINITION),
                    may("ComputeStatus", COMPUTE_STATUS),
                    may("Limit", LIMIT),
                    may("NextToken", TOKEN),
                ]
            }
        }
        "DescribeCompute" | "GetComputeAccess" => const { &[must("FleetId", FLEET), must("ComputeName", COMPUTE)] },
        "GetInstanceAccess" => const { &[must("FleetId", FLEET), must("InstanceId", INSTANCE)] },
        _ => return None,
    };
    Some(members)
}

const FLEET: Shape = Shape::Text(patterned(Pattern::GameFleet, 1, 512));
const FLEETS: Shape = list(&FLEET, 1, usize::MAX);
const INSTANCE: Shape = Shape::Text(patterned(Pattern::GameInstance, 1, 256));
const COMPUTE: Shape = Shape::Text(patterned(Pattern::GameCompute, 1, 1024));
const LOCATION: Shape = Shape::Text(patterned(Pattern::GameLocation, 1, 64));
const LOCATIONS: Shape = list(&LOCATION, 1, 100);
const DEFINITION: Shape = Shape::Text(patterned(Pattern::GameDefinition, 1, 512));
const COMPUTE_STATUS: Shape = Shape::Text(one_of(&["ACTIVE", "IMPAIRED"]));
const LIMIT: Shape = Shape::Int { low: 1, high: i32::MAX as i64 };
const TOKEN: Shape = Shape::Text(text(1, 1024));
