//! Applications of ELASTIC fleets. Applications themselves are put into a world by its helpers.

use super::{Call, invalid_combination, not_found, page, text};
use crate::place::Place;
use crate::wire::{Refusal, Value, map, nothing};

/// AssociateApplicationFleet; saying it again succeeds.
pub(crate) fn associate(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let (fleet, arn) = (text(call, "FleetName").to_owned(), text(call, "ApplicationArn").to_owned());
    let Some(host) = place.fleets.get(&fleet) else {
        return Err(super::fleet::unknown(place, &fleet));
    };
    if !place.applications.contains_key(&arn) {
        return Err(not_found(format!("The application {arn} does not exist.")));
    }
    if !host.is_elastic() {
        let message = format!("The fleet {fleet} is not an Elastic fleet.");
        return Err(Refusal::new("OperationNotPermittedException", message));
    }
    let answer = map([("ApplicationFleetAssociation", spell(&fleet, &arn))]);
    place.application_associations.insert((fleet, arn));
    Ok(answer)
}

/// DisassociateApplicationFleet has no ResourceNotFound in its model: what is not there is a success.
pub(crate) fn disassociate(place: &mut Place, call: &Call<'_>) -> Value {
    let pair = (text(call, "FleetName").to_owned(), text(call, "ApplicationArn").to_owned());
    place.application_associations.remove(&pair);
    nothing()
}

/// DescribeApplicationFleetAssociations: by fleet or by application, not both and not neither.
pub(crate) fn describe(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let (fleet, arn) = (call.input["FleetName"].as_str(), call.input["ApplicationArn"].as_str());
    if fleet.is_some() == arn.is_some() {
        return Err(invalid_combination("You must specify either FleetName or ApplicationArn."));
    }
    let asked =
        |pair: &&(String, String)| fleet.is_none_or(|name| pair.0 == name) && arn.is_none_or(|one| pair.1 == one);
    let found = place.application_associations.iter().filter(asked);
    let spelled = found.map(|(fleet, arn)| (format!("{fleet} {arn}"), spell(fleet, arn))).collect();
    // The list's own bound is 25.
    let size = call.input["MaxResults"].as_i64().filter(|size| (1..=25).contains(size)).unwrap_or(25);
    page(call, &place.laws, usize::try_from(size).unwrap_or(25), "ApplicationFleetAssociations", spelled)
}

fn spell(fleet: &str, arn: &str) -> Value {
    map([("FleetName", fleet.into()), ("ApplicationArn", arn.into())])
}
