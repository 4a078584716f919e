# The operator's image: the binary alone on a base without shell or package manager, as user 65532.
# `make image` builds it for this machine; each platform is built on a machine of its own kind (amd64, arm64), because
# the crypto library is C and a cross compiler for it is more to trust than a second machine.

FROM docker.io/library/rust:1.95-slim-bookworm AS build
WORKDIR /windlass

# The dependencies are a layer of their own: it is built again only when a manifest changes, and takes nearly all the time.
COPY Cargo.toml Cargo.lock ./
COPY simulator/Cargo.toml simulator/Cargo.toml
COPY testbed/Cargo.toml testbed/Cargo.toml
RUN mkdir -p src benches simulator/src testbed/src \
    && for main in src benches simulator/src testbed/src; do echo 'fn main() {}' > $main/main.rs; touch $main/lib.rs; done \
    && mv benches/main.rs benches/plan.rs \
    && cargo build --release --locked --package windlass --bin windlass \
    && rm -rf src target/release/windlass target/release/deps/*windlass-* target/release/.fingerprint/windlass-*

COPY build.rs build.rs
COPY src src
RUN cargo build --release --locked --package windlass --bin windlass

FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="windlass" \
      org.opencontainers.image.description="A Kubernetes operator for AWS AppStream 2.0, Lightsail and short-lived access grants" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/windlass-dev/windlass" \
      org.opencontainers.image.documentation="https://github.com/windlass-dev/windlass/blob/main/docs/install.md" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /windlass/target/release/windlass /usr/local/bin/windlass
# One heap for all threads: nothing here waits for memory, and each more of them keeps some for itself.
ENV MALLOC_ARENA_MAX=1
# As a number, so that the kubelet can see that it is not root.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/windlass"]
CMD ["run"]
