"""Did both sides compute the same thing? Writes one entry per check; `run.py` prints no ratio of a job that fails one.

Two kinds of checks. Where nothing is random, or where Vernier scores the reference's own probe and latents, numbers
must be equal. Where both sides train from random starts, the means over runs must agree within `SIGMA` standard errors
of their difference, with the standard deviation over Vernier's reseeded runs (those of the reference are few).
"""

import json
import math
import statistics
import sys
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

TOLERANCE = 2e-4
SIGMA = 3.0
# Share of chosen latents that may differ: activations that are equal to the last digits.
TIES = 0.01

Scores = dict[str, float]


class Check(TypedDict):
    job: str
    what: str
    value: float
    limit: float
    ok: bool


def check(job: str, what: str, value: float, limit: float) -> Check:
    return {"job": job, "what": what, "value": float(value), "limit": float(limit), "ok": bool(value <= limit)}


def apart(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max())


def ours(folder: Path) -> Scores:
    """Scores of one run of Vernier."""
    probe = json.loads((folder / "probe.json").read_text())
    k_sparse = json.loads((folder / "k_sparse.json").read_text())["mean"]
    by_k = {at["k"]: at["f1"] for at in k_sparse["by_k"]}
    absorption = json.loads((folder / "absorption.json").read_text())["mean"]
    return {"dense probe F1": probe["mean"]["f1"], **shared(by_k, absorption)}


def theirs(folder: Path) -> Scores:
    scores = json.loads((folder / "scores.json").read_text())
    by_k = {int(k): f1 for k, f1 in scores["k_sparse_f1"].items()}
    return {"dense probe F1": scores["probe_f1"], **shared(by_k, scores)}


def shared(by_k: dict[int, float], absorption: dict[str, float]) -> Scores:
    return {
        "k-sparse F1, k = 1": by_k[1],
        "k-sparse F1, k = 10": by_k[10],
        "main latents": absorption["main_latents"],
        "absorption fraction": absorption["absorption_fraction"],
        "full absorption": absorption["full_absorption"],
    }


def model(work: Path, folder: Path, mode: str) -> list[Check]:
    logits = load_file(work / "sample.safetensors")["logits"]
    found = [
        check(
            "capture",
            f"logits of 64 prompts, {mode}",
            apart(logits, load_file(folder / "sample.safetensors")["logits"]),
            TOLERANCE,
        )
    ]
    if mode == "careful":
        transformers = load_file(work / "prepared" / "transformers.safetensors")["logits"]
        found.append(check("capture", "logits of 64 prompts, transformers", apart(logits, transformers), TOLERANCE))
    return found


def capture(work: Path, folder: Path, mode: str) -> Check:
    mine, other = load_file(work / "ours-0" / "data.safetensors"), load_file(folder / "probe.safetensors")
    worst = max(apart(mine[part], other[part]) for part in ["X_train", "X_test"])
    return check("capture", f"vectors at the word, {mode}", worst, TOLERANCE)


def rescored(folder: Path, mode: str) -> list[Check]:
    """Vernier's scores of the reference's probe and main latents."""
    probe = json.loads((folder / "rescored-probe.json").read_text())["mean"]["f1"]
    scores = json.loads((folder / "scores.json").read_text())
    absorption = json.loads((folder / "rescored-absorption.json").read_text())["mean"]
    jobs = [("probe", "F1 of its probe", probe, scores["probe_f1"])]
    for name in ["absorption_fraction", "full_absorption", "letters"]:
        jobs.append(("absorption", f"{name.replace('_', ' ')} of its main latents", absorption[name], scores[name]))
    return [check(job, f"{what}, {mode}", abs(a - b), 1e-5) for job, what, a, b in jobs]


def over_seeds(mine: list[Scores], other: list[Scores], mode: str) -> list[Check]:
    found = []
    for name in mine[0]:
        a, b = [run[name] for run in mine], [run[name] for run in other]
        error = statistics.stdev(a) * math.sqrt(1 / len(a) + 1 / len(b))
        what = (
            f"{name}, {mode}: {statistics.mean(b):.4f} over {len(b)} runs, here {statistics.mean(a):.4f} over {len(a)}"
        )
        job = "probe" if name == "dense probe F1" else "absorption"
        found.append(check(job, what, abs(statistics.mean(a) - statistics.mean(b)), SIGMA * error))
    return found


def ablation(work: Path, folder: Path, mode: str) -> list[Check]:
    mine, other = load_file(work / "ours-0" / "ablation.safetensors"), load_file(folder / "ablation.safetensors")
    missing, worst, effect = 0, 0.0, 0.0
    for word, latents in enumerate(mine["latents"]):
        place = {int(latent): at for at, latent in enumerate(other["latents"][word])}
        pairs = [(at, place[int(latent)]) for at, latent in enumerate(latents) if int(latent) in place]
        missing += len(latents) - len(pairs)
        a, b = (np.array(side) for side in zip(*pairs, strict=True))
        worst = max(worst, apart(mine["logits"][word][a], other["logits"][word][b]))
        effect = max(effect, apart(mine["logits"][word], mine["clean"][word][None]))
    return [
        check("ablation", f"letter logits, {mode} (largest effect {effect:.1f})", worst, TOLERANCE),
        check("ablation", f"share of latents that only one side chose, {mode}", missing / mine["latents"].size, TIES),
    ]


def main(work: Path) -> None:
    mine = [ours(folder) for folder in sorted(work.glob("ours-*")) if (folder / "absorption.json").exists()]
    checks: list[Check] = []
    for mode in ["careful", "released"]:
        folders = sorted(work.glob(f"{mode}-*"))
        if not folders:
            continue
        first = folders[0]
        checks += [*model(work, first, mode), capture(work, first, mode)]
        checks += [*rescored(first, mode), *over_seeds(mine, [theirs(folder) for folder in folders], mode)]
        checks += ablation(work, first, mode)
    (work / "checks.json").write_text(json.dumps(checks, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
