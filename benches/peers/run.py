#!/usr/bin/env python3
"""Times Vernier and the reference tools on the same job, side by side. See README.md."""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MODEL = ROOT / "datasets/embedded/model"
SAES = ROOT / "datasets/embedded/saes"
SAE = SAES / "batchtopk-512-k4-s0"
# The only shipped one of which 32 latents fire on most words.
ABLATED_SAE = SAES / "standard-512-l1-1"
LAYER = 1
POINT = f"resid_post.{LAYER}"
RANKING_BATCH = "128"
JOBS = ["capture", "probe", "absorption", "ablation"]
TITLES = {
    "capture": "capture of the vocabulary",
    "probe": "dense probes",
    "absorption": "k-sparse probes and absorption, one SAE",
    "ablation": "exact ablation, {latents} latents x {words} words",
    "start": "start: imports, model and SAEs",
    "whole": "whole job",
}
THREADS = os.cpu_count() or 1


@dataclass
class Cost:
    """Of a process, from its start to its exit; or of a part of one."""

    seconds: float
    # User and system time of all threads.
    cpu: float
    # Bytes that it had at most.
    memory: int


Costs = dict[str, Cost]
Arguments = list[str | Path]


def together(costs: Sequence[Cost]) -> Cost:
    """Of processes that run one after the other."""
    return Cost(sum(c.seconds for c in costs), sum(c.cpu for c in costs), max(c.memory for c in costs))


def run(command: Sequence[str | Path], log: Path, out: Path | None = None, env: dict[str, str] | None = None) -> Cost:
    """Runs a command to its end."""
    with log.open("a") as errors, (out or log).open("w" if out else "a") as output:
        begun = time.perf_counter()
        child = subprocess.Popen([str(part) for part in command], stdout=output, stderr=errors, env=env)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"`{' '.join(map(str, command))}` failed; see {log}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


class Bench:
    """Vernier's side: one process per part, as a user would run them."""

    def __init__(self, work: Path, binaries: Path, python: Path) -> None:
        self.work, self.python, self.log = work, python, work / "vernier.log"
        self.bench, self.ablate = binaries / "bench", binaries / "examples/ablate_latents"
        self.prompts = work / "prepared/prompts.safetensors"

    def sample(self) -> None:
        arguments: Arguments = [
            "--tensor",
            "sample",
            "--points",
            "logits",
            "--last",
            "--out",
            self.work / "sample.safetensors",
        ]
        run([self.bench, "activations", "--model", MODEL, "--ids", self.prompts, *arguments], self.log)

    def probe(self, data: Path, seed: int, out: Path, *more: str | Path) -> Cost:
        rows: Arguments = [
            "--acts",
            data,
            "--x",
            "X_train",
            "--y",
            "y_train",
            "--test-x",
            "X_test",
            "--test-y",
            "y_test",
        ]
        to: Arguments = ["--seed", str(seed), "--out", out.with_suffix(".safetensors")]
        return run([self.bench, "probe", *rows, *to, *more], self.log, out)

    def absorption(self, data: Path, probe: Path, main: Path, out: Path) -> Cost:
        rows: Arguments = [
            "--sae",
            SAE,
            "--probe",
            probe,
            "--acts",
            data,
            "--x",
            "X_test",
            "--y",
            "y_test",
            "--main",
            main,
        ]
        return run([self.bench, "absorption", "--definition", "saebench-0.6", *rows], self.log, out)

    def scores(self, data: Path, seed: int, folder: Path) -> Costs:
        """Dense probe, k-sparse probes and absorption."""
        k_sparse: Arguments = ["--kind", "k-sparse", "--sae", SAE, "--k", "1-10", "--batch", RANKING_BATCH]
        dense, latents = folder / "probe.json", folder / "k_sparse.json"
        return {
            "probe": self.probe(data, seed, dense, "--kind", "lr-sgd", "--preset", "saebench"),
            "k-sparse": self.probe(data, seed, latents, *k_sparse),
            "scoring": self.absorption(data, dense.with_suffix(".safetensors"), latents, folder / "absorption.json"),
        }

    def job(self, seed: int, size: tuple[int, int]) -> Costs:
        folder = self.work / f"ours-{seed}"
        folder.mkdir()
        streams, data = folder / "streams.safetensors", folder / "data.safetensors"
        arguments: Arguments = [
            "--tensor",
            "to_word",
            "--points",
            POINT,
            "--last",
            "--names",
            "short",
            "--out",
            streams,
        ]
        parts = {
            "capture": run([self.bench, "activations", "--model", MODEL, "--ids", self.prompts, *arguments], self.log)
        }
        run([self.python, HERE / "merge.py", self.prompts, streams, POINT, data], self.log)
        parts |= self.scores(data, seed, folder)
        sizes: Arguments = ["--words", str(size[0]), "--latents", str(size[1]), "--layer", str(LAYER)]
        files: Arguments = ["--model", MODEL, "--sae", ABLATED_SAE, "--ids", self.prompts, "--tensor", "ablated"]
        parts["ablation"] = run([self.ablate, *files, *sizes, "--out", folder / "ablation.safetensors"], self.log)
        parts["absorption"] = together([parts.pop("k-sparse"), parts.pop("scoring")])
        return parts | {"whole": together(list(parts.values()))}

    def reseed(self, seed: int) -> None:
        folder = self.work / f"ours-{seed}"
        folder.mkdir()
        self.scores(self.work / "ours-0/data.safetensors", seed, folder)

    def rescore(self, folder: Path) -> None:
        """Scores the reference's probe and main latents."""
        given = folder / "probe.safetensors"
        start: Arguments = [
            "--kind",
            "lr-sgd",
            "--init",
            given,
            "--init-weight",
            "weight",
            "--init-bias",
            "bias",
            "--epochs",
            "0",
        ]
        self.probe(given, 0, folder / "rescored-probe.json", *start)
        self.absorption(given, given, folder / "main.json", folder / "rescored-absorption.json")


def environment(mode: str) -> dict[str, str]:
    """What the reference tools run under."""
    env = os.environ | {
        "OMP_NUM_THREADS": str(THREADS),
        # Threads that spin while they wait take each other's core.
        "OMP_WAIT_POLICY": "PASSIVE",
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "TQDM_DISABLE": "1",
    }
    # The small regressions of scikit-learn are several times faster on one thread.
    return env | {"OPENBLAS_NUM_THREADS": "1"} if mode == "careful" else env


def prepare(work: Path, python: Path, size: tuple[int, int]) -> None:
    files: Arguments = ["--model", MODEL, "--ablated-sae", ABLATED_SAE, "--out", work / "prepared"]
    settings: Arguments = ["--layer", str(LAYER), "--words", str(size[0]), "--latents", str(size[1])]
    run([python, HERE / "prepare.py", *files, *settings], work / "prepare.log", env=environment("careful"))


def reference(work: Path, python: Path, mode: str, seed: int, latents: int) -> Costs:
    out = work / f"{mode}-{seed}"
    files: Arguments = ["--prepared", work / "prepared", "--sae", SAE, "--ablated-sae", ABLATED_SAE, "--out", out]
    settings: Arguments = ["--layer", str(LAYER), "--mode", mode, "--latents", str(latents)]
    command: Arguments = [python, HERE / "reference.py", *files, *settings, "--seed", str(seed)]
    whole = run(command, work / f"{mode}.log", env=environment(mode))
    times: dict[str, dict[str, float]] = json.loads((out / "times.json").read_text())
    parts = {part: Cost(time["seconds"], time["cpu"], whole.memory) for part, time in times.items()}
    parts["absorption"] = together([parts.pop("k-sparse"), parts["absorption"]])
    return parts | {"whole": whole}


def make_venv(folder: Path) -> Path:
    python = folder / "bin/python"
    wanted = (HERE / "requirements.txt").read_text()
    stamp = folder / "peers-requirements.txt"
    if not (stamp.exists() and stamp.read_text() == wanted):
        print(f"installing the reference tools into {folder}", file=sys.stderr)
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", HERE / "requirements.txt"], check=True)
        stamp.write_text(wanted)
    return python


def build() -> Path:
    for target in [["--bin", "bench"], ["-p", "vernier-benches", "--example", "ablate_latents"]]:
        subprocess.run(["cargo", "build", *target], cwd=ROOT, check=True)
    metadata = subprocess.check_output(["cargo", "metadata", "--no-deps", "--format-version", "1"], cwd=ROOT)
    return Path(json.loads(metadata)["target_directory"]) / "debug"


def spread(values: Sequence[float], text: Callable[[float], str]) -> str:
    middle = text(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} [{text(min(values))} to {text(max(values))}]"


def table(runs: dict[str, list[Costs]], failed: set[str], size: tuple[int, int]) -> str:
    """Medians with ranges, and ratios of the jobs whose checks passed."""
    peers = [side for side in runs if side != "vernier"]
    lines = ["| job | Vernier |" + "".join(f" {peer} reference | ratio |" for peer in peers)]
    lines.append("| --- | ---: |" + " ---: | ---: |" * len(peers))

    def row(title: str, job: str, of: Callable[[Cost], float], text: Callable[[float], str]) -> str:
        values = {side: [of(costs[job]) for costs in runs[side] if job in costs] for side in runs}
        mine = values["vernier"]
        cells = [title, spread(mine, text) if mine else ""]
        for peer in peers:
            ratio = f"{statistics.median(values[peer]) / statistics.median(mine):.1f}" if mine else ""
            trusted = job not in failed and not (failed and job == "whole")
            cells += [spread(values[peer], text), ratio if trusted else "check failed"]
        return "| " + " | ".join(cells) + " |"

    for job in ["start", *JOBS, "whole"]:
        title = TITLES[job].format(words=size[0], latents=size[1])
        lines.append(row(title, job, lambda cost: cost.seconds, lambda s: f"{s:.2f} s"))
    lines.append(row("processor time of the whole job", "whole", lambda cost: cost.cpu, lambda s: f"{s:.1f} s"))
    lines.append(row("peak memory", "whole", lambda cost: cost.memory, lambda b: f"{b / 1e6:.0f} MB"))
    return "\n".join(lines)


def machine() -> str:
    names = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{names[0] if names else platform.machine()}, {THREADS} cores, {pages / 2**30:.0f} GiB, {platform.system()}"


def facts(bench: Path, python: Path) -> dict[str, str]:
    pinned = [line for line in (HERE / "requirements.txt").read_text().split() if "==" in line]
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine(),
        "load before": f"{os.getloadavg()[0]:.2f}",
        "threads": f"{THREADS} on both sides",
        "vernier": subprocess.check_output([bench, "--version"], text=True).split()[-1],
        "commit": subprocess.check_output(["git", "describe", "--always", "--dirty"], cwd=ROOT, text=True).strip(),
        "python": subprocess.check_output([python, "--version"], text=True).split()[-1],
        "packages": ", ".join(pinned),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--venv", type=Path, required=True, help="folder of the reference tools' environment; made where it is missing"
    )
    parser.add_argument(
        "--work", type=Path, help="folder of everything that is computed; emptied first [default: VENV/work]"
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--reseeds", type=int, default=10, help="runs of Vernier from which the spread over seeds is known"
    )
    parser.add_argument("--words", type=int, default=64, help="words whose latents are ablated")
    parser.add_argument("--latents", type=int, default=32, help="latents of each")
    parser.add_argument(
        "--quick", action="store_true", help="one run, careful reference only, few ablations: does it work?"
    )
    parser.add_argument(
        "--binaries", type=Path, help="folder with `bench` and `examples/ablate_latents` [default: built by cargo]"
    )
    parser.add_argument("--json", type=Path, help="where the numbers go [default: WORK/result.json]")
    args = parser.parse_args()
    modes = ["careful"] if args.quick else ["careful", "released"]
    repeats = 1 if args.quick else args.repeats
    size = (8, 8) if args.quick else (args.words, args.latents)
    python = make_venv(args.venv.resolve())
    binaries = (args.binaries or build()).resolve()
    work = (args.work or args.venv / "work").resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    bench = Bench(work, binaries, python)
    told = facts(bench.bench, python)

    prepare(work, python, size)
    bench.sample()
    runs: dict[str, list[Costs]] = {side: [] for side in ["vernier", *modes]}
    for repeat in range(repeats):
        for side in runs:
            print(f"run {repeat + 1} of {repeats}: {side}", file=sys.stderr)
            job = bench.job(repeat, size) if side == "vernier" else reference(work, python, side, repeat, size[1])
            runs[side].append(job)
    for seed in range(repeats, max(args.reseeds, repeats, 3)):
        bench.reseed(seed)
    for mode in modes:
        bench.rescore(work / f"{mode}-0")
    run([python, HERE / "check.py", work], work / "check.log")
    checks = json.loads((work / "checks.json").read_text())
    failed = {entry["job"] for entry in checks if not entry["ok"]}

    print(table(runs, failed, size))
    print("\n| check | difference | limit | |\n| --- | ---: | ---: | --- |")
    for entry in checks:
        says = "agrees" if entry["ok"] else "**differs**"
        print(f"| {entry['job']}: {entry['what']} | {entry['value']:.2g} | {entry['limit']:.2g} | {says} |")
    print("\n" + "\n".join(f"- {name}: {value}" for name, value in told.items()))
    costs = {side: [{job: vars(cost) for job, cost in parts.items()} for parts in list] for side, list in runs.items()}
    result = {"facts": told, "costs": costs, "checks": checks}
    target = args.json or work / "result.json"
    target.write_text(json.dumps(result, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
