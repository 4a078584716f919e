//! Clients for the API server whose every request ends.
//!
//! kube's own client repeats a request up to 16 times over six minutes when the server answers 429, 503 or 504, a POST
//! too, and waits for an answer for ever. Both are turned off here: repeating is the engine's business, because a repeated
//! write must look again first.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{HeaderValue, USER_AGENT};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use k8s_openapi::api::core::v1::Namespace;
use kube::client::{Body, ClientBuilder, DynBody};
use kube::config::InferConfigError;
use kube::{Api, Client, Config};
use tower::{BoxError, Layer, Service};

/// The clients, one connection pool each, so that none waits for another's connections.
#[derive(Clone)]
pub struct Clients {
    /// For lists and watches.
    pub watches: Client,
    /// For everything else.
    pub requests: Client,
    /// For the lease alone.
    pub lease: Client,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Neither a kubeconfig nor a service account was found.
    #[error("looking for the API server: {0}")]
    Config(#[source] Box<InferConfigError>),
    /// What was found is of no use.
    #[error("preparing a client for the API server: {0}")]
    Build(#[source] Box<kube::Error>),
}

/// Why the cluster has no id.
#[derive(Debug, thiserror::Error)]
pub enum ClusterIdError {
    /// The API server did not tell.
    #[error("reading the namespace kube-system for its uid: {0}")]
    Read(#[source] Box<kube::Error>),
    /// It has none, which no API server does.
    #[error("the namespace kube-system has no uid")]
    NoUid,
}

/// An API server within reach answers a handshake in milliseconds; after 5 s it will not.
const CONNECT: Duration = Duration::from_secs(5);
/// An ordinary request, from sending to the last byte of the answer.
const REQUEST: Duration = Duration::from_secs(10);
/// A page of a list (500 objects), and the head of a watch; the watch itself stays open, and kube-runtime closes it when
/// nothing came for 295 s.
const LIST: Duration = Duration::from_secs(30);
/// A lease request: two fit into the default renew deadline of 10 s.
const LEASE: Duration = Duration::from_secs(5);

impl Clients {
    /// Clients for the cluster of `$KUBECONFIG` or `~/.kube/config`, else of the pod's service account.
    ///
    /// # Errors
    /// When there is neither, or its certificates or credentials make no sense. The API server is not asked.
    pub async fn infer() -> Result<Self, ClientError> {
        let config = Config::infer().await.map_err(|error| ClientError::Config(Box::new(error)))?;
        Self::of(&config)
    }

    /// Clients for this cluster.
    ///
    /// # Errors
    /// When its certificates or credentials make no sense.
    pub fn of(config: &Config) -> Result<Self, ClientError> {
        Ok(Self { watches: for_watches(config)?, requests: for_requests(config)?, lease: for_lease(config)? })
    }
}

/// A client for lists and watches: answers end after 30 s, but those of a watch.
///
/// # Errors
/// When the certificates or credentials make no sense.
pub fn for_watches(config: &Config) -> Result<Client, ClientError> {
    client(config, Deadline { answer: LIST, watches: true })
}

/// A client for ordinary requests, which end after 10 s.
///
/// # Errors
/// When the certificates or credentials make no sense.
pub fn for_requests(config: &Config) -> Result<Client, ClientError> {
    client(config, Deadline { answer: REQUEST, watches: false })
}

/// A client for the lease, whose requests end after 5 s.
///
/// # Errors
/// When the certificates or credentials make no sense.
pub fn for_lease(config: &Config) -> Result<Client, ClientError> {
    client(config, Deadline { answer: LEASE, watches: false })
}

/// The uid of the namespace `kube-system`, which lives as long as the cluster.
///
/// # Errors
/// When it cannot be read.
pub async fn cluster_id(client: &Client) -> Result<String, ClusterIdError> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = namespaces.get("kube-system").await.map_err(|error| ClusterIdError::Read(Box::new(error)))?;
    namespace.metadata.uid.ok_or(ClusterIdError::NoUid)
}

fn client(config: &Config, deadline: Deadline) -> Result<Client, ClientError> {
    let mut config = config.clone();
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    // Reads are bounded by the deadline of the whole answer: a read timeout would also close the idle connections of the
    // pool, and every resync would begin with TLS handshakes.
    config.read_timeout = None;
    config.write_timeout = Some(REQUEST);
    // kube takes HTTPS_PROXY for every server; one on this machine is never behind a proxy.
    if config.cluster_url.host().is_some_and(loopback) {
        config.proxy_url = None;
    }
    config.headers.push((USER_AGENT, HeaderValue::from_static(concat!("windlass/", env!("CARGO_PKG_VERSION")))));
    let builder = ClientBuilder::try_from(config).map_err(|error| ClientError::Build(Box::new(error)))?;
    Ok(builder.with_layer(&deadline).build())
}

fn loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// A deadline for whole answers: head and body.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    answer: Duration,
    /// Whether only the head of a watch's answer has the deadline.
    watches: bool,
}

/// No answer came in time. What was asked may have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the API server did not answer within {0:?}")]
pub struct NoAnswer(pub Duration);

impl<S> Layer<S> for Deadline {
    type Service = Timed<S>;
    fn layer(&self, inner: S) -> Timed<S> {
        Timed { inner, deadline: *self }
    }
}

/// A service whose answers have a [`Deadline`].
struct Timed<S> {
    inner: S,
    deadline: Deadline,
}

type Answer = Response<Box<DynBody>>;

impl<S> Service<Request<Body>> for Timed<S>
where
    S: Service<Request<Body>, Response = Answer, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Answer;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Deadline { answer: bound, watches } = self.deadline;
        let open_ended = watches && asks_for_watch(&request);
        let answer = self.inner.call(request);
        let whole = async move {
            let answer = answer.await?;
            if open_ended {
                return Ok(answer);
            }
            // Nothing is lost by collecting: kube collects every answer but a watch's before it reads it.
            let (head, body) = answer.into_parts();
            let bytes = body.collect().await?.to_bytes();
            let body: Box<DynBody> = Box::new(Full::new(bytes).map_err(|never| match never {}));
            Ok(Response::from_parts(head, body))
        };
        Box::pin(async move {
            match tokio::time::timeout(bound, whole).await {
                Ok(answer) => answer,
                Err(_elapsed) => Err(NoAnswer(bound).into()),
            }
        })
    }
}

fn asks_for_watch(request: &Request<Body>) -> bool {
    request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true" || pair == "watch=1"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::TryStreamExt;
    use kube::api::{ListParams, WatchParams};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that answers every request with the same bytes, says nothing more and keeps the connection open.
    async fn server(answer: &'static str) -> (Config, Arc<AtomicUsize>, tokio::sync::mpsc::UnboundedReceiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = Config::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let (heard, hearing) = tokio::sync::mpsc::unbounded_channel();
        let count = requests.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (count, heard) = (count.clone(), heard.clone());
                tokio::spawn(async move {
                    let mut head = vec![0; 4096];
                    while let Ok(read @ 1..) = stream.read(&mut head).await {
                        count.fetch_add(1, Ordering::SeqCst);
                        drop(heard.send(String::from_utf8_lossy(&head[..read]).into_owned()));
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        (config, requests, hearing)
    }

    const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
    const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"kind\":";
    const WATCH: &str = concat!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
        "4f\r\n{\"type\":\"ADDED\",\"object\":{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{}}}\n\r\n"
    );

    fn timed_out(error: &kube::Error) -> Option<NoAnswer> {
        match error {
            kube::Error::Service(source) => source.downcast_ref().copied(),
            _ => None,
        }
    }

    #[tokio::test]
    async fn a_busy_server_is_asked_once() {
        let (config, requests, _) = server(BUSY).await;
        let refusal = cluster_id(&for_requests(&config).unwrap()).await;
        assert!(matches!(refusal, Err(ClusterIdError::Read(_))));
        assert_eq!(requests.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_request_names_the_program_and_its_version() {
        let (config, _, mut hearing) = server(BUSY).await;
        drop(cluster_id(&for_requests(&config).unwrap()).await);
        let heard = hearing.recv().await.unwrap();
        assert!(heard.contains(concat!("user-agent: windlass/", env!("CARGO_PKG_VERSION"))), "{heard}");
    }

    #[tokio::test]
    async fn an_answer_that_stops_in_the_middle_ends_by_the_deadline() {
        for (answer, what) in [("", "no head"), (HALF, "half a body")] {
            let (config, _, mut hearing) = server(answer).await;
            for (client, bound) in
                [(for_requests(&config), REQUEST), (for_lease(&config), LEASE), (for_watches(&config), LIST)]
            {
                let namespaces: Api<Namespace> = Api::all(client.unwrap());
                let asked = tokio::spawn(async move { namespaces.list(&ListParams::default()).await });
                hearing.recv().await.unwrap();
                tokio::time::pause();
                let error = asked.await.unwrap().unwrap_err();
                tokio::time::resume();
                assert_eq!(timed_out(&error), Some(NoAnswer(bound)), "{what}: {error}");
            }
        }
    }

    #[tokio::test]
    async fn a_watch_stays_open_past_every_deadline() {
        let (config, _, _) = server(WATCH).await;
        let namespaces: Api<Namespace> = Api::all(for_watches(&config).unwrap());
        let mut events = Box::pin(namespaces.watch(&WatchParams::default(), "0").await.unwrap());
        assert!(events.try_next().await.unwrap().is_some());
        tokio::time::pause();
        let more = tokio::time::timeout(LIST * 4, events.try_next()).await;
        assert!(more.is_err(), "the watch ended: {more:?}");
    }

    #[tokio::test]
    async fn a_cluster_is_known_by_the_uid_of_kube_system() {
        const NAMESPACE: &str = concat!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 101\r\n\r\n",
            "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"kube-system\",\"uid\":\"0a1b\"},",
            "\"spec\":{},\"x\":1}"
        );
        let (config, _, _) = server(NAMESPACE).await;
        assert_eq!(cluster_id(&for_requests(&config).unwrap()).await.unwrap(), "0a1b");
    }
}
