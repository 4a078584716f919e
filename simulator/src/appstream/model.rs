//! The inputs of the operations, their types and bounds: AppStream's published API model (version 2016-12-01).

use crate::model::pattern::Pattern;
use crate::model::{Member, Shape, list, may, must, one_of, patterned, text};

/// The input of an operation; `None` for an operation that this AWS does not have.
pub(crate) fn input(operation: &str) -> Option<&'static [Member]> {
    let members: &'static [Member] = match operation {
        "CreateFleet" => {
            const {
                &[
                    must("Name", NAME),
                    may("ImageName", NAME),
                    may("ImageArn", ARN),
                    must("InstanceType", STRING),
                    may("FleetType", FLEET_TYPE),
                    may("ComputeCapacity", COMPUTE_CAPACITY),
                    may("VpcConfig", VPC_CONFIG),
                    may("MaxUserDurationInSeconds", INT),
                    may("DisconnectTimeoutInSeconds", INT),
                    may("Description", DESCRIPTION),
                    may("DisplayName", DISPLAY_NAME),
                    may("EnableDefaultInternetAccess", Shape::Flag),
                    may("DomainJoinInfo", DOMAIN_JOIN_INFO),
                    may("Tags", TAGS),
                    may("IdleDisconnectTimeoutInSeconds", INT),
                    may("IamRoleArn", ARN),
                    may("StreamView", STREAM_VIEW),
                    may("Platform", PLATFORM_TYPE),
                    may("MaxConcurrentSessions", INT),
                    may("UsbDeviceFilterStrings", USB_DEVICE_FILTER_STRINGS),
                    may("SessionScriptS3Location", S3_LOCATION),
                    may("MaxSessionsPerInstance", INT),
                    may("RootVolumeConfig", VOLUME_CONFIG),
                    may("DisableIMDSV1", Shape::Flag),
                ]
            }
        }
        "UpdateFleet" => {
            const {
                &[
                    may("ImageName", STRING),
                    may("ImageArn", ARN),
                    may("Name", NAME),
                    may("InstanceType", STRING),
                    may("ComputeCapacity", COMPUTE_CAPACITY),
                    may("VpcConfig", VPC_CONFIG),
                    may("MaxUserDurationInSeconds", INT),
                    may("DisconnectTimeoutInSeconds", INT),
                    may("DeleteVpcConfig", Shape::Flag),
                    may("Description", DESCRIPTION),
                    may("DisplayName", DISPLAY_NAME),
                    may("EnableDefaultInternetAccess", Shape::Flag),
                    may("DomainJoinInfo", DOMAIN_JOIN_INFO),
                    may("IdleDisconnectTimeoutInSeconds", INT),
                    may("AttributesToDelete", FLEET_ATTRIBUTES),
                    may("IamRoleArn", ARN),
                    may("StreamView", STREAM_VIEW),
                    may("Platform", PLATFORM_TYPE),
                    may("MaxConcurrentSessions", INT),
                    may("UsbDeviceFilterStrings", USB_DEVICE_FILTER_STRINGS),
                    may("SessionScriptS3Location", S3_LOCATION),
                    may("MaxSessionsPerInstance", INT),
                    may("RootVolumeConfig", VOLUME_CONFIG),
                    may("DisableIMDSV1", Shape::Flag),
                ]
            }
        }
        "DescribeFleets" => const { &[may("Names", STRING_LIST), may("NextToken", STRING)] },
        "StartFleet" => const { &[must("Name", STRING)] },
        "StopFleet" => const { &[must("Name", STRING)] },
        "DeleteFleet" => const { &[must("Name", STRING)] },
        "AssociateFleet" => const { &[must("FleetName", STRING), must("StackName", STRING)] },
        "DisassociateFleet" => const { &[must("FleetName", STRING), must("StackName", STRING)] },
        "ListAssociatedFleets" => const { &[must("StackName", STRING), may("NextToken", STRING)] },
        "ListAssociatedStacks" => const { &[must("FleetName", STRING), may("NextToken", STRING)] },
        "AssociateApplicationFleet" => const { &[must("FleetName", NAME), must("ApplicationArn", ARN)] },
        "DisassociateApplicationFleet" => const { &[must("FleetName", NAME), must("ApplicationArn", ARN)] },
        "DescribeApplicationFleetAssociations" => {
            const { &[may("FleetName", NAME), may("ApplicationArn", ARN), may("MaxResults", INT), may("NextToken", STRING)] }
        }
        "CreateStack" => {
            const {
                &[
                    must("Name", NAME),
                    may("Description", DESCRIPTION),
                    may("DisplayName", DISPLAY_NAME),
                    may("StorageConnectors", STORAGE_CONNECTOR_LIST),
                    may("RedirectURL", REDIRECT_URL),
                    may("FeedbackURL", FEEDBACK_URL),
                    may("UserSettings", USER_SETTING_LIST),
                    may("ApplicationSettings", APPLICATION_SETTINGS),
                    may("Tags", TAGS),
                    may("AccessEndpoints", ACCESS_ENDPOINT_LIST),
                    may("EmbedHostDomains", EMBED_HOST_DOMAINS),
                    may("StreamingExperienceSettings", STREAMING_EXPERIENCE_SETTINGS),
                    may("ContentRedirection", CONTENT_REDIRECTION),
                    may("AgentAccessConfig", AGENT_ACCESS_CONFIG),
                    may("StorageConnectorAuthentication", STORAGE_CONNECTOR_AUTHENTICATION),
                ]
            }
        }
        "UpdateStack" => {
            const {
                &[
                    may("DisplayName", DISPLAY_NAME),
                    may("Description", DESCRIPTION),
                    must("Name", STRING),
                    may("StorageConnectors", STORAGE_CONNECTOR_LIST),
                    may("DeleteStorageConnectors", Shape::Flag),
                    may("RedirectURL", REDIRECT_URL),
                    may("FeedbackURL", FEEDBACK_URL),
                    may("AttributesToDelete", STACK_ATTRIBUTES),
                    may("UserSettings", USER_SETTING_LIST),
                    may("ApplicationSettings", APPLICATION_SETTINGS),
                    may("AccessEndpoints", ACCESS_ENDPOINT_LIST),
                    may("EmbedHostDomains", EMBED_HOST_DOMAINS),
                    may("StreamingExperienceSettings", STREAMING_EXPERIENCE_SETTINGS),
                    may("ContentRedirection", CONTENT_REDIRECTION),
                    may("AgentAccessConfig", AGENT_ACCESS_CONFIG_FOR_UPDATE),
                    may("StorageConnectorAuthentication", STORAGE_CONNECTOR_AUTHENTICATION),
                ]
            }
        }
        "DeleteStack" => const { &[must("Name", STRING)] },
        "DescribeStacks" => const { &[may("Names", STRING_LIST), may("NextToken", STRING)] },
        "DescribeImages" => {
            const {
                &[
                    may("Names", STRING_LIST),
                    may("Arns", ARN_LIST),
                    may("Type", VISIBILITY_TYPE),
                    may("NextToken", STRING),
                    may("MaxResults", Shape::Int { low: 0, high: 25 }),
                ]
            }
        }
        "DescribeSessions" => {
            const {
                &[
                    must("StackName", NAME),
                    must("FleetName", NAME),
                    may("UserId", USER_ID),
                    may("NextToken", STRING),
                    may("Limit", INT),
                    may("AuthenticationType", AUTHENTICATION_TYPE),
                    may("InstanceId", STRING),
                ]
            }
        }
        "ExpireSession" => const { &[must("SessionId", STRING)] },
        "DrainSessionInstance" => const { &[must("SessionId", STRING)] },
        "CreateStreamingURL" => {
            const {
                &[
                    must("StackName", STRING),
                    must("FleetName", STRING),
                    must("UserId", STREAMING_URL_USER_ID),
                    may("ApplicationId", STRING),
                    may("Validity", LONG),
                    may("SessionContext", STRING),
                ]
            }
        }
        "CreateImageBuilder" => {
            const {
                &[
                    must("Name", NAME),
                    may("ImageName", STRING),
                    may("ImageArn", ARN),
                    must("InstanceType", STRING),
                    may("Description", DESCRIPTION),
                    may("DisplayName", DISPLAY_NAME),
                    may("VpcConfig", VPC_CONFIG),
                    may("IamRoleArn", ARN),
                    may("EnableDefaultInternetAccess", Shape::Flag),
                    may("DomainJoinInfo", DOMAIN_JOIN_INFO),
                    may("AppstreamAgentVersion", APPSTREAM_AGENT_VERSION),
                    may("Tags", TAGS),
                    may("AccessEndpoints", ACCESS_ENDPOINT_LIST),
                    may("RootVolumeConfig", VOLUME_CONFIG),
                    may("SoftwaresToInstall", STRING_LIST),
                    may("SoftwaresToUninstall", STRING_LIST),
                    may("DisableIMDSV1", Shape::Flag),
                    may("AgentAccessConfig", IMAGE_BUILDER_AGENT_ACCESS_CONFIG),
                ]
            }
        }
        "UpdateImageBuilder" => {
            const {
                &[
                    must("Name", NAME),
                    may("Description", DESCRIPTION),
                    may("DisplayName", DISPLAY_NAME),
                    may("AgentAccessConfig", IMAGE_BUILDER_AGENT_ACCESS_CONFIG_FOR_UPDATE),
                    may("AttributesToDelete", IMAGE_BUILDER_ATTRIBUTES),
                ]
            }
        }
        "DescribeImageBuilders" => {
            const { &[may("Names", STRING_LIST), may("MaxResults", INT), may("NextToken", STRING)] }
        }
        "StartImageBuilder" => const { &[must("Name", STRING), may("AppstreamAgentVersion", APPSTREAM_AGENT_VERSION)] },
        "StopImageBuilder" => const { &[must("Name", STRING)] },
        "DeleteImageBuilder" => const { &[must("Name", NAME)] },
        "CreateImageBuilderStreamingURL" => const { &[must("Name", STRING), may("Validity", LONG)] },
        "TagResource" => const { &[must("ResourceArn", ARN), must("Tags", TAGS)] },
        "UntagResource" => const { &[must("ResourceArn", ARN), must("TagKeys", TAG_KEY_LIST)] },
        "ListTagsForResource" => const { &[must("ResourceArn", ARN)] },
        _ => return None,
    };
    Some(members)
}

const INT: Shape = Shape::Int { low: i32::MIN as i64, high: i32::MAX as i64 };
const LONG: Shape = Shape::Int { low: i64::MIN, high: i64::MAX };

const NAME: Shape = Shape::Text(patterned(Pattern::Name, 0, usize::MAX));
const ARN: Shape = Shape::Text(patterned(Pattern::Arn, 0, usize::MAX));
const STRING: Shape = Shape::Text(text(1, usize::MAX));
const FLEET_TYPE: Shape = Shape::Text(one_of(&["ALWAYS_ON", "ON_DEMAND", "ELASTIC"]));
const COMPUTE_CAPACITY: Shape = Shape::Struct(&[may("DesiredInstances", INT), may("DesiredSessions", INT)]);
const SUBNET_ID_LIST: Shape = list(&STRING, 0, usize::MAX);
const SECURITY_GROUP_ID_LIST: Shape = list(&STRING, 0, 5);
const VPC_CONFIG: Shape =
    Shape::Struct(&[may("SubnetIds", SUBNET_ID_LIST), may("SecurityGroupIds", SECURITY_GROUP_ID_LIST)]);
const DESCRIPTION: Shape = Shape::Text(text(0, 256));
const DISPLAY_NAME: Shape = Shape::Text(text(0, 100));
const DIRECTORY_NAME: Shape = Shape::Text(text(0, usize::MAX));
const ORGANIZATIONAL_UNIT_DISTINGUISHED_NAME: Shape = Shape::Text(text(0, 2000));
const DOMAIN_JOIN_INFO: Shape = Shape::Struct(&[
    may("DirectoryName", DIRECTORY_NAME),
    may("OrganizationalUnitDistinguishedName", ORGANIZATIONAL_UNIT_DISTINGUISHED_NAME),
]);
const TAG_VALUE: Shape = Shape::Text(patterned(Pattern::TagValue, 0, 256));
const TAGS: Shape = Shape::Map { key: patterned(Pattern::TagKey, 1, 128), value: &TAG_VALUE, low: 1, high: 50 };
const STREAM_VIEW: Shape = Shape::Text(one_of(&["APP", "DESKTOP"]));
const PLATFORM_TYPE: Shape = Shape::Text(one_of(&[
    "WINDOWS",
    "WINDOWS_SERVER_2016",
    "WINDOWS_SERVER_2019",
    "WINDOWS_SERVER_2022",
    "WINDOWS_SERVER_2025",
    "WINDOWS_11",
    "AMAZON_LINUX2",
    "RHEL8",
    "ROCKY_LINUX8",
    "UBUNTU_PRO_2404",
]));
const USB_DEVICE_FILTER_STRING: Shape = Shape::Text(patterned(Pattern::UsbFilter, 0, 100));
const USB_DEVICE_FILTER_STRINGS: Shape = list(&USB_DEVICE_FILTER_STRING, 0, usize::MAX);
const S3_BUCKET: Shape = Shape::Text(patterned(Pattern::Bucket, 3, 63));
const S3_KEY: Shape = Shape::Text(text(1, 1024));
const S3_LOCATION: Shape = Shape::Struct(&[must("S3Bucket", S3_BUCKET), may("S3Key", S3_KEY)]);
const VOLUME_CONFIG: Shape = Shape::Struct(&[may("VolumeSizeInGb", INT)]);
const FLEET_ATTRIBUTE: Shape = Shape::Text(one_of(&[
    "VPC_CONFIGURATION",
    "VPC_CONFIGURATION_SECURITY_GROUP_IDS",
    "DOMAIN_JOIN_INFO",
    "IAM_ROLE_ARN",
    "USB_DEVICE_FILTER_STRINGS",
    "SESSION_SCRIPT_S3_LOCATION",
    "MAX_SESSIONS_PER_INSTANCE",
    "VOLUME_CONFIGURATION",
]));
const FLEET_ATTRIBUTES: Shape = list(&FLEET_ATTRIBUTE, 0, usize::MAX);
const STRING_LIST: Shape = list(&STRING, 0, usize::MAX);
const STORAGE_CONNECTOR_TYPE: Shape = Shape::Text(one_of(&["HOMEFOLDERS", "GOOGLE_DRIVE", "ONE_DRIVE"]));
const RESOURCE_IDENTIFIER: Shape = Shape::Text(text(1, 2048));
const DOMAIN: Shape = Shape::Text(text(1, 64));
const DOMAIN_LIST: Shape = list(&DOMAIN, 0, 50);
const STORAGE_CONNECTOR: Shape = Shape::Struct(&[
    must("ConnectorType", STORAGE_CONNECTOR_TYPE),
    may("ResourceIdentifier", RESOURCE_IDENTIFIER),
    may("Domains", DOMAIN_LIST),
    may("DomainsRequireAdminConsent", DOMAIN_LIST),
]);
const STORAGE_CONNECTOR_LIST: Shape = list(&STORAGE_CONNECTOR, 0, usize::MAX);
const REDIRECT_URL: Shape = Shape::Text(text(0, 1000));
const FEEDBACK_URL: Shape = Shape::Text(text(0, 1000));
const ACTION: Shape = Shape::Text(one_of(&[
    "CLIPBOARD_COPY_FROM_LOCAL_DEVICE",
    "CLIPBOARD_COPY_TO_LOCAL_DEVICE",
    "FILE_UPLOAD",
    "FILE_DOWNLOAD",
    "PRINTING_TO_LOCAL_DEVICE",
    "DOMAIN_PASSWORD_SIGNIN",
    "DOMAIN_SMART_CARD_SIGNIN",
    "AUTO_TIME_ZONE_REDIRECTION",
    "SMART_CARD_REDIRECTION",
]));
const PERMISSION: Shape = Shape::Text(one_of(&["ENABLED", "DISABLED"]));
const USER_SETTING: Shape =
    Shape::Struct(&[must("Action", ACTION), must("Permission", PERMISSION), may("MaximumLength", INT)]);
const USER_SETTING_LIST: Shape = list(&USER_SETTING, 1, usize::MAX);
const SETTINGS_GROUP: Shape = Shape::Text(text(0, 100));
const APPLICATION_SETTINGS: Shape =
    Shape::Struct(&[must("Enabled", Shape::Flag), may("SettingsGroup", SETTINGS_GROUP)]);
const ACCESS_ENDPOINT_TYPE: Shape = Shape::Text(one_of(&["STREAMING"]));
const ACCESS_ENDPOINT: Shape = Shape::Struct(&[must("EndpointType", ACCESS_ENDPOINT_TYPE), may("VpceId", STRING)]);
const ACCESS_ENDPOINT_LIST: Shape = list(&ACCESS_ENDPOINT, 1, 4);
const EMBED_HOST_DOMAIN: Shape = Shape::Text(patterned(Pattern::EmbedHost, 0, 128));
const EMBED_HOST_DOMAINS: Shape = list(&EMBED_HOST_DOMAIN, 1, 20);
const PREFERRED_PROTOCOL: Shape = Shape::Text(one_of(&["TCP", "UDP"]));
const STREAMING_EXPERIENCE_SETTINGS: Shape = Shape::Struct(&[may("PreferredProtocol", PREFERRED_PROTOCOL)]);
const URL_PATTERN: Shape = Shape::Text(patterned(Pattern::Url, 1, 2048));
const URL_PATTERN_LIST: Shape = list(&URL_PATTERN, 0, 100);
const URL_REDIRECTION_CONFIG: Shape = Shape::Struct(&[
    must("Enabled", Shape::Flag),
    may("AllowedUrls", URL_PATTERN_LIST),
    may("DeniedUrls", URL_PATTERN_LIST),
]);
const CONTENT_REDIRECTION: Shape = Shape::Struct(&[may("HostToClient", URL_REDIRECTION_CONFIG)]);
const AGENT_ACTION: Shape = Shape::Text(one_of(&["COMPUTER_VISION", "COMPUTER_INPUT", "FORWARD_MCP_TOOLS"]));
const AGENT_ACCESS_SETTING: Shape = Shape::Struct(&[must("AgentAction", AGENT_ACTION), must("Permission", PERMISSION)]);
const AGENT_ACCESS_SETTING_LIST: Shape = list(&AGENT_ACCESS_SETTING, 1, usize::MAX);
const S3_BUCKET_ARN: Shape = Shape::Text(patterned(Pattern::BucketArn, 0, usize::MAX));
const KMS_KEY_ARN: Shape = Shape::Text(patterned(Pattern::KmsKeyArn, 0, usize::MAX));
const SCREEN_RESOLUTION: Shape = Shape::Text(one_of(&["W_1280xH_720"]));
const SCREEN_IMAGE_FORMAT: Shape = Shape::Text(one_of(&["PNG", "JPEG"]));
const USER_CONTROL_MODE: Shape = Shape::Text(one_of(&["VIEW_ONLY", "VIEW_STOP", "DISABLED"]));
const AGENT_ACCESS_CONFIG: Shape = Shape::Struct(&[
    must("Settings", AGENT_ACCESS_SETTING_LIST),
    may("S3BucketArn", S3_BUCKET_ARN),
    may("ScreenshotsUploadEnabled", Shape::Flag),
    may("ReplaySessionEnabled", Shape::Flag),
    may("KmsKeyArn", KMS_KEY_ARN),
    must("ScreenResolution", SCREEN_RESOLUTION),
    must("ScreenImageFormat", SCREEN_IMAGE_FORMAT),
    may("UserControlMode", USER_CONTROL_MODE),
]);
const STORAGE_CONNECTOR_AUTHENTICATION: Shape = Shape::Text(one_of(&["FORCE_REAUTHENTICATION", "REUSE_CREDENTIALS"]));
const STACK_ATTRIBUTE: Shape = Shape::Text(one_of(&[
    "STORAGE_CONNECTORS",
    "STORAGE_CONNECTOR_HOMEFOLDERS",
    "STORAGE_CONNECTOR_GOOGLE_DRIVE",
    "STORAGE_CONNECTOR_ONE_DRIVE",
    "REDIRECT_URL",
    "FEEDBACK_URL",
    "THEME_NAME",
    "USER_SETTINGS",
    "EMBED_HOST_DOMAINS",
    "IAM_ROLE_ARN",
    "ACCESS_ENDPOINTS",
    "STREAMING_EXPERIENCE_SETTINGS",
    "CONTENT_REDIRECTION",
    "AGENT_ACCESS_CONFIG",
    "STORAGE_CONNECTOR_AUTHENTICATION",
    "AGENT_ACCESS_CONFIG_KMS_KEY_ARN",
]));
const STACK_ATTRIBUTES: Shape = list(&STACK_ATTRIBUTE, 0, usize::MAX);
const AGENT_ACCESS_CONFIG_FOR_UPDATE: Shape = Shape::Struct(&[
    may("Settings", AGENT_ACCESS_SETTING_LIST),
    may("S3BucketArn", S3_BUCKET_ARN),
    may("ScreenshotsUploadEnabled", Shape::Flag),
    may("ReplaySessionEnabled", Shape::Flag),
    may("KmsKeyArn", KMS_KEY_ARN),
    may("ScreenResolution", SCREEN_RESOLUTION),
    may("ScreenImageFormat", SCREEN_IMAGE_FORMAT),
    may("UserControlMode", USER_CONTROL_MODE),
]);
const ARN_LIST: Shape = list(&ARN, 0, usize::MAX);
const VISIBILITY_TYPE: Shape = Shape::Text(one_of(&["PUBLIC", "PRIVATE", "SHARED"]));
const USER_ID: Shape = Shape::Text(text(2, 128));
const AUTHENTICATION_TYPE: Shape = Shape::Text(one_of(&["API", "SAML", "USERPOOL", "AWS_AD"]));
const STREAMING_URL_USER_ID: Shape = Shape::Text(patterned(Pattern::StreamingUser, 2, 32));
const APPSTREAM_AGENT_VERSION: Shape = Shape::Text(text(1, 100));
const IMAGE_BUILDER_AGENT_ACCESS_CONFIG: Shape = Shape::Struct(&[
    must("Settings", AGENT_ACCESS_SETTING_LIST),
    may("S3BucketArn", S3_BUCKET_ARN),
    may("ScreenshotsUploadEnabled", Shape::Flag),
    must("ScreenResolution", SCREEN_RESOLUTION),
    must("ScreenImageFormat", SCREEN_IMAGE_FORMAT),
    may("UserControlMode", USER_CONTROL_MODE),
]);
const IMAGE_BUILDER_AGENT_ACCESS_CONFIG_FOR_UPDATE: Shape = Shape::Struct(&[
    may("Settings", AGENT_ACCESS_SETTING_LIST),
    may("S3BucketArn", S3_BUCKET_ARN),
    may("ScreenshotsUploadEnabled", Shape::Flag),
    may("ScreenResolution", SCREEN_RESOLUTION),
    may("ScreenImageFormat", SCREEN_IMAGE_FORMAT),
    may("UserControlMode", USER_CONTROL_MODE),
]);
const IMAGE_BUILDER_ATTRIBUTE: Shape = Shape::Text(one_of(&["AGENT_ACCESS_CONFIG"]));
const IMAGE_BUILDER_ATTRIBUTES: Shape = list(&IMAGE_BUILDER_ATTRIBUTE, 0, 2);
const TAG_KEY: Shape = Shape::Text(patterned(Pattern::TagKey, 1, 128));
const TAG_KEY_LIST: Shape = list(&TAG_KEY, 1, 50);
