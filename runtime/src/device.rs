//! Where a model lives.

use std::fmt;

/// A device that holds arrays and runs networks.
///
/// ```
/// use castnet_runtime::Device;
/// assert_eq!(Device::cpu(), Device::cpu());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Device(Kind);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Cpu,
}

impl Device {
    /// The processor, with the best instruction set that it has.
    pub fn cpu() -> Device {
        Device(Kind::Cpu)
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Cpu => f.write_str("cpu"),
        }
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({self})")
    }
}
