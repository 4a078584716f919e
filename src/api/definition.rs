//! From the schema that a type gives to the definition that the API server is given: rules, defaults, columns.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, JSON, JSONSchemaProps,
};
use serde_json::json;

use super::schema::{Rule, add_rules, field, tidy, without_defaults};

/// A printer column: name, type, path, description.
pub type Column = (&'static str, &'static str, &'static str, &'static str);

/// What the types of a kind cannot say of its definition.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// What `kubectl get` shows.
    pub columns: &'static [Column],
    /// What `-o wide` shows besides.
    pub wide_columns: &'static [Column],
    /// Fields of the spec and the text that they have when they are left out.
    pub defaults: &'static [(&'static str, &'static str)],
    /// Rules on the whole object.
    pub object_rules: &'static [Rule],
    /// Rules on the spec.
    pub spec_rules: &'static [Rule],
}

impl Definition {
    /// Completes what kube derives from the types.
    pub fn complete(&self, mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
        for version in &mut definition.spec.versions {
            let columns = self.columns.iter().map(|told| column(told, None));
            let wide = self.wide_columns.iter().map(|told| column(told, Some(1)));
            version.additional_printer_columns = Some(columns.chain(wide).collect());
            if let Some(object) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
                self.complete_schema(object);
            }
        }
        definition
    }

    fn complete_schema(&self, object: &mut JSONSchemaProps) {
        tidy(object);
        add_rules(object, self.object_rules);
        if let Some(spec) = field(object, "spec") {
            add_rules(spec, self.spec_rules);
            for (name, value) in self.defaults {
                if let Some(found) = field(spec, name) {
                    found.default = Some(JSON(json!(value)));
                }
            }
        }
        if let Some(status) = field(object, "status") {
            without_defaults(status);
            // Tools that wait for an object call one without a status ready; this says that nobody has looked at it yet.
            status.default = Some(JSON(json!({ "observedGeneration": -1 })));
        }
    }
}

fn column(told: &Column, priority: Option<i32>) -> CustomResourceColumnDefinition {
    let (name, type_, path, description) = *told;
    CustomResourceColumnDefinition {
        name: name.to_owned(),
        type_: type_.to_owned(),
        json_path: path.to_owned(),
        description: Some(description.to_owned()),
        format: None,
        priority,
    }
}
