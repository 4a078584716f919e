//! The memory of this process, which holds credentials while they are under way.

use std::io;

/// Closes it: from now on no core dump is written, and nobody but root attaches to the process or reads its memory. Where the
/// system has no such switch (other than Linux), nothing happens.
///
/// # Errors
/// When the system refuses it, or does not keep to it.
pub fn close() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, dumpable_behavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
        if dumpable_behavior()? != DumpableBehavior::NotDumpable {
            return Err(io::Error::other("it can be dumped all the same"));
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn once_closed_it_cannot_be_dumped() {
        use rustix::process::{DumpableBehavior, dumpable_behavior};
        super::close().unwrap();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
