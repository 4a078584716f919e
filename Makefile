# Every target works on a fresh clone: what is missing is built, installed when we may, or named in one line.
# All builds share one target folder and one feature set (--workspace), so that no crate is compiled twice.

.DEFAULT_GOAL := help
.PHONY: help demo test test-install test-gitops e2e bench lint crds charts docs image control-plane build preflight preflight-ssh preflight-tests

# --locked in CI: a build must not change Cargo.lock there.
CARGO_FLAGS ?=
TARGET := $(or $(CARGO_TARGET_DIR),target)
BOTOCORE := simulator/tests/botocore
# Where the API servers of a whole run of the tests keep their audit logs.
AUDIT := $(abspath $(TARGET))/audit

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: preflight-ssh build ## Watch fleets live on a real API server and a simulated AWS (KEEP=1 leaves it running)
	$(TARGET)/debug/testbed demo

test: preflight-tests control-plane .venv/.installed ## Run every test: Rust, then botocore and the aws CLI against the simulator
	rm -rf $(AUDIT) && mkdir -p $(AUDIT)
	WINDLASS_AUDIT=$(AUDIT) cargo test $(CARGO_FLAGS) --workspace --no-fail-fast
	WINDLASS_AUDIT=$(AUDIT) cargo test $(CARGO_FLAGS) --workspace --test charts -- --ignored the_whole_suite
	rm -rf $(AUDIT)
	WINDLASS_SIMULATOR=$(abspath $(TARGET))/debug/windlass-simulator .venv/bin/pytest -q $(BOTOCORE)
	.venv/bin/pytest -q deploy/argocd

test-install: build control-plane ## Install the charts with Helm 3 and 4 on a real API server (builds Helm at first: about 4 minutes)
	cargo test $(CARGO_FLAGS) --workspace --test install -- --ignored --test-threads=3

test-gitops: build control-plane ## Have Flux's own controllers reconcile examples/ from Git (builds Flux at first, which takes long; not in CI)
	cargo test $(CARGO_FLAGS) --workspace --test gitops -- --ignored

e2e: build ## Play on the real nodes of KUBECONFIG: install, fail over, upgrade, uninstall (its settings: tests/e2e/run)
	tests/e2e/run

bench: preflight ## Measure the release build: prints its tables (BENCH_N=2000 adds a size, BENCH_WRITE=1 writes docs/performance.md)
	cargo build $(CARGO_FLAGS) --workspace --bins --release
	cargo bench $(CARGO_FLAGS) --workspace --bench plan
	$(TARGET)/release/testbed bench

# clippy-driver as the compiler of our own crates only: `cargo clippy` would check all dependencies a second time.
lint: preflight ## Check format, clippy with warnings denied, and the dependency rules
	cargo fmt --all --check
	RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=-Dwarnings cargo build $(CARGO_FLAGS) --workspace --all-targets
	@if cargo tree --workspace --edges normal,build --prefix none | grep -E '^(ring|openssl|openssl-sys|native-tls|rsa) v'; \
	then echo "lint: the crates above are a second TLS or crypto backend; deny.toml says why not" >&2; exit 1; fi
	@if command -v cargo-deny >/dev/null; then cargo deny check bans licenses sources; \
	else echo "lint: cargo-deny is not installed, so licenses and sources are left to CI (cargo install cargo-deny)"; fi

crds: build ## Write crds/, and the chart's copy of it, from the types
	$(TARGET)/debug/windlass crds --dir crds
	$(TARGET)/debug/windlass crds --dir charts/windlass-crds/files

charts: build ## Write the chart's README, the golden files of what Helm renders, and the scripts for Argo CD
	python3 deploy/argocd/generate.py
	WINDLASS_WRITE=1 cargo test $(CARGO_FLAGS) --workspace --test install -- --ignored render_the_golden
	WINDLASS_WRITE=1 cargo test $(CARGO_FLAGS) --workspace --test charts made_from_the_values

docs: build ## Write docs/metrics.md and the reasons in docs/troubleshooting.md from the code
	WINDLASS_WRITE=1 cargo test $(CARGO_FLAGS) --workspace --test telemetry pages

# CONTAINER builds it: docker, podman or buildah.
CONTAINER ?= docker
IMAGE ?= ghcr.io/windlass-dev/windlass:$(VERSION)
VERSION := $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' Cargo.toml | head -n 1)

image: ## Build the operator's image for this machine's platform (CONTAINER=docker|podman|buildah, IMAGE=name:tag)
	$(CONTAINER) build --tag $(IMAGE) --build-arg VERSION=$(VERSION) --build-arg REVISION=$(shell git rev-parse HEAD) .

control-plane: build ## Build etcd, kube-apiserver, kube-controller-manager and kubectl into the cache, if they are not there
	@$(TARGET)/debug/testbed control-plane

build: preflight
	cargo build $(CARGO_FLAGS) --workspace

preflight:
	@testbed/preflight.sh rust cc go

preflight-ssh:
	@testbed/preflight.sh ssh

preflight-tests: preflight-ssh
	@testbed/preflight.sh python prometheus

.venv/.installed: $(BOTOCORE)/requirements.txt deploy/argocd/requirements.txt
	python3 -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check $(addprefix -r ,$^)
	touch $@
