//! A world over HTTP: AWS's services and the admin routes on one port.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{DefaultBodyLimit, State as Extract};
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use bytes::Bytes;
use http::request::Parts;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::admin;
use crate::in_process::half;
use crate::wire::{Reply, answer};
use crate::world::World;

/// Largest request body. AppStream's largest input (a stack with every URL pattern) stays far below.
const LARGEST_BODY: usize = 2 << 20;

/// Serves the world until the process ends or the future is dropped.
///
/// # Errors
/// The listener failed.
pub async fn serve(world: World, listener: TcpListener) -> io::Result<()> {
    let app = Router::new()
        .nest("/_sim", admin::routes())
        .fallback(aws)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(world);
    axum::serve(Cuttable(listener), app.into_make_service_with_connect_info::<Scissors>()).await
}

async fn aws(
    Extract(world): Extract<World>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    parts: Parts,
    body: Bytes,
) -> Response {
    match answer(&world, http::Request::from_parts(parts, body)).await {
        Reply::Answer(response) => response.map(Body::from),
        Reply::Cut => {
            scissors.cut();
            Response::new(Body::empty())
        }
        Reply::Half(response) => {
            let (mut parts, body) = response.into_parts();
            // The length of the whole body: the client notices that the rest never comes.
            parts.headers.insert(http::header::CONTENT_LENGTH, body.len().into());
            let first: Result<Bytes, io::Error> = Ok(half(&body));
            let broken = Err(io::Error::from(io::ErrorKind::ConnectionReset));
            Response::from_parts(parts, Body::from_stream(futures::stream::iter([first, broken])))
        }
    }
}

/// Cuts its connection before anything more is written to it.
#[derive(Clone, Debug)]
struct Scissors(Arc<AtomicBool>);

impl Scissors {
    fn cut(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Connected<IncomingStream<'_, Cuttable>> for Scissors {
    fn connect_info(stream: IncomingStream<'_, Cuttable>) -> Self {
        Self(stream.io().cut.clone())
    }
}

/// A listener whose connections can be cut.
struct Cuttable(TcpListener);

impl Listener for Cuttable {
    type Io = Line;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Answers are small and waited for.
        let _ = stream.set_nodelay(true);
        (Line { stream, cut: Arc::new(AtomicBool::new(false)) }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// One connection.
struct Line {
    stream: TcpStream,
    cut: Arc<AtomicBool>,
}

impl Line {
    fn whole(&self) -> io::Result<()> {
        if self.cut.load(Ordering::SeqCst) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.whole()?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.whole()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
