//! Why an object may live nowhere: values, each with one sentence.

/// Why an object may live nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no Account object, and the operator needs one.
    #[error(
        "there is no Account object, and the operator runs with --require-account: an administrator must create one that allows this namespace"
    )]
    AccountRequired,
    /// The object names an Account that is not there.
    #[error("there is no Account `{0}`: nothing is done in AWS, and nothing is let go, until there is")]
    NoSuchAccount(String),
    /// The Account is there, and this version cannot read it.
    #[error("Account `{0}` cannot be read by this version of the operator")]
    Unreadable(String),
    /// The object names no Account, and none is the default.
    #[error(
        "this object names no account, and no Account is the default: set account to one that allows this namespace"
    )]
    NoDefault,
    /// The object names no Account, and several are the default.
    #[error(
        "this object names no account, and more than one Account says that it is the default: set account to one that allows this namespace"
    )]
    DefaultConflict,
    /// The Account does not allow the namespace.
    #[error("Account `{0}` does not allow namespace `{1}`")]
    Namespace(String, String),
    /// The Account does not allow the kind.
    #[error("Account `{0}` does not allow objects of kind {1}")]
    Kind(String, String),
    /// The Account does not allow what the object asks for.
    #[error("{0}")]
    Wish(String),
    /// The Account does not allow the Region.
    #[error("Account `{0}` does not allow Region {1}")]
    Region(String, String),
    /// Nobody says in which Region.
    #[error("no AWS Region is known: set `region`, or start the operator with --region or AWS_REGION")]
    NoRegion,
    /// The identity belongs to another AWS account than the Account expects.
    #[error(
        "the identity of Account `{account}` belongs to AWS account {is}, and expectedAccountId is {expected}: nothing is done there"
    )]
    Mismatch {
        /// The Account object.
        account: String,
        /// The AWS account that it leads to.
        is: String,
        /// The one that it should.
        expected: String,
    },
}
