//! Label selectors, as Kubernetes reads them (`labels.Selector` of apimachinery).

use super::Labels;
use crate::api::account::{Operator, Requirement, Selector};

/// Whether it selects everything, whatever the labels are.
pub(super) fn is_everything(selector: &Selector) -> bool {
    let no_labels = selector.match_labels.as_ref().is_none_or(|labels| labels.is_empty());
    no_labels && selector.match_expressions.as_ref().is_none_or(|all| all.is_empty())
}

/// Whether everything that it says holds of these labels.
pub(super) fn selects(selector: &Selector, labels: &Labels) -> bool {
    let equal = selector.match_labels.iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    equal && selector.match_expressions.iter().flatten().all(|requirement| holds(requirement, labels))
}

fn holds(Requirement { key, operator, values }: &Requirement, labels: &Labels) -> bool {
    let value = labels.get(key);
    let listed = value.is_some_and(|value| values.as_ref().is_some_and(|values| values.contains(value)));
    match operator {
        Operator::In => listed,
        Operator::NotIn => !listed,
        Operator::Exists => value.is_some(),
        Operator::DoesNotExist => value.is_none(),
    }
}
