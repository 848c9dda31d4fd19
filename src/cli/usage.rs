//! What this process has used of the machine, where the system tells (Linux).

use serde::Serialize;

/// Ticks a second of the times in `/proc`: 100 on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// What this process has used so far.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Usage {
    /// Seconds of all cores, system time included.
    pub cpu_seconds: f64,
    /// Most memory that was resident at once, in bytes.
    pub peak_memory: u64,
}

/// `None` where the system does not tell.
pub fn usage() -> Option<Usage> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let peak: u64 = peak.trim().strip_suffix("kB")?.trim().parse().ok()?;
    // The name, in parentheses, may hold anything; what follows it does not.
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(Usage { cpu_seconds: ticks / TICKS, peak_memory: peak * 1024 })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn this_process_has_used_something() {
        let usage = super::usage().unwrap();
        assert!(usage.peak_memory > 1 << 20 && usage.cpu_seconds >= 0.0);
    }
}
