//! Where and by what a run was made.

use store::Env;

/// This process and machine. `device`: where passes ran, for people.
pub(crate) fn here(device: &str) -> Env {
    Env {
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        git_commit: option_env!("VERNIER_GIT_COMMIT").map(ToOwned::to_owned),
        target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        device: device.to_owned(),
        cpu: cpu_name(),
        threads: rayon::current_num_threads() as u32,
        features: [
            ("download", cfg!(feature = "download")),
            ("wgpu", cfg!(feature = "wgpu")),
        ]
        .into_iter()
        .filter(|(_, compiled)| *compiled)
        .map(|(name, _)| name.to_owned())
        .collect(),
    }
}

fn cpu_name() -> String {
    let info = fs_err::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = info.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(':'))
        .map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned())
}

/// Highest resident set of this process so far, where the system tells it.
pub(crate) fn peak_rss() -> Option<u64> {
    let status = fs_err::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}
