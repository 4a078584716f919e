//! Where a spec and an image builder in AWS differ. AWS can change none of it.

use serde::Serialize;

use crate::api::image_builder::{BuilderSettings, BuilderVpcConfig};

use super::state::{BuilderFacts, Phase};

/// One difference: spec path, what AWS has, what the spec wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The spec path.
    pub field: &'static str,
    /// What AWS has.
    pub from: String,
    /// What the spec wants.
    pub to: String,
}

/// Every difference in what the user set and AWS tells. The agent's version moves by itself, and AWS tells nothing of
/// software: they are not compared.
pub fn differences(wanted: &BuilderSettings, facts: &BuilderFacts) -> Vec<Difference> {
    let BuilderSettings {
        instance_type,
        image_name,
        image_arn,
        display_name,
        description,
        vpc_config,
        iam_role_arn,
        enable_default_internet_access,
        domain_join_info,
        appstream_agent_version: _,
        access_endpoints,
        root_volume_config,
        softwares_to_install: _,
        softwares_to_uninstall: _,
        disable_imdsv1,
    } = wanted;
    let seen = &facts.settings;
    let vpc = vpc_config.clone().unwrap_or_default();
    let BuilderVpcConfig { subnet_ids, security_group_ids } = seen.vpc_config.clone().unwrap_or_default();
    let image = seen.image_arn.as_ref().map(|arn| arn.as_str());
    let image_tail = image.and_then(|arn| arn.split_once(":image/")).map(|(_, name)| name.to_owned());
    let seen_name = seen.image_name.as_ref().map(ToString::to_string).or(image_tail);
    // AWS tells of the image by its ARN alone, which it need not give.
    let image_name = image_name.as_ref().filter(|_| seen_name.is_some()).map(ToString::to_string);
    let image_arn = image_arn.clone().filter(|_| image.is_some());
    let endpoints = |all: &Option<Vec<_>>| {
        all.clone().map(|mut all| {
            all.sort();
            all
        })
    };
    // AWS gives an empty part back as "" or not at all.
    let domain = domain_join_info.clone().unwrap_or_default();
    let joined = seen.domain_join_info.clone().unwrap_or_default();
    let filled = |part: Option<String>| part.filter(|text| !text.is_empty());
    let rows = [
        row("instanceType", instance_type, &seen.instance_type),
        row("imageName", &image_name, &seen_name),
        row("imageArn", &image_arn, &seen.image_arn),
        row("displayName", display_name, &seen.display_name),
        row("description", description, &seen.description),
        row("vpcConfig.subnetIds", &vpc.subnet_ids, &subnet_ids),
        row("vpcConfig.securityGroupIds", &vpc.security_group_ids, &security_group_ids),
        row("iamRoleArn", iam_role_arn, &seen.iam_role_arn),
        // AWS leaves out what is off.
        row(
            "enableDefaultInternetAccess",
            enable_default_internet_access,
            &Some(seen.enable_default_internet_access.unwrap_or(false)),
        ),
        row("domainJoinInfo.directoryName", &filled(domain.directory_name), &filled(joined.directory_name)),
        row(
            "domainJoinInfo.organizationalUnitDistinguishedName",
            &filled(domain.organizational_unit_distinguished_name),
            &filled(joined.organizational_unit_distinguished_name),
        ),
        row("accessEndpoints", &endpoints(access_endpoints), &endpoints(&seen.access_endpoints)),
        row("rootVolumeConfig", root_volume_config, &seen.root_volume_config),
        row("disableIMDSV1", disable_imdsv1, &Some(seen.disable_imdsv1.unwrap_or(false))),
    ];
    rows.into_iter()
        .flatten()
        // What AWS does not say of one that is still being made, and the size of a volume that it leaves to itself, is no
        // difference.
        .filter(|d| !d.from.is_empty() || facts.phase != Phase::Pending && d.field != "rootVolumeConfig")
        .collect()
}

/// A sentence, if what is there can never be what the spec wants.
pub fn immutable(wanted: &BuilderSettings, facts: &BuilderFacts) -> Option<String> {
    let all = differences(wanted, facts);
    let told: Vec<String> = all
        .iter()
        .map(|d| {
            let or_none = |text: &str| if text.is_empty() { "not set".to_owned() } else { text.to_owned() };
            format!("{} is {} in AWS and {} in the spec", d.field, or_none(&d.from), or_none(&d.to))
        })
        .collect();
    (!told.is_empty()).then(|| format!("{}, and AWS cannot change it", told.join("; ")))
}

fn row<T: Serialize + PartialEq>(field: &'static str, wanted: &Option<T>, seen: &Option<T>) -> Option<Difference> {
    let differs = wanted.is_some() && wanted != seen;
    differs.then(|| Difference { field, from: text(seen), to: text(wanted) })
}

fn text<T: Serialize>(value: &Option<T>) -> String {
    let json = value.as_ref().and_then(|value| serde_json::to_string(value).ok()).unwrap_or_default();
    json.trim_matches('"').to_owned()
}
