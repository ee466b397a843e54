//! The memory that this process has taken.

/// Peak of the resident memory of this process, in bytes; `None` where the system does not say.
#[must_use]
pub fn peak_resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn what_was_touched_once_stays_in_the_peak() {
        let before = peak_resident().expect("Linux says it");
        let touched = vec![1u8; 64 << 20];
        let sum: u64 = touched.iter().step_by(4096).map(|byte| u64::from(*byte)).sum();
        assert_eq!(sum, (64 << 20) / 4096);
        drop(touched);
        let after = peak_resident().expect("Linux says it");
        assert!(after >= before && after >= 64 << 20, "{before} {after}");
    }
}
