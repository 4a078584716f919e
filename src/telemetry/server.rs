//! The HTTP server for /metrics, /livez and /readyz.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

use super::{Heartbeat, Metrics, Readiness};

/// What the server tells.
#[derive(Clone)]
pub struct Answers {
    /// /metrics
    pub metrics: Metrics,
    /// /readyz
    pub readiness: Readiness,
    /// /livez
    pub heartbeat: Heartbeat,
}

/// A server that holds its port and does not serve yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

/// The port cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("listening on {address}: {source}")]
pub struct ListenError {
    address: SocketAddr,
    source: io::Error,
}

/// How long one connection may last, one request and its answer: a kubelet probe waits 1 s by default and a Prometheus
/// scrape 10 s, so nobody waits for longer.
const CONNECTION: Duration = Duration::from_secs(10);
/// How many connections are served at once: a kubelet, a few scrapers and a person; the rest waits for its turn.
const CONNECTIONS: usize = 32;

impl Server {
    /// Takes the port, so that a taken one fails the start and not the first probe.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn bind(address: SocketAddr) -> Result<Self, ListenError> {
        let failed = |source| ListenError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it listens: the real port when 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`; connections that are open then end by their own deadline (10 s).
    ///
    /// # Errors
    /// When the listener fails for good.
    pub async fn serve(self, answers: Answers, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let routes = Router::new()
            .route("/metrics", get(metrics))
            .route("/livez", get(livez))
            .route("/readyz", get(readyz))
            .fallback(async || {
                plain(StatusCode::NOT_FOUND, "/metrics, /livez and /readyz are served here\n".to_owned())
            })
            .with_state(answers);
        let listener = Bounded { listener: self.listener, free: Arc::new(Semaphore::new(CONNECTIONS)) };
        axum::serve(listener, routes).with_graceful_shutdown(stop).await
    }
}

async fn metrics(State(answers): State<Answers>) -> Response {
    match answers.metrics.text() {
        // The content type of Prometheus's text format, version 0.0.4.
        Ok(text) => answer(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text),
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("encoding metrics: {error}\n")),
    }
}

async fn livez(State(answers): State<Answers>) -> Response {
    let stuck = answers.heartbeat.stuck();
    if stuck.is_empty() {
        plain(StatusCode::OK, "ok\n".to_owned())
    } else {
        let said: String = stuck.iter().map(|stuck| format!("{stuck}\n")).collect();
        plain(StatusCode::SERVICE_UNAVAILABLE, said)
    }
}

async fn readyz(State(answers): State<Answers>) -> Response {
    let missing = answers.readiness.missing();
    if missing.is_empty() {
        plain(StatusCode::OK, "ok\n".to_owned())
    } else {
        plain(StatusCode::SERVICE_UNAVAILABLE, format!("not ready\n{}\n", missing.join("\n")))
    }
}

fn plain(status: StatusCode, body: String) -> Response {
    answer(status, "text/plain; charset=utf-8", body)
}

/// Closes the connection behind each answer: see [`CONNECTION`].
fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, content_type), (header::CONNECTION, "close")], body).into_response()
}

/// A listener whose connections are few and short: axum's own server has no deadline for a client that says nothing.
struct Bounded {
    listener: TcpListener,
    free: Arc<Semaphore>,
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // The semaphore is never closed; if it were, serving without a bound is better than not serving.
        let permit = self.free.clone().acquire_owned().await.ok();
        let (stream, from) = Listener::accept(&mut self.listener).await;
        (Connection { stream, deadline: Box::pin(tokio::time::sleep(CONNECTION)), _permit: permit }, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that fails when its time is up.
struct Connection {
    stream: TcpStream,
    deadline: Pin<Box<Sleep>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Connection {
    fn in_time(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.in_time(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.in_time(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.in_time(context)?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.in_time(context)?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    use super::*;
    use crate::telemetry::probes::{Part, Stuck};

    struct Running {
        address: SocketAddr,
        answers: Answers,
        stop: oneshot::Sender<()>,
        served: tokio::task::JoinHandle<io::Result<()>>,
    }

    async fn serve() -> Running {
        let answers = Answers {
            metrics: Metrics::new(false).unwrap(),
            readiness: Readiness::new(["fleets"]),
            heartbeat: Heartbeat::default(),
        };
        let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = server.address();
        let (stop, stopped) = oneshot::channel();
        let told = answers.clone();
        let served = tokio::spawn(server.serve(told, async move { drop(stopped.await) }));
        Running { address, answers, stop, served }
    }

    /// The status and the body.
    async fn ask(address: SocketAddr, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: windlass\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        // Ends because the server closes.
        stream.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    #[tokio::test]
    async fn readyz_names_what_is_missing_until_it_is_there() {
        let running = serve().await;
        assert_eq!(ask(running.address, "/readyz").await, (503, "not ready\nfleets: not yet\n".to_owned()));
        running.answers.readiness.open("fleets");
        assert_eq!(ask(running.address, "/readyz").await, (200, "ok\n".to_owned()));
    }

    #[tokio::test]
    async fn livez_fails_while_something_is_stuck() {
        let running = serve().await;
        assert_eq!(ask(running.address, "/livez").await, (200, "ok\n".to_owned()));
        let stands = Arc::new(AtomicBool::new(true));
        let told = Arc::clone(&stands);
        let stuck = Stuck { of: "engine", part: Part::Loop, since: Duration::from_secs(61) };
        running.answers.heartbeat.ask(move || told.load(Ordering::SeqCst).then_some(stuck));
        let (status, body) = ask(running.address, "/livez").await;
        assert_eq!((status, body.as_str()), (503, "the loop of engine has not turned for 61 s\n"));
        stands.store(false, Ordering::SeqCst);
        assert_eq!(ask(running.address, "/livez").await.0, 200);
    }

    #[tokio::test]
    async fn metrics_are_served_and_nothing_else_is() {
        let running = serve().await;
        let (status, body) = ask(running.address, "/metrics").await;
        assert_eq!(status, 200);
        let build = format!("windlass_build_info{{version=\"{}\"}} 1\n", env!("CARGO_PKG_VERSION"));
        assert!(body.contains(&build), "{body}");
        assert!(body.contains("process_resident_memory_bytes "), "{body}");
        assert_eq!(ask(running.address, "/").await.0, 404);
    }

    #[tokio::test]
    async fn a_taken_port_is_an_error_that_names_it() {
        let running = serve().await;
        let refusal = Server::bind(running.address).await.unwrap_err().to_string();
        assert!(refusal.starts_with(&format!("listening on {}: ", running.address)), "{refusal}");
    }

    #[tokio::test]
    async fn a_client_that_says_nothing_is_cut_off() {
        let running = serve().await;
        let mut silent = TcpStream::connect(running.address).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        tokio::time::pause();
        let mut nothing = Vec::new();
        let cut = tokio::time::timeout(CONNECTION * 2, silent.read_to_end(&mut nothing)).await;
        assert!(cut.is_ok(), "the connection stayed open");
        assert_eq!(nothing, b"");
    }

    #[tokio::test]
    async fn serving_ends_when_it_is_told_to() {
        let running = serve().await;
        running.stop.send(()).unwrap();
        assert!(running.served.await.unwrap().is_ok());
        assert!(TcpStream::connect(running.address).await.is_err());
    }
}
