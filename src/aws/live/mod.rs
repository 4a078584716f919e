//! The real AWS, by AWS's own SDK: the only modules that name an `aws_sdk` crate.

mod access;
mod appstream;
mod appstream_builders;
mod appstream_list;
mod appstream_read;
mod appstream_stacks;
mod appstream_write;
mod errors;
mod gamelift;
mod leave;
mod lightsail;
mod lightsail_access;
mod lightsail_read;
mod lightsail_translate;
mod lightsail_write;
mod place;
mod refused;
mod request;
pub(super) mod sts;
mod translate;
mod translate_builder;
mod translate_stack;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

pub use access::Access;
pub use appstream::AppStream;
pub use lightsail::Lightsail;
pub(super) use request::Way;

/// One HTTPS client for all services and Regions: the trusted roots are loaded once, and connections are kept in one pool.
/// Otherwise it is the SDK's default one, with the proxy that `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` name.
pub(super) fn https_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector =
            aws_smithy_http_client::ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.proxy_config(ProxyConfig::from_env()).build()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod access_tests;
#[cfg(test)]
mod builder_tests;
#[cfg(test)]
mod canned;
#[cfg(test)]
mod fleet_read_tests;
#[cfg(test)]
mod fleet_tests;
#[cfg(test)]
mod identity_tests;
#[cfg(test)]
mod stack_tests;
