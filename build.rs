//! What the linker is told about release builds.

use std::env;

/// `-z pack-relative-relocs`: the addresses that the dynamic loader fills in at the start are listed in a few kB (`.relr.dyn`)
/// instead of 24 bytes each (`.rela.dyn`), which stay in memory once read. glibc knows the short form since 2.36, which is
/// what the image has; a linker that does not know it leaves the long one.
const PACKED: &str = "-Wl,-z,pack-relative-relocs";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let says = |key: &str| env::var(key).unwrap_or_default();
    let glibc = says("CARGO_CFG_TARGET_OS") == "linux" && says("CARGO_CFG_TARGET_ENV") == "gnu";
    if says("PROFILE") == "release" && glibc {
        println!("cargo::rustc-link-arg-bins={PACKED}");
    }
}
