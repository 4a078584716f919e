//! An AWS of canned replies for tests: the real SDK on one side, a function on the other.

#![allow(clippy::unwrap_used)]

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use ciborium::Value;
use tokio::time::Instant;

use super::AppStream;
use crate::api::fleet::{FleetSettings, FleetType};
use crate::api::{Common, Fleet, FleetSpec};
use crate::aws::Leave;
use crate::aws::accounts::Accounts;
use crate::aws::batch::lock;
use crate::aws::gate::{Gate, Limits, Unobserved};
use crate::plan::{Allow, Scope};

/// What the canned AWS does with a request.
pub(super) enum Answer {
    /// A CBOR body.
    Cbor(u16, Value),
    /// Any body.
    Raw(u16, Vec<u8>),
    /// No answer, ever.
    Hang,
    /// No connection.
    Refuse,
}

/// One request as it came over the wire.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asked {
    pub operation: String,
    pub input: Value,
}

type Reply = dyn Fn(&Asked) -> Answer + Send + Sync;

/// The canned AWS, and what it was asked.
#[derive(Clone)]
pub(super) struct Canned {
    reply: Arc<Reply>,
    pub asked: Arc<Mutex<Vec<Asked>>>,
}

impl fmt::Debug for Canned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Canned")
    }
}

impl Canned {
    pub fn new(reply: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self { reply: Arc::new(reply), asked: Arc::default() }
    }

    /// Forgets what it was asked, and tells it.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *lock(&self.asked))
    }

    pub fn operations(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.operation).collect()
    }

    fn http(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }
}

impl HttpConnector for Canned {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        // The JSON protocol names the operation in a header.
        let target = request.headers().get("x-amz-target").and_then(|target| target.rsplit('.').next());
        let json = target.is_some();
        let operation = target.unwrap_or_else(|| request.uri().rsplit('/').next().unwrap()).to_owned();
        let body = request.body().bytes().unwrap();
        let input = match body {
            body if json => Value::Text(String::from_utf8(body.to_vec()).unwrap()),
            [] => Value::Map(Vec::new()),
            // STS speaks the query protocol; its tests need no input.
            _ if operation.is_empty() => Value::Null,
            body => ciborium::from_reader(body).unwrap(),
        };
        let asked = Asked { operation, input };
        lock(&self.asked).push(asked.clone());
        let (status, body, content_type) = match (self.reply)(&asked) {
            Answer::Hang => return HttpConnectorFuture::new(std::future::pending()),
            Answer::Refuse => {
                return HttpConnectorFuture::ready(Err(ConnectorError::io("connection refused".into())));
            }
            Answer::Raw(status, body) => (status, body, "text/plain"),
            Answer::Cbor(status, value) => {
                let mut body = Vec::new();
                ciborium::into_writer(&value, &mut body).unwrap();
                (status, body, "application/cbor")
            }
        };
        let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
        response.headers_mut().insert("content-type", content_type);
        response.headers_mut().insert("smithy-protocol", "rpc-v2-cbor");
        response.headers_mut().insert("x-amzn-requestid", "request-1");
        HttpConnectorFuture::ready(Ok(response))
    }
}

/// A clock that follows tokio's, from a day on which the test credentials are valid.
#[derive(Debug)]
pub(super) struct TokioTime(Instant);

impl TimeSource for TokioTime {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(START) + self.0.elapsed()
    }
}

/// When a test begins, in seconds since 1970.
const START: u64 = 1_800_000_000;

/// When a test begins.
pub(super) fn start() -> jiff::Timestamp {
    jiff::Timestamp::from_second(START.try_into().unwrap()).unwrap()
}

/// A lease that is held, or not.
pub(super) struct Lease(pub bool);

impl Leave for Lease {
    fn granted(&self) -> bool {
        self.0
    }
}

pub(super) fn credentials() -> Credentials {
    Credentials::from_keys("AKIDTEST", "secret-canary", None)
}

pub(super) fn accounts(aws: &Canned, credentials: impl ProvideCredentials + 'static) -> Accounts {
    Accounts::in_process(
        "cluster-1".to_owned(),
        "eu-central-1".parse().unwrap(),
        Arc::new(Gate::new(Limits::default(), Arc::new(Unobserved))),
        aws.http(),
        SharedTimeSource::new(TokioTime(Instant::now())),
        SharedAsyncSleep::new(TokioSleep::new()),
        credentials,
    )
}

pub(super) fn appstream(aws: &Canned, lease: bool) -> AppStream {
    AppStream::new(Arc::new(accounts(aws, credentials())), Arc::new(Lease(lease)))
}

pub(super) fn scope() -> Scope {
    Scope {
        cluster: "cluster-1".to_owned(),
        account: "111122223333".to_owned(),
        partition: "aws".to_owned(),
        region: "eu-central-1".parse().unwrap(),
        allow: Allow::default(),
        identity: Default::default(),
    }
}

pub(super) fn fleet_object(name: &str) -> Fleet {
    Fleet::new(
        name,
        FleetSpec {
            name: None,
            fleet_type: FleetType::OnDemand,
            desired_state: Default::default(),
            settings: FleetSettings { image_name: Some("image-1".parse().unwrap()), ..FleetSettings::default() },
            common: Common::default(),
            update_strategy: None,
            disruption: None,
            power_schedule: None,
            application_arns: None,
        },
    )
}

/// A CBOR map with text keys.
pub(super) fn map<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Map(members.into_iter().map(|(key, value)| (Value::from(key), value)).collect())
}

pub(super) fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(items.into_iter().collect())
}

/// A member of a CBOR map.
pub(super) fn member<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.as_map()?.iter().find(|(name, _)| name.as_text() == Some(key)).map(|(_, value)| value)
}

/// A coded error as AppStream sends it.
pub(super) fn error(status: u16, code: &str, message: &str) -> Answer {
    Answer::Cbor(status, map([("__type", code.into()), ("Message", message.into())]))
}

/// What DescribeFleets says of a fleet of this name and nothing else.
pub(super) fn plain_fleet(name: &str) -> Value {
    map([
        ("Name", name.into()),
        ("Arn", arn(name).into()),
        ("InstanceType", "stream.standard.medium".into()),
        ("State", "STOPPED".into()),
        ("ComputeCapacityStatus", map([("Desired", 1.into())])),
    ])
}

pub(super) fn arn(name: &str) -> String {
    format!("arn:aws:appstream:eu-central-1:111122223333:fleet/{name}")
}
