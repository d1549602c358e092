//! Kernels compiled by g++ for the CPU and run by a process of their own (`server.h`).

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use castnet_graph::emit::cuda::{Kernel, prelude};

/// The distinct kernels of many programs, numbered.
#[derive(Default)]
pub struct Kernels {
    numbers: HashMap<String, usize>,
    sources: Vec<String>,
}

impl Kernels {
    /// The number of a kernel; two of the same text but for names in comments are one.
    pub fn number(&mut self, kernel: &Kernel) -> usize {
        let text = kernel.source("kernel");
        let key = text.lines().skip(1).collect::<Vec<_>>().join("\n");
        let next = self.sources.len();
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.sources.push(kernel.source(&name(next)));
        }
        number
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// One translation unit of all of them.
    pub fn unit(&self) -> String {
        prelude() + "\n" + &self.sources.join("\n")
    }
}

fn name(number: usize) -> String {
    format!("kernel_{number}")
}

/// An argument of a kernel.
pub enum Argument<'a> {
    Int(i32),
    Wide(u64),
    Buffer(&'a mut [u8]),
}

/// The process that runs kernels.
pub struct Emulator {
    child: Child,
    to: ChildStdin,
    from: ChildStdout,
}

/// Runs g++; its absence is a mistake with a clear message.
pub fn compile(arguments: &[&str]) {
    let output = Command::new("g++").args(arguments).output();
    let output = output.unwrap_or_else(|e| {
        panic!("the CUDA C is tested with g++, which cannot be run ({e}): install the package g++")
    });
    assert!(output.status.success(), "g++ {}:\n{}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
}

impl Emulator {
    /// Compiles the kernels in `folder` and starts the process.
    pub fn start(kernels: &Kernels, folder: &Path) -> Emulator {
        let mut text = String::from("#include \"server.h\"\n");
        text += &kernels.unit();
        text += "\nextern const Kernel KERNELS[] = {\n";
        for number in 0..kernels.len() {
            let _ = writeln!(text, "    {{\"{0}\", emulated::Call<&{0}>::call}},", name(number));
        }
        let _ = writeln!(text, "}};\nextern const unsigned KERNEL_COUNT = {};", kernels.len());
        text += "int main() { return server::serve(); }\n";
        let (source, program) = (folder.join("kernels.cpp"), folder.join("kernels"));
        std::fs::write(&source, text).unwrap();
        let include = concat!("-I", env!("CARGO_MANIFEST_DIR"), "/tests/cuda");
        // Fibres leave by `longjmp`, which fortified headers take for a mistake.
        let flags =
            ["-std=c++17", "-O0", "-ffp-contract=off", "-fno-strict-aliasing", "-U_FORTIFY_SOURCE", "-w", include];
        compile(&[&flags[..], &[source.to_str().unwrap(), "-o", program.to_str().unwrap()]].concat());
        let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Emulator { child, to, from }
    }

    /// Runs a kernel; buffers are replaced by what it leaves in them.
    pub fn run(&mut self, kernel: usize, blocks: u32, threads: [u32; 2], arguments: &mut [Argument<'_>]) {
        let mut message = vec![];
        for word in [kernel as u32, blocks, threads[0], threads[1], arguments.len() as u32] {
            message.extend(word.to_le_bytes());
        }
        for argument in arguments.iter() {
            let (kind, bytes): (u32, &[u8]) = match argument {
                Argument::Int(i) => (0, &i.to_le_bytes()),
                Argument::Wide(i) => (1, &i.to_le_bytes()),
                Argument::Buffer(bytes) => (2, bytes),
            };
            message.extend(kind.to_le_bytes());
            message.extend((bytes.len() as u64).to_le_bytes());
            message.extend(bytes);
        }
        let sent = self.to.write_all(&message).and_then(|()| self.to.flush());
        for argument in arguments {
            if let Argument::Buffer(bytes) = argument {
                let received = sent.is_ok().then(|| self.from.read_exact(bytes));
                if !matches!(received, Some(Ok(()))) {
                    panic!("the emulator ended at {}: {:?}", name(kernel), self.child.wait());
                }
            }
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
