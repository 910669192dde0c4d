//! How much memory this process has held, as the operating system counts it.

use std::fs;

/// Starts counting the peak anew and returns the memory held now, in bytes; `None` where that cannot be known.
pub(crate) fn forget_peak() -> Option<u64> {
    fs::write("/proc/self/clear_refs", "5").ok()?;
    peak()
}

/// The most memory held at once since the last [`forget_peak`], in bytes.
pub(crate) fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?;
    Some(kib.trim().parse::<u64>().ok()? * 1024)
}
