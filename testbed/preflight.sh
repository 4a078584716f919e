#!/bin/sh
# Says at once what this machine lacks: one line with the name and the command that installs it, exit 1.
# Arguments: what to look for, out of rust, cc, go, lint, python, prometheus, ssh. Installs only what the system's or Rust's own package
# tool offers, and only as root on Debian (python, prometheus, ssh) or with rustup (lint).
set -eu
here=$(cd "$(dirname "$0")" && pwd)

missing() { # what, command
  echo "missing: $1. Install it with: $2" >&2
  exit 1
}

# Is version $1 at least $2? Compares the first two numbers.
at_least() {
  [ "$(printf '%s\n%s\n' "$2" "$1" | sort -t. -k1,1n -k2,2n | head -n 1)" = "$2" ]
}

apt_may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

need_rust() {
  advice="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
  command -v cargo >/dev/null && command -v rustc >/dev/null || missing "Rust (cargo, rustc)" "$advice"
  wanted=$(sed -n 's/^rust-version = "\([0-9.]*\)"$/\1/p' "$here/../Cargo.toml" | head -n 1)
  has=$(rustc --version | sed 's/^rustc \([0-9]*\.[0-9]*\).*/\1/')
  at_least "$has" "$wanted" || missing "Rust $wanted or later (here is $has)" "rustup update stable"
}

need_cc() {
  # Rust links with it, and the crypto library is C.
  command -v cc >/dev/null || missing "a C compiler (cc)" "apt-get install gcc libc6-dev   (macOS: xcode-select --install)"
}

need_go() {
  # Only for building the control plane: not needed when all of it is at hand.
  version=$(sed -n 's/^\tk8s.io\/kubernetes \(v[0-9.]*\)$/\1/p' "$here/control-plane/go.mod" | head -n 1)
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/windlass/control-plane/$version
  needed=no
  for program in etcd kube-apiserver kube-controller-manager kubectl; do
    [ -x "${KUBEBUILDER_ASSETS:-/nowhere}/$program" ] || [ -x "$cache/$program" ] || needed=yes
  done
  [ "$needed" = yes ] || return 0
  wanted=$(sed -n 's/^go \([0-9]*\.[0-9]*\).*/\1/p' "$here/control-plane/go.mod")
  PATH=$PATH:/usr/local/go/bin
  case $(uname -m) in aarch64 | arm64) machine=arm64 ;; *) machine=amd64 ;; esac
  system=$(uname -s | tr '[:upper:]' '[:lower:]')
  advice="curl -fsSL https://go.dev/dl/go$wanted.0.$system-$machine.tar.gz | sudo tar -C /usr/local -xz"
  command -v go >/dev/null || missing "Go $wanted or later (it builds the control plane)" "$advice"
  # Asked in the module's folder: an older Go fetches the toolchain that go.mod names, where it may.
  has=$(cd "$here/control-plane" && go env GOVERSION 2>/dev/null | sed 's/^go//') || has=
  [ -n "$has" ] || has=$(cd / && go version | sed 's/.*go\([0-9][0-9.]*\).*/\1/')
  at_least "$has" "$wanted" || missing "Go $wanted or later (here is $has)" "$advice"
}

need_lint() {
  command -v clippy-driver >/dev/null && clippy-driver --version >/dev/null 2>&1 && cargo fmt --version >/dev/null 2>&1 && return 0
  command -v rustup >/dev/null || missing "clippy and rustfmt" "your Rust distribution's packages, or rustup"
  echo "installing clippy and rustfmt with rustup"
  rustup component add clippy rustfmt || missing "clippy and rustfmt" "rustup component add clippy rustfmt"
}

need_python() {
  python3 -c 'import venv, ensurepip' 2>/dev/null && return 0
  if apt_may_install; then
    echo "installing python3-venv with apt-get"
    apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3 python3-venv >/dev/null || true
    python3 -c 'import venv, ensurepip' 2>/dev/null && return 0
  fi
  missing "Python 3 with its venv module (the simulator is tested with botocore)" "apt-get install python3 python3-venv"
}

need_prometheus() {
  command -v prometheus >/dev/null && command -v promtool >/dev/null && return 0
  if apt_may_install; then
    echo "installing prometheus with apt-get"
    # Without the exporter that it recommends; RUNLEVEL=1: the package does not start a service of its own.
    apt-get update -qq >/dev/null && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus >/dev/null || true
    command -v prometheus >/dev/null && command -v promtool >/dev/null && return 0
  fi
  missing "prometheus and promtool (the chart's dashboards and alerts are run by a real one)" "apt-get install prometheus   (or https://prometheus.io/download/)"
}

need_ssh() {
  # Tests log in to a real sshd, which Debian keeps outside of users' paths.
  has_ssh() { command -v ssh >/dev/null && PATH=$PATH:/usr/sbin:/usr/local/sbin command -v sshd >/dev/null; }
  has_ssh && return 0
  if apt_may_install; then
    echo "installing openssh-server and openssh-client with apt-get (no server is started)"
    # Debian starts the server of a package that it installs, unless this file says no.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
      printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
      trap 'rm -f "$policy"' EXIT
    fi
    apt-get update -qq >/dev/null &&
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends openssh-server openssh-client >/dev/null || true
    has_ssh && return 0
  fi
  missing "OpenSSH's ssh and sshd (grants are tested by logging in)" "apt-get install openssh-client openssh-server"
}

for item in "$@"; do
  case $item in
    rust | cc | go | lint | python | prometheus | ssh) "need_$item" ;;
    *) echo "preflight: unknown item $item" >&2; exit 2 ;;
  esac
done
