//! The Rust SDK's HTTP client that reaches a world without a socket.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::BodyExt;

use crate::wire::{Reply, answer};
use crate::world::World;

/// Give it to an SDK's `Config::builder().http_client(…)`; any endpoint will do.
#[derive(Clone, Debug)]
pub struct InProcess {
    world: World,
}

impl InProcess {
    pub(crate) fn new(world: World) -> Self {
        Self { world }
    }

    async fn carry(world: World, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(ConnectorError::user)?.to_bytes();
        let response = match answer(&world, http::Request::from_parts(parts, body)).await {
            Reply::Answer(response) => response.map(SdkBody::from),
            Reply::Cut => return Err(cut()),
            Reply::Half(response) => response.map(|body| SdkBody::from(half(&body))),
        };
        HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
    }
}

/// The first half of a body.
pub(crate) fn half(body: &Bytes) -> Bytes {
    body.slice(..body.len() / 2)
}

fn cut() -> ConnectorError {
    let broken = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "connection reset before the answer");
    ConnectorError::io(broken.into())
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(Self::carry(self.world.clone(), request))
    }
}

impl HttpClient for InProcess {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
