//! The inputs of the operations and their types: Lightsail's published API model (version 2016-11-28).
//!
//! The model's pattern of resource names is not checked: it lacks the dot that AWS takes. [`super::names`] has the rule.

use crate::model::{Member, Shape, list, may, must, one_of, text};

/// The input of an operation; `None` for an operation that this AWS does not have.
pub(crate) fn input(operation: &str) -> Option<&'static [Member]> {
    let members: &'static [Member] = match operation {
        "CreateInstances" => {
            const {
                &[
                    must("instanceNames", STRINGS),
                    must("availabilityZone", STRING),
                    may("customImageName", STRING),
                    must("blueprintId", NON_EMPTY),
                    must("bundleId", NON_EMPTY),
                    may("userData", STRING),
                    may("keyPairName", STRING),
                    may("tags", TAGS),
                    may("addOns", ADD_ONS),
                    may("ipAddressType", IP_ADDRESS_TYPE),
                ]
            }
        }
        "GetInstance" => const { &[must("instanceName", STRING), may("includeHealthStatus", Shape::Flag)] },
        "GetInstances" => const { &[may("pageToken", STRING), may("includeHealthStatus", Shape::Flag)] },
        "GetInstanceState" | "RebootInstance" | "GetInstancePortStates" => const { &[must("instanceName", STRING)] },
        "GetInstanceAccessDetails" => const { &[must("instanceName", STRING), may("protocol", ACCESS_PROTOCOL)] },
        "StartInstance" => const { &[must("instanceName", STRING), may("attributeUpdates", ATTRIBUTE_UPDATES)] },
        "StopInstance" => const { &[must("instanceName", STRING), may("force", Shape::Flag)] },
        "DeleteInstance" => const { &[must("instanceName", STRING), may("forceDeleteAddOns", Shape::Flag)] },
        "PutInstancePublicPorts" => const { &[must("portInfos", PORT_INFOS), must("instanceName", STRING)] },
        "OpenInstancePublicPorts" | "CloseInstancePublicPorts" => {
            const { &[must("portInfo", PORT_INFO), must("instanceName", STRING)] }
        }
        "AllocateStaticIp" | "DetachStaticIp" | "ReleaseStaticIp" | "GetStaticIp" => {
            const { &[must("staticIpName", STRING)] }
        }
        "AttachStaticIp" => const { &[must("staticIpName", STRING), must("instanceName", STRING)] },
        "EnableAddOn" => const { &[must("resourceName", STRING), must("addOnRequest", ADD_ON)] },
        "DisableAddOn" => const { &[must("addOnType", ADD_ON_TYPE), must("resourceName", STRING)] },
        "GetAutoSnapshots" => const { &[must("resourceName", STRING)] },
        "SetIpAddressType" => {
            const {
                &[
                    must("resourceType", STRING),
                    must("resourceName", STRING),
                    must("ipAddressType", IP_ADDRESS_TYPE),
                    may("acceptBundleUpdate", Shape::Flag),
                ]
            }
        }
        "UpdateInstanceMetadataOptions" => {
            const {
                &[
                    must("instanceName", STRING),
                    may("httpTokens", HTTP_TOKENS),
                    may("httpEndpoint", SWITCH),
                    may("httpPutResponseHopLimit", INT),
                    may("httpProtocolIpv6", SWITCH),
                ]
            }
        }
        "TagResource" => const { &[must("resourceName", STRING), may("resourceArn", STRING), must("tags", TAGS)] },
        "UntagResource" => {
            const { &[must("resourceName", STRING), may("resourceArn", STRING), must("tagKeys", STRINGS)] }
        }
        "GetBlueprints" | "GetBundles" => {
            const { &[may("includeInactive", Shape::Flag), may("pageToken", STRING), may("appCategory", APP_CATEGORY)] }
        }
        "GetRegions" => {
            const {
                &[
                    may("includeAvailabilityZones", Shape::Flag),
                    may("includeRelationalDatabaseAvailabilityZones", Shape::Flag),
                ]
            }
        }
        "GetOperation" => const { &[must("operationId", NON_EMPTY)] },
        "GetStaticIps" | "GetOperations" | "GetActiveNames" => const { &[may("pageToken", STRING)] },
        "GetOperationsForResource" => const { &[must("resourceName", STRING), may("pageToken", STRING)] },
        "GetKeyPair" => const { &[must("keyPairName", STRING)] },
        "GetKeyPairs" => const { &[may("pageToken", STRING), may("includeDefaultKeyPair", Shape::Flag)] },
        "CreateKeyPair" => const { &[must("keyPairName", STRING), may("tags", TAGS)] },
        "ImportKeyPair" => const { &[must("keyPairName", STRING), must("publicKeyBase64", STRING)] },
        "DeleteKeyPair" => const { &[must("keyPairName", STRING), may("expectedFingerprint", STRING)] },
        _ => return None,
    };
    Some(members)
}

const INT: Shape = Shape::Int { low: i32::MIN as i64, high: i32::MAX as i64 };
const STRING: Shape = Shape::Text(text(0, usize::MAX));
const NON_EMPTY: Shape = Shape::Text(text(1, usize::MAX));
const STRINGS: Shape = list(&STRING, 0, usize::MAX);
const IP_ADDRESS_TYPE: Shape = Shape::Text(one_of(&["dualstack", "ipv4", "ipv6"]));
const ACCESS_PROTOCOL: Shape = Shape::Text(one_of(&["ssh", "rdp"]));
const HTTP_TOKENS: Shape = Shape::Text(one_of(&["optional", "required"]));
const SWITCH: Shape = Shape::Text(one_of(&["disabled", "enabled"]));
const APP_CATEGORY: Shape = Shape::Text(one_of(&["LfR"]));
const TAG: Shape = Shape::Struct(&[may("key", STRING), may("value", STRING)]);
const TAGS: Shape = list(&TAG, 0, usize::MAX);
const ATTRIBUTE_UPDATES: Shape = Shape::Struct(&[may("bundleId", NON_EMPTY)]);
// The protocol is not an enum here: AWS takes it in upper case as well.
const PORT_INFO: Shape = Shape::Struct(&[
    may("fromPort", PORT),
    may("toPort", PORT),
    may("protocol", STRING),
    may("cidrs", STRINGS),
    may("ipv6Cidrs", STRINGS),
    may("cidrListAliases", STRINGS),
]);
const PORT_INFOS: Shape = list(&PORT_INFO, 0, usize::MAX);
const PORT: Shape = Shape::Int { low: -1, high: 65_535 };
const ADD_ON_TYPE: Shape = Shape::Text(one_of(&["AutoSnapshot", "StopInstanceOnIdle"]));
const AUTO_SNAPSHOT: Shape = Shape::Struct(&[may("snapshotTimeOfDay", STRING)]);
const STOP_ON_IDLE: Shape = Shape::Struct(&[may("threshold", STRING), may("duration", STRING)]);
const ADD_ON: Shape = Shape::Struct(&[
    must("addOnType", ADD_ON_TYPE),
    may("autoSnapshotAddOnRequest", AUTO_SNAPSHOT),
    may("stopInstanceOnIdleRequest", STOP_ON_IDLE),
]);
const ADD_ONS: Shape = list(&ADD_ON, 0, usize::MAX);
