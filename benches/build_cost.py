"""What networks cost a build: expansion, check, dev and release builds after a change, code size. Needs cargo and binutils' `size`.

    python3 benches/build_cost.py [--rounds 5] [--folder DIR] [--plain]

A project of its own, outside of this workspace, depends on castnet by path; its profile has the lines that the README gives, with `--plain`
none. It has:

    gpt       GPT-2: the net of examples/gpt.rs with 12 layers, width 768, a vocabulary of 50257, a context of 1024
    resnet    ResNet-50: the net of tests/nets/vision.rs
    ten       a library with ten nets, LeNets of different widths, none of them used
    blocks4   a GPT of width 64 with 4 layers, and
    blocks40  the same with 40

All is measured by turns, `--rounds` times; shown are medians (least to greatest) of seconds of processor time (user and system, all
processes that take part) and of wall time. Processor time is what says something on a machine that others use too. The expansion is rustc
up to where macros are expanded and names resolved (`--emit=dep-info`), less the same for an empty program.

Before each check and each build one number of the net changes: the context of GPT, the width of ResNet.
"""
import argparse
import os
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
NUMBERS = {"gpt": ("1024>", "1040>"), "resnet": ("ResNetDeep<64>", "ResNetDeep<72>")}

GPT_MAIN = """
fn main() -> castnet::Result<()> {
    let mut net = Gpt2::new(&Device::cpu(), 1)?;
    let tokens = Array::from_vec(&[1, 16], vec![1u32; 16])?;
    println!("{}", net.loss_step(&mut AdamW::new(1e-3), &tokens, &tokens)?.get()?);
    println!("{:?}", net.scores(&tokens)?.shape());
    Ok(())
}
"""

RESNET_MAIN = """
fn main() -> castnet::Result<()> {
    let mut net = ResNet50::new(&Device::cpu(), 1)?;
    let image = Array::from_vec(&[1, 3, 64, 64], vec![0f32; 3 * 64 * 64])?;
    let class = Array::from_vec(&[1], vec![1u8])?;
    println!("{}", net.loss_step(&mut Sgd::new(1e-3), &image, &class)?.get()?);
    println!("{:?}", net.scores(&image)?.shape());
    Ok(())
}
"""

def call_with(path, text):
    """The `network! { … }` of a file that contains `text`."""
    source = (ROOT / path).read_text()
    calls = [part[: part.index("\n}\n") + 3] for part in source.split("\nnetwork! {")[1:]]
    [call] = [call for call in calls if text in call]
    return "network! {" + call


def sources():
    gpt = call_with("examples/gpt.rs", "pub net CharGpt")

    def gpt_of(arguments):
        return re.sub(r"CharGpt = Gpt<[^>]*>", f"Gpt2 = Gpt<{arguments}>", gpt) + GPT_MAIN

    resnet = call_with("tests/nets/vision.rs", "pub net ResNet50 ")
    lenet = call_with("examples/lenet.rs", "pub net LeNet ")
    [thin] = re.findall(r"^    pub net ResNet50Thin = .*\n", resnet, re.MULTILINE)
    return {
        "gpt": gpt_of("12, 768, 12, 50257, 1024"),
        "resnet": resnet.replace(thin, "") + RESNET_MAIN,
        "ten": "".join(
            lenet.replace("net LeNet", f"net LeNet{i}").replace("Conv2d(20", f"Conv2d({20 + i}") for i in range(10)
        ),
        "blocks4": gpt_of("4, 64, 4, 256, 64"),
        "blocks40": gpt_of("40, 64, 4, 256, 64"),
    }


def profile_lines():
    """The `[profile…]` lines of the README's first block of TOML."""
    block = (ROOT / "README.md").read_text().split("```toml\n")[1].split("```")[0]
    return block[block.index("[profile") :]


def make_project(folder, plain):
    packages = sources()
    members = ", ".join(f'"{name}"' for name in packages)
    manifest = f'[workspace]\nmembers = [{members}]\nresolver = "3"\n'
    (folder / "Cargo.toml").write_text(manifest + ("" if plain else "\n" + profile_lines()))
    for name, source in packages.items():
        (folder / name / "src").mkdir(parents=True, exist_ok=True)
        package = f'[package]\nname = "{name}"\nversion = "0.0.0"\nedition = "2024"\n'
        (folder / name / "Cargo.toml").write_text(f'{package}\n[dependencies]\ncastnet = {{ path = "{ROOT}" }}\n')
        file = "lib.rs" if name == "ten" else "main.rs"
        (folder / name / "src" / file).write_text("use castnet::prelude::*;\n\n" + source)


class Bench:
    def __init__(self, folder):
        self.folder = folder
        self.environment = {k: v for k, v in os.environ.items() if k != "CASTNET_EXPLAIN"}
        self.environment["CARGO_TARGET_DIR"] = str(folder / "target")
        self.seconds = {}

    def run(self, *command, **environment):
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment | environment, text=True, capture_output=True
        )
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, command))}:\n{done.stderr}")
        return done

    def time(self, name, *command):
        """Runs a command; processor and wall seconds are kept under the name."""
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        self.run(*command)
        wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self.seconds.setdefault(name, []).append((cpu, wall))

    def change(self, net):
        """The other one of the two numbers of a net."""
        file = self.folder / net / "src" / "main.rs"
        old, new = NUMBERS[net]
        text = file.read_text()
        file.write_text(text.replace(old, new) if old in text else text.replace(new, old))

    def rustc(self, package, command, emit):
        """The call of rustc that cargo makes for a package, without incremental compilation."""
        for file in (self.folder / package / "src").iterdir():
            file.touch()
        lines = self.run("cargo", command, "-v", "-p", package).stderr.splitlines()
        line = next(line for line in lines if "Running" in line and f"--crate-name {package} " in line)
        out = self.folder / "out"
        out.mkdir(exist_ok=True)
        line = line.strip().removeprefix("Running `").removesuffix("`")
        line = re.sub(r"--out-dir \S+", f"--out-dir {out}", line)
        line = re.sub(r"-C incremental=\S+|--error-format=json --json=\S+", "", line)
        return ["sh", "-c", re.sub(r"--emit=\S+", f"--emit={emit}", line) if emit else line]

    def show(self, name, limit="", less=None):
        """A line of the report, with another measurement's medians taken off."""
        off = [statistics.median(column) for column in zip(*self.seconds[less])] if less else [0, 0]
        texts = []
        for unit, column, base in zip(("processor", "wall"), zip(*self.seconds[name]), off):
            times = sorted(x - base for x in column)
            texts.append(f"{statistics.median(times):5.2f} s {unit} ({times[0]:.2f} to {times[-1]:.2f})")
        print(f"{name:32} {'  '.join(texts)}  {limit}".rstrip())


def kernels(bench, net, name):
    """The distinct stages of a net: each is compiled once an instruction set."""
    bench.change(net)
    bench.run("cargo", "check", "-p", net, CASTNET_EXPLAIN="1")
    text = (bench.folder / "target" / "castnet" / name / "kernels.rs").read_text()
    return sum(line == "}" for line in text.splitlines())


def text_size(bench, package):
    line = bench.run("size", bench.folder / "target" / "release" / package).stdout.splitlines()[1]
    return int(line.split()[0])


def measure(folder, rounds, plain):
    make_project(folder, plain)
    bench = Bench(folder)
    for command in (["check"], ["build"], ["build", "--release"]):
        bench.run("cargo", *command)
    (folder / "empty.rs").write_text("fn main() {}\n")
    empty = ["rustc", "--emit=dep-info", "--out-dir", folder / "out", folder / "empty.rs"]
    expansions = {net: bench.rustc(net, "check", "dep-info") for net in NUMBERS}
    ten = {command: bench.rustc("ten", command, None) for command in ("check", "build")}
    for _ in range(rounds):
        bench.time("empty", *empty)
        for net, command in expansions.items():
            bench.time(f"{net}: expansion", *command)
        for net in NUMBERS:
            for command in (["check"], ["build"], ["build", "--release"]):
                bench.change(net)
                bench.time(f"{net}: cargo {' '.join(command)}", "cargo", *command, "-p", net)
        for command, call in ten.items():
            bench.time(f"ten: rustc of cargo {command}", *call)
    print(f"{rounds} rounds, {'no lines in the profile' if plain else 'the profile of the README'}")
    for net in NUMBERS:
        bench.show(f"{net}: expansion", "at most 0.1", less="empty")
    for net in NUMBERS:
        bench.show(f"{net}: cargo check", "at most 1.5")
        bench.show(f"{net}: cargo build")
        bench.show(f"{net}: cargo build --release", "at most 6")
    bench.show("ten: rustc of cargo check")
    bench.show("ten: rustc of cargo build", "at most 1.2 times the check")
    for net, name in (("gpt", "Gpt2"), ("resnet", "ResNet50")):
        print(f"{net}: {kernels(bench, net, name)} kernels an instruction set, at most 60")
    sizes = [text_size(bench, package) for package in ("blocks4", "blocks40")]
    print(f"binaries of 4 and of 40 equal blocks: {sizes[0]} and {sizes[1]} bytes of code and constants")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=pathlib.Path, help="where the project is made and kept [a temporary folder]")
    parser.add_argument("--plain", action="store_true", help="without the README's lines in the profile")
    options = parser.parse_args()
    folder = options.folder or pathlib.Path(tempfile.mkdtemp(prefix="castnet-build-cost-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        measure(folder.resolve(), options.rounds, options.plain)
    finally:
        if options.folder is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
