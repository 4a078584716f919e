//! Bad manifests are refused at apply, each with a sentence that says what is wrong, by a real API server; good ones are
//! taken and come back as they went.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bounds;
mod examples;
mod good;
mod rules;
mod updates;

use std::path::{Path, PathBuf};

use serde_json::Value;
use testbed::ControlPlane;
use tokio::sync::OnceCell;

/// An API server that serves the definitions in `crds/`, and a namespace of one's own in it.
struct Cluster {
    client: kube::Client,
    namespace: String,
    control_plane: &'static ControlPlane,
}

impl Cluster {
    async fn with(prefix: &str) -> Self {
        static DEFINITIONS: OnceCell<()> = OnceCell::const_new();
        let control_plane = ControlPlane::shared().await;
        DEFINITIONS.get_or_init(|| async { control_plane.apply_crds(folder("crds")).await.unwrap() }).await;
        let client = control_plane.admin_client().await;
        Self { client, namespace: control_plane.namespace(prefix).await, control_plane }
    }

    /// Creates the object, or only asks whether it could be.
    async fn create(&self, manifest: &Value, dry_run: bool) -> Result<Value, String> {
        let dry_run = if dry_run { "&dryRun=All" } else { "" };
        self.request("POST", &format!("{}?fieldValidation=Strict{dry_run}", self.path()), "application/json", manifest)
            .await
    }

    /// Asks whether the object `name` could be changed by this merge patch.
    async fn could_change(&self, name: &str, patch: &Value) -> Result<Value, String> {
        let path = format!("{}/{name}?fieldValidation=Strict&dryRun=All", self.path());
        self.request("PATCH", &path, "application/merge-patch+json", patch).await
    }

    /// Sends a request; a refusal is the API server's message.
    async fn request(&self, method: &str, path: &str, content: &str, body: &Value) -> Result<Value, String> {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content)
            .body(serde_json::to_vec(body).unwrap())
            .unwrap();
        match self.client.request::<Value>(request).await {
            Ok(answer) => Ok(answer),
            Err(kube::Error::Api(status)) => Err(status.message),
            Err(other) => panic!("{method} {path}: {other}"),
        }
    }

    fn path(&self) -> String {
        format!("/apis/appstream.windlass.dev/v1alpha1/namespaces/{}/fleets", self.namespace)
    }
}

/// A folder of this repository.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A manifest that is good: the smallest of its type, or one with every field that its type can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Good {
    Smallest,
    Full,
    MultiSession,
    Elastic,
}

impl Good {
    const ALL: [Self; 4] = [Self::Smallest, Self::Full, Self::MultiSession, Self::Elastic];

    /// The manifest, changed by a merge patch in YAML onto its spec.
    fn but(self, patch: &str) -> Value {
        let mut manifest: Value = serde_yaml::from_str(match self {
            Self::Smallest => SMALLEST,
            Self::Full => FULL,
            Self::MultiSession => MULTI_SESSION,
            Self::Elastic => ELASTIC,
        })
        .unwrap();
        let patch: Value = serde_yaml::from_str(patch).unwrap();
        merge(&mut manifest, &patch);
        manifest
    }
}

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = serde_json::json!({});
    }
    let target = target.as_object_mut().unwrap();
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

const SMALLEST: &str = "
apiVersion: appstream.windlass.dev/v1alpha1
kind: Fleet
metadata: {name: good}
spec: {instanceType: stream.standard.medium, imageName: windlass-demo-v1}
";

const FULL: &str = "
apiVersion: appstream.windlass.dev/v1alpha1
kind: Fleet
metadata: {name: good}
spec:
  name: Good_Fleet.1
  fleetType: ALWAYS_ON
  desiredState: Stopped
  account: production
  region: us-gov-west-1
  tags: {team: a, 'cost centre/é': 'x = y @ z:1+2-3', empty: ''}
  deletionPolicy: Retain
  adoptionPolicy: IfExists
  managementPolicy: Observe
  recreatePolicy: Never
  deletionProtection: true
  instanceType: stream.graphics.g4dn.xlarge
  imageArn: arn:aws:appstream:eu-central-1:123456789012:image/cad-2026
  computeCapacity: {desiredInstances: 0}
  vpcConfig: {subnetIds: [subnet-0a1b2c3d4e5f67890], securityGroupIds: [sg-0a1b2c3d]}
  maxUserDurationInSeconds: 57600
  disconnectTimeoutInSeconds: 900
  idleDisconnectTimeoutInSeconds: 70
  displayName: Bürö №1
  description: With every field
  enableDefaultInternetAccess: false
  domainJoinInfo: {directoryName: corp.example.com, organizationalUnitDistinguishedName: 'OU=Fleets,DC=corp,DC=example,DC=com'}
  iamRoleArn: arn:aws-us-gov:iam::123456789012:role/path/fleet
  streamView: DESKTOP
  platform: WINDOWS_SERVER_2022
  usbDeviceFilterStrings: ['Mass storage, 8, *, *, *, *, 1, 0', 'Wacom,3,*,*,1386,*,1,0']
  rootVolumeConfig: {volumeSizeInGb: 300}
  disableIMDSV1: true
  updateStrategy: {type: OnStop, whileRunning: Documented}
  disruption:
    policy: Never
    forceAfter: 1h30m
    drain: true
    windows:
    - {name: night, start: '0 22 * * SUN', duration: 2h, timeZone: Europe/Berlin}
    - {name: month-end, start: '*/5 0-6/2,23 L JAN-MAR,12 *', duration: 90s}
  powerSchedule:
  - {name: office, start: '0 8 * * mon-fri', stop: '30 18 * * 1-5', timeZone: America/Argentina/Buenos_Aires}
  - {name: market, start: '0 6 15W,31 1,7 *', stop: '0 20 * * 6#1,5L'}
";

const MULTI_SESSION: &str = "
apiVersion: appstream.windlass.dev/v1alpha1
kind: Fleet
metadata: {name: good}
spec:
  instanceType: stream.standard.large
  imageArn: arn:aws:appstream:eu-central-1::image/AppStream-WinServer2022-06-17-2024
  maxSessionsPerInstance: 5
  computeCapacity: {desiredSessions: 20}
";

const ELASTIC: &str = "
apiVersion: appstream.windlass.dev/v1alpha1
kind: Fleet
metadata: {name: good}
spec:
  fleetType: ELASTIC
  instanceType: stream.standard.small
  platform: AMAZON_LINUX2
  maxConcurrentSessions: 10
  vpcConfig: {subnetIds: [subnet-0a1b2c3d4e5f67890, subnet-0a1b2c3d4e5f67891]}
  sessionScriptS3Location: {s3Bucket: scripts.example, s3Key: fleet/start.zip}
  applicationArns: ['arn:aws:appstream:eu-central-1:123456789012:application/browser']
";
