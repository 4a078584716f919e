//! What AWS's error codes mean: one table, matched exactly and never by the words of a message.

use crate::plan::Class;

/// The AWS services that are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// AppStream 2.0.
    AppStream,
    /// GameLift.
    GameLift,
    /// Lightsail.
    Lightsail,
    /// The Security Token Service.
    Sts,
}

impl Service {
    /// The name that metrics and logs show.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AppStream => "appstream",
            Self::GameLift => "gamelift",
            Self::Lightsail => "lightsail",
            Self::Sts => "sts",
        }
    }
}

/// What AWS answered, as far as its meaning depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Who answered.
    pub service: Service,
    /// AWS's name of the operation.
    pub operation: &'a str,
    /// AWS's code, with or without its namespace; `None` when the answer names none.
    pub code: Option<&'a str>,
    /// AWS's words.
    pub message: &'a str,
    /// The HTTP status.
    pub status: u16,
}

/// The words by which AppStream tells "your role is not known everywhere yet" from "your role is wrong": it has one code
/// for both. Terraform's AppStream provider waits on the same words.
const ROLE_NOT_KNOWN_YET: &str = "encountered an error because your IAM role";

/// What an answer means.
pub fn class(answer: Answer<'_>) -> Class {
    let code = answer.code.map(short).unwrap_or_default();
    let by_code = match answer.service {
        Service::AppStream => appstream(answer.operation, code, answer.message).or_else(|| common(code)),
        Service::GameLift => gamelift(code).or_else(|| common(code)),
        Service::Lightsail => lightsail(code, answer.message).or_else(|| common(code)),
        Service::Sts => sts(code).or_else(|| common(code)),
    };
    by_code.unwrap_or_else(|| by_status(answer.status))
}

/// A code without what protocols put around it: `com.amazonaws.appstream#LimitExceededException:http://…` is
/// `LimitExceededException` (Smithy's rule for `__type` and `x-amzn-errortype`).
pub fn short(code: &str) -> &str {
    let before = code.split_once(':').map_or(code, |(before, _)| before);
    before.split_once('#').map_or(before, |(_, after)| after)
}

fn appstream(operation: &str, code: &str, message: &str) -> Option<Class> {
    let class = match (code, operation) {
        // What is missing here is not the resource but what it is made of (image, role, application, fleet), and what was made a
        // moment ago is not visible everywhere: Terraform's provider repeats these for up to 15 minutes.
        (
            "ResourceNotFoundException",
            "CreateFleet" | "AssociateApplicationFleet" | "CreateStack" | "AssociateFleet" | "CreateImageBuilder",
        ) => Class::Busy,
        // The fleet was in DescribeFleets a moment ago: the two reads disagree, and only another look can tell.
        ("ResourceNotFoundException", "ListTagsForResource") => Class::Busy,
        ("ResourceNotFoundException", _) => Class::NotFound,
        ("ResourceAlreadyExistsException", _) => Class::AlreadyExists,
        ("ResourceInUseException", _) => Class::InUse,
        // On a create there is no state of ours that it could be about; other tools repeat it for minutes.
        ("OperationNotPermittedException", "CreateFleet" | "CreateStack" | "CreateImageBuilder") => Class::Busy,
        // On everything else it is AWS's other word for "not in this state".
        ("OperationNotPermittedException", _) => Class::InUse,
        // An image that is DEPRECATED or not copied yet. Whether it ever will be available is what DescribeImages says,
        // not this code: so it is asked again, slowly.
        ("ResourceNotAvailableException", _) => Class::Busy,
        // "An API error occurred. Wait a few minutes and try again."
        ("ConcurrentModificationException", _) => Class::Busy,
        // EC2 throttles what AppStream asks it in our name.
        ("RequestLimitExceededException", _) => Class::Throttled,
        ("LimitExceededException", _) => Class::QuotaExceeded,
        ("InvalidRoleException", _) if message.contains(ROLE_NOT_KNOWN_YET) => Class::Busy,
        ("InvalidRoleException", _) => Class::Rejected,
        // The AWS account is suspended: no edit helps, and it may be lifted without one.
        ("InvalidAccountStatusException", _) => Class::AccessDenied,
        ("InvalidParameterCombinationException" | "IncompatibleImageException", _) => Class::Rejected,
        _ => return None,
    };
    Some(class)
}

/// Where Lightsail tells answers apart by its words alone: the code, the phrase that the words hold, what it means. Every
/// phrase is one that AWS was seen to answer; nothing else is read out of words.
const LIGHTSAIL_PHRASES: [(&str, &str, Class); 10] = [
    // Seen with `code: NameExists` beside it, and without (public issue trackers of deployment tools).
    ("InvalidInputException", "Some names are already in use", Class::AlreadyExists),
    // Terraform's Lightsail resources repeat the call on these two.
    ("InvalidInputException", "Please try again in a few minutes", Class::Busy),
    ("InvalidInputException", WAIT_FOR_IT, Class::Busy),
    ("OperationFailureException", WAIT_FOR_IT, Class::Busy),
    ("InvalidInputException", PENDING_VERIFICATION, Class::AccountPending),
    ("OperationFailureException", PENDING_VERIFICATION, Class::AccountPending),
    ("InvalidInputException", TOO_MANY, Class::QuotaExceeded),
    ("OperationFailureException", TOO_MANY, Class::QuotaExceeded),
    // CloudFormation's handlers take these two for done: look again, and it is.
    ("InvalidInputException", "The addOn is already in requested state", Class::InUse),
    ("InvalidInputException", "AutoSnapshot not enabled for the resource", Class::InUse),
];

/// Another operation on the resource is under way.
const WAIT_FOR_IT: &str = "Please wait for it to complete before trying again";
/// A new account that AWS has not looked at yet: hours, without anybody's doing (issue trackers of deployment tools).
const PENDING_VERIFICATION: &str = "your AWS account is pending verification";
/// "Sorry, you've reached the maximum number of instances for your account." (issue trackers); other resources have the same
/// sentence with another word.
const TOO_MANY: &str = "you've reached the maximum number of";

/// Lightsail's exceptions, and the finer codes that it puts beside them.
fn lightsail(code: &str, message: &str) -> Option<Class> {
    let phrase = LIGHTSAIL_PHRASES.iter().find(|(of, phrase, _)| *of == code && message.contains(phrase));
    if let Some((_, _, class)) = phrase {
        return Some(*class);
    }
    let class = match code {
        "NotFoundException" | "DoesNotExist" => Class::NotFound,
        "NameExists" => Class::AlreadyExists,
        "InvalidInputException" => Class::Rejected,
        // "An operation fails to execute": a state that does not allow it, as far as tools tell. Only a look can say.
        "OperationFailureException" => Class::InUse,
        "ServiceException" => Class::Unavailable,
        "UnauthenticatedException" => Class::AccessDenied,
        // The account, or the Region that was opted into, is being set up: minutes.
        "AccountSetupInProgressException" | "RegionSetupInProgressException" => Class::AccountPending,
        // The account has never opened Lightsail.
        "SubscriptionRequiredException" | "SubscriptionRequired" => Class::AccessDenied,
        _ => return None,
    };
    Some(class)
}

/// GameLift's exceptions, as its API model describes them.
fn gamelift(code: &str) -> Option<Class> {
    let class = match code {
        "NotFoundException" => Class::NotFound,
        "InvalidRequestException" | "UnsupportedRegionException" => Class::Rejected,
        // "The client failed authentication. Clients should not retry such requests."
        "UnauthorizedException" => Class::AccessDenied,
        "InvalidFleetStatusException" | "NotReadyException" => Class::InUse,
        "LimitExceededException" => Class::QuotaExceeded,
        _ => return None,
    };
    Some(class)
}

/// Whether a finer code of Lightsail's says more than the exception that it came with.
pub fn finer(code: &str) -> bool {
    ["NameExists", "DoesNotExist"].contains(&code)
}

fn sts(code: &str) -> Option<Class> {
    match code {
        "RegionDisabledException" | "IDPRejectedClaim" | "InvalidIdentityToken" => Some(Class::AccessDenied),
        "IDPCommunicationError" => Some(Class::Unavailable),
        _ => None,
    }
}

/// Codes that any AWS service may answer (the AWS "common errors" pages, and the lists that AWS SDKs retry by).
fn common(code: &str) -> Option<Class> {
    let class = match code {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "EC2ThrottledException"
        | "SlowDown"
        | "PriorRequestNotComplete" => Class::Throttled,
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "NotAuthorized"
        | "NotAuthorizedException"
        | "AuthFailure"
        | "OptInRequired"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" => Class::AccessDenied,
        "ValidationError"
        | "ValidationException"
        | "InvalidParameterValue"
        | "InvalidParameterValueException"
        | "InvalidParameterCombination"
        | "InvalidParameterException"
        | "MissingParameter"
        | "SerializationException"
        | "UnknownOperationException"
        | "InvalidAction" => Class::Rejected,
        "InternalFailure"
        | "InternalError"
        | "InternalServerError"
        | "InternalServerException"
        | "InternalServiceError"
        | "InternalServiceException"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "RequestTimeout"
        | "RequestTimeoutException" => Class::Unavailable,
        _ => return None,
    };
    Some(class)
}

/// For codes that no table knows, and answers without one.
fn by_status(status: u16) -> Class {
    match status {
        401 | 403 => Class::AccessDenied,
        408 => Class::Unavailable,
        429 => Class::Throttled,
        400..=499 => Class::Rejected,
        _ => Class::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn appstream_class(operation: &str, code: &str, message: &str, status: u16) -> Class {
        class(Answer { service: Service::AppStream, operation, code: Some(code), message, status })
    }

    #[test]
    fn every_row_of_the_appstream_table_has_its_class() {
        let rows = [
            ("DescribeFleets", "ResourceNotFoundException", "", 404, Class::NotFound),
            ("UpdateFleet", "ResourceNotFoundException", "", 400, Class::NotFound),
            ("TagResource", "ResourceNotFoundException", "", 404, Class::NotFound),
            ("CreateFleet", "ResourceNotFoundException", "The image x does not exist.", 404, Class::Busy),
            ("AssociateApplicationFleet", "ResourceNotFoundException", "", 404, Class::Busy),
            ("ListTagsForResource", "ResourceNotFoundException", "", 404, Class::Busy),
            ("CreateStack", "ResourceNotFoundException", "", 404, Class::Busy),
            ("AssociateFleet", "ResourceNotFoundException", "The fleet x does not exist.", 404, Class::Busy),
            ("DisassociateFleet", "ResourceNotFoundException", "", 404, Class::NotFound),
            ("CreateImageBuilder", "ResourceNotFoundException", "The image x does not exist.", 404, Class::Busy),
            ("DescribeStacks", "ResourceNotFoundException", "", 404, Class::NotFound),
            ("DescribeImageBuilders", "ResourceNotFoundException", "", 404, Class::NotFound),
            ("DeleteStack", "ResourceInUseException", "Cannot delete stack X.", 400, Class::InUse),
            ("DisassociateFleet", "ResourceInUseException", "", 400, Class::InUse),
            ("AssociateFleet", "OperationNotPermittedException", "", 400, Class::InUse),
            ("AssociateFleet", "IncompatibleImageException", "", 400, Class::Rejected),
            ("CreateStack", "OperationNotPermittedException", "", 400, Class::Busy),
            ("CreateImageBuilder", "OperationNotPermittedException", "", 400, Class::Busy),
            ("CreateImageBuilder", "ResourceNotAvailableException", "The image x is DEPRECATED.", 400, Class::Busy),
            ("StopImageBuilder", "OperationNotPermittedException", "", 400, Class::InUse),
            ("DeleteImageBuilder", "OperationNotPermittedException", "", 400, Class::InUse),
            ("CreateFleet", "ResourceAlreadyExistsException", "", 400, Class::AlreadyExists),
            ("DeleteFleet", "ResourceInUseException", "", 400, Class::InUse),
            ("UpdateFleet", "ResourceInUseException", "", 400, Class::InUse),
            ("StartFleet", "OperationNotPermittedException", "", 400, Class::InUse),
            ("UpdateFleet", "OperationNotPermittedException", "", 400, Class::InUse),
            ("CreateFleet", "OperationNotPermittedException", "", 400, Class::Busy),
            ("CreateFleet", "ResourceNotAvailableException", "The image x is DEPRECATED.", 400, Class::Busy),
            ("StartFleet", "ResourceNotAvailableException", "", 400, Class::Busy),
            ("UpdateFleet", "ConcurrentModificationException", "", 400, Class::Busy),
            ("DescribeFleets", "RequestLimitExceededException", "", 400, Class::Throttled),
            ("CreateFleet", "LimitExceededException", "", 400, Class::QuotaExceeded),
            ("CreateFleet", "InvalidRoleException", "The role is wrong.", 400, Class::Rejected),
            (
                "CreateFleet",
                "InvalidRoleException",
                "AppStream 2.0 encountered an error because your IAM role 'x' is invalid",
                400,
                Class::Busy,
            ),
            ("StartFleet", "InvalidAccountStatusException", "", 400, Class::AccessDenied),
            ("UpdateFleet", "InvalidParameterCombinationException", "", 400, Class::Rejected),
            ("UpdateFleet", "IncompatibleImageException", "", 400, Class::Rejected),
            ("UpdateFleet", "InvalidParameterValueException", "", 400, Class::Rejected),
            ("UpdateFleet", "ValidationException", "", 400, Class::Rejected),
            ("DescribeFleets", "ThrottlingException", "Rate exceeded", 400, Class::Throttled),
            ("DescribeFleets", "TooManyRequestsException", "", 429, Class::Throttled),
            ("DescribeFleets", "AccessDeniedException", "", 400, Class::AccessDenied),
            ("DescribeFleets", "ExpiredTokenException", "", 400, Class::AccessDenied),
            ("DescribeFleets", "UnrecognizedClientException", "", 400, Class::AccessDenied),
            ("DescribeFleets", "InvalidSignatureException", "", 400, Class::AccessDenied),
            ("DescribeFleets", "InternalFailure", "", 500, Class::Unavailable),
            ("DescribeFleets", "ServiceUnavailableException", "", 503, Class::Unavailable),
            ("DescribeFleets", "RequestTimeoutException", "", 400, Class::Unavailable),
            ("DescribeFleets", "NeverHeardOfException", "", 400, Class::Rejected),
            ("DescribeFleets", "NeverHeardOfException", "", 500, Class::Unavailable),
            ("DescribeFleets", "com.amazonaws.appstream#ResourceNotFoundException", "", 404, Class::NotFound),
        ];
        for (operation, code, message, status, wanted) in rows {
            assert_eq!(appstream_class(operation, code, message, status), wanted, "{operation} {code} {message}");
        }
    }

    #[test]
    fn every_row_of_the_lightsail_table_has_its_class() {
        let rows = [
            ("GetInstance", "NotFoundException", "The Instance does not exist: a", 400, Class::NotFound),
            ("GetInstance", "DoesNotExist", "", 400, Class::NotFound),
            ("CreateInstances", "NameExists", "Some names are already in use: a", 400, Class::AlreadyExists),
            ("CreateInstances", "InvalidInputException", "Some names are already in use: a", 400, Class::AlreadyExists),
            (
                "CreateInstances",
                "InvalidInputException",
                "The given Availability Zone is invalid. It must be one of the following: us-east-2a.",
                400,
                Class::Rejected,
            ),
            (
                "PutInstancePublicPorts",
                "InvalidInputException",
                "Something went wrong. Please try again in a few minutes.",
                400,
                Class::Busy,
            ),
            (
                "StopInstance",
                "OperationFailureException",
                "Another operation is in progress. Please wait for it to complete before trying again.",
                400,
                Class::Busy,
            ),
            (
                "CreateInstances",
                "InvalidInputException",
                "We're sorry, your AWS account is pending verification. Please try again later",
                400,
                Class::AccountPending,
            ),
            (
                "CreateInstances",
                "InvalidInputException",
                "Sorry, you've reached the maximum number of instances for your account.",
                400,
                Class::QuotaExceeded,
            ),
            ("EnableAddOn", "InvalidInputException", "The addOn is already in requested state", 400, Class::InUse),
            ("DisableAddOn", "InvalidInputException", "AutoSnapshot not enabled for the resource", 400, Class::InUse),
            ("StartInstance", "OperationFailureException", "", 400, Class::InUse),
            ("GetInstances", "AccountSetupInProgressException", "", 400, Class::AccountPending),
            ("GetInstances", "RegionSetupInProgressException", "", 400, Class::AccountPending),
            ("GetInstances", "UnauthenticatedException", "", 400, Class::AccessDenied),
            ("GetInstances", "AccessDeniedException", "", 400, Class::AccessDenied),
            ("GetInstances", "ThrottlingException", "Rate exceeded", 400, Class::Throttled),
            ("GetInstances", "ServiceException", "", 500, Class::Unavailable),
            // A phrase counts only with the code that it was seen with.
            ("GetInstances", "AccessDeniedException", "Please try again in a few minutes", 400, Class::AccessDenied),
            ("GetInstances", "NeverHeardOfException", "Some names are already in use", 400, Class::Rejected),
        ];
        for (operation, code, message, status, wanted) in rows {
            let answer = Answer { service: Service::Lightsail, operation, code: Some(code), message, status };
            assert_eq!(class(answer), wanted, "{operation} {code} {message}");
        }
    }

    #[test]
    fn every_row_of_the_gamelift_table_has_its_class() {
        let rows = [
            ("NotFoundException", 400, Class::NotFound),
            ("com.amazonaws.gamelift#NotFoundException", 400, Class::NotFound),
            ("InvalidRequestException", 400, Class::Rejected),
            ("UnsupportedRegionException", 400, Class::Rejected),
            ("UnauthorizedException", 400, Class::AccessDenied),
            ("InvalidFleetStatusException", 400, Class::InUse),
            ("NotReadyException", 400, Class::InUse),
            ("LimitExceededException", 400, Class::QuotaExceeded),
            ("InternalServiceException", 500, Class::Unavailable),
            ("ThrottlingException", 400, Class::Throttled),
            ("NeverHeardOfException", 400, Class::Rejected),
        ];
        for (code, status, wanted) in rows {
            let answer = Answer { service: Service::GameLift, operation: "", code: Some(code), message: "", status };
            assert_eq!(class(answer), wanted, "{code}");
        }
    }

    #[test]
    fn sts_codes_have_their_class() {
        let rows = [
            ("ExpiredToken", 403, Class::AccessDenied),
            ("InvalidClientTokenId", 403, Class::AccessDenied),
            ("RegionDisabledException", 403, Class::AccessDenied),
            ("InvalidIdentityToken", 400, Class::AccessDenied),
            ("IDPCommunicationError", 400, Class::Unavailable),
            ("Throttling", 400, Class::Throttled),
            // AppStream's quota code means nothing at STS.
            ("LimitExceededException", 400, Class::Rejected),
        ];
        for (code, status, wanted) in rows {
            let answer =
                Answer { service: Service::Sts, operation: "GetCallerIdentity", code: Some(code), message: "", status };
            assert_eq!(class(answer), wanted, "{code}");
        }
    }

    #[test]
    fn an_answer_without_a_code_is_judged_by_its_status() {
        let rows = [
            (400, Class::Rejected),
            (401, Class::AccessDenied),
            (403, Class::AccessDenied),
            (404, Class::Rejected),
            (408, Class::Unavailable),
            (429, Class::Throttled),
            (500, Class::Unavailable),
            (503, Class::Unavailable),
            (200, Class::Unavailable),
        ];
        for (status, wanted) in rows {
            let answer =
                Answer { service: Service::AppStream, operation: "StopFleet", code: None, message: "", status };
            assert_eq!(class(answer), wanted, "{status}");
        }
    }

    #[test]
    fn a_code_inside_a_message_means_nothing() {
        let message = "ThrottlingException: ResourceNotFoundException";
        assert_eq!(appstream_class("CreateFleet", "NeverHeardOf", message, 400), Class::Rejected);
    }

    #[test]
    fn namespaces_and_addresses_are_taken_off_a_code() {
        assert_eq!(short("com.amazonaws.appstream#LimitExceededException"), "LimitExceededException");
        assert_eq!(short("LimitExceededException:http://internal/x"), "LimitExceededException");
        assert_eq!(short("a.b#LimitExceededException:http://internal/x#y"), "LimitExceededException");
        assert_eq!(short("Throttling"), "Throttling");
    }
}
