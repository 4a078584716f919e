//! What the SDK's clients share here: one identity, one try, one Region.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use simulator::{World, credentials};

/// For a world in this process.
pub fn in_process(world: &World, patience: Duration) -> SdkConfig {
    config(patience).into_builder().http_client(world.http_client()).build()
}

/// For a world that is served on a port of its own.
pub async fn over_http(world: &World, patience: Duration) -> SdkConfig {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(simulator::serve(world.clone(), listener));
    config(patience).into_builder().endpoint_url(url).build()
}

/// `Ok`, or AWS's code and words.
pub fn code<T, E: ProvideErrorMetadata, R>(result: Result<T, SdkError<E, R>>) -> String {
    match result {
        Ok(_) => "Ok".to_owned(),
        Err(error) => format!("{}: {}", error.code().unwrap_or("none"), error.message().unwrap_or("none")),
    }
}

fn config(patience: Duration) -> SdkConfig {
    let (id, secret) = credentials("123456789012");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(id, secret, None, None, "test")))
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(patience).build())
        .build()
}
