//! The run-time sizes and the machine that a report assumes.

use std::fmt;

use crate::program::cost::Cost;

/// What a machine can do at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Machine {
    /// Processor cores.
    pub cores: f64,
    /// 10⁹ floating-point operations a second of one core, in f32.
    pub gflops: f64,
    /// 10⁹ bytes a second between the processor and its memory.
    pub gbs: f64,
}

impl Default for Machine {
    /// One core with AVX-512 at 2.5 GHz, two fused multiply-adds of 16 lanes a cycle, and 24 GB/s of memory.
    fn default() -> Machine {
        Machine { cores: 1.0, gflops: 160.0, gbs: 24.0 }
    }
}

impl Machine {
    /// The least time in seconds: of the operations or of the bytes, whichever takes longer (the roofline).
    pub fn seconds(&self, cost: &Cost) -> f64 {
        self.compute_seconds(cost).max(self.memory_seconds(cost))
    }

    /// Whether the operations take longer than the bytes.
    pub fn is_compute_bound(&self, cost: &Cost) -> bool {
        self.compute_seconds(cost) >= self.memory_seconds(cost)
    }

    fn compute_seconds(&self, cost: &Cost) -> f64 {
        cost.flops / (1e9 * self.gflops * self.cores)
    }

    fn memory_seconds(&self, cost: &Cost) -> f64 {
        cost.bytes() / (1e9 * self.gbs)
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { cores, gflops, gbs } = self;
        write!(f, "cores = {cores}, gflops = {gflops} a core, gbs = {gbs} of memory")
    }
}

/// What a report assumes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Run-time sizes; those not named are 64.
    pub sizes: Vec<(String, i64)>,
    /// The machine.
    pub machine: Machine,
}

impl Settings {
    /// The value of a run-time size that is not named.
    const SIZE: i64 = 64;

    /// From `N=256, T=128, cores=8, gflops=160, gbs=200`; what is no setting is passed over.
    pub fn read(text: &str) -> Settings {
        let mut settings = Settings::default();
        for (name, value) in text.split(',').filter_map(|part| part.split_once('=')) {
            let (name, value) = (name.trim(), value.trim());
            let number = value.parse::<f64>().ok().filter(|v| *v > 0.0 && v.is_finite());
            match (name, number, value.parse::<i64>()) {
                ("cores", Some(cores), _) => settings.machine.cores = cores,
                ("gflops", Some(gflops), _) => settings.machine.gflops = gflops,
                ("gbs", Some(gbs), _) => settings.machine.gbs = gbs,
                (_, Some(_), Ok(size)) => settings.sizes.push((name.to_string(), size)),
                _ => {}
            }
        }
        settings
    }

    /// The value of a run-time size.
    pub fn size(&self, name: &str) -> i64 {
        self.sizes.iter().find(|(n, _)| n == name).map_or(Settings::SIZE, |(_, value)| *value)
    }

    /// `N = 64, T = 64`.
    pub(super) fn binding(&self, program: &crate::program::Program) -> String {
        let sizes: Vec<_> = program.symbols().iter().map(|name| format!("{name} = {}", self.size(name))).collect();
        sizes.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read() {
        let settings = Settings::read("1");
        assert_eq!(settings, Settings::default());
        let settings = Settings::read("N=256, T=x, cores=8,gbs=0, gflops = 42.5");
        assert_eq!(settings.machine, Machine { cores: 8.0, gflops: 42.5, ..Machine::default() });
        assert_eq!([settings.size("N"), settings.size("T")], [256, 64]);
    }
}
