"""The whole job with the reference tools, in one process. Says how long each part took.

`released`: SAEBench's functions with the settings that its command line gives them, and hooks on whole passes.
`careful`: what a user gets who wants it fast, with the packages' own options: passes stop at the captured layer and
begin at the edited one, prompts are cut behind the word and tokenised beforehand, larger batches, latents encoded once.
"""

import argparse
import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

begun = time.perf_counter()

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sae_bench.evals.absorption.feature_absorption import run_feature_absortion_experiment
from sae_bench.evals.absorption.k_sparse_probing import run_k_sparse_probing_experiment
from sae_bench.evals.absorption.main import _aggregate_results_df
from sae_bench.evals.absorption.probing import (
    gen_and_save_df_acts_probing,
    save_probe_and_data,
    train_linear_probe_for_task,
)
from sae_bench.evals.absorption.prompting import (
    VERBOSE_FIRST_LETTER_TEMPLATE,
    VERBOSE_FIRST_LETTER_TOKEN_POS,
    SpellingPrompt,
)
from sae_bench.evals.absorption.vocab import LETTERS
from sae_lens import SAE
from safetensors.numpy import load_file, save_file
from transformer_lens import HookedTransformer

from hooked import load_model, load_sae

WORD = VERBOSE_FIRST_LETTER_TOKEN_POS
# Of SAEBench's `train_and_save_probes`.
CAPTURE_BATCH = 64
# SAEBench's `llm_batch_size` of models that are not in its table, and its default for the k-sparse probes.
SCORING_BATCH = {"released": 10, "careful": 64}
EVAL_BATCH = {"released": 24, "careful": 2048}
# Rows per update of the probe that ranks latents. The default of 4,096 gives it 100 updates here; see README.md.
RANKING_BATCH = 128
K = 10

Dataset = list[tuple[SpellingPrompt, int]]
times: dict[str, dict[str, float]] = {}


@contextmanager
def timed(part: str) -> Iterator[None]:
    start, cpu = time.perf_counter(), time.process_time()
    yield
    times[part] = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}


def datasets(prepared: Path) -> tuple[Dataset, Dataset]:
    rows = json.loads((prepared / "prompts.json").read_text())

    def of(part: str) -> Dataset:
        return [(SpellingPrompt(row["base"], row["answer"], row["word"]), row["class"]) for row in rows[part]]

    return of("train"), of("test")


def streams_at_word(model: HookedTransformer, ids: torch.Tensor, hook: str, layer: int) -> NDArray[np.float32]:
    """Careful capture: prompts that end at the word, and no layer above the one that is read."""
    found = []
    with torch.inference_mode():
        for batch in ids.split(CAPTURE_BATCH):
            _, cache = model.run_with_cache(batch, names_filter=[hook], stop_at_layer=layer + 1)
            found.append(cache[hook][:, -1].numpy())
    return np.concatenate(found)


def capture_and_probe(model: HookedTransformer, prepared: Path, folder: Path, layer: int, careful: bool) -> None:
    """Capture and dense probe, as `create_and_train_probe` does it, with the given prompts instead of new ones."""
    hook = f"blocks.{layer}.hook_resid_post"
    train, test = datasets(prepared)
    with timed("capture"):
        if careful:
            ids = torch.from_numpy(load_file(prepared / "prompts.safetensors")["to_word"])
            streams = streams_at_word(model, ids, hook, layer)
            x_train, x_test = streams[: len(train)], streams[len(train) :]
            folder.mkdir(parents=True)
            frames = []
            for name, part in [("train", train), ("test", test)]:
                frame = pd.DataFrame({"token": [p.word for p, _ in part], "answer_class": [c for _, c in part]})
                frame.to_csv(folder / f"{name}_df.csv")
                frames.append(frame)
            train_df, test_df = frames
        else:
            train_df, test_df, x_train, x_test = gen_and_save_df_acts_probing(
                model, train, test, folder, hook, batch_size=CAPTURE_BATCH, position_idx=WORD
            )
    with timed("probe"):
        probe, data = train_linear_probe_for_task(
            train_df,
            test_df,
            device=torch.device("cpu"),
            train_activations=x_train,
            test_activations=x_test,
            num_classes=len(LETTERS),
            batch_size=64,
            num_epochs=50,
            lr=1e-2,
        )
        save_probe_and_data(probe, data, folder)


def detection_and_absorption(model: HookedTransformer, sae: SAE, layer: int, out: Path, mode: str) -> None:
    """What SAEBench's `run_eval` does with one autoencoder."""
    common = {
        "model": model,
        "sae": sae,
        "layer": layer,
        "sae_name": "sae",
        "max_k_value": K,
        "prompt_template": VERBOSE_FIRST_LETTER_TEMPLATE,
        "prompt_token_pos": WORD,
        "device": "cpu",
        "probes_dir": out / "probes",
    }
    with timed("k-sparse"):
        metrics = run_k_sparse_probing_experiment(
            **common,
            experiment_dir=out / "k_sparse",
            k_sparse_probe_batch_size=RANKING_BATCH,
            precalc_k_sparse_probe_sae_acts=mode == "careful",
            eval_batch_size=EVAL_BATCH[mode],
        )
    with timed("absorption"):
        words = run_feature_absortion_experiment(
            **common,
            experiment_dir=out / "absorption",
            sparse_probing_experiment_dir=out / "k_sparse",
            batch_size=SCORING_BATCH[mode],
        )
        letters = _aggregate_results_df(words).set_index("letter")
    metrics = metrics.set_index("letter")
    counted = [letter for letter in LETTERS if metrics.f1_probe[letter] > 0.6 and letter in letters.index]
    result = {
        "probe_f1": float(metrics.f1_probe.mean()),
        "k_sparse_f1": {k: float(metrics[f"f1_sparse_sae_{k}"].mean()) for k in range(1, K + 1)},
        "letters": len(counted),
        "absorption_fraction": float(letters.mean_absorption_fraction[counted].mean()),
        "full_absorption": float(letters.full_absorption_rate[counted].mean()),
        "main_latents": float(letters.num_split_feats[counted].mean()),
    }
    (out / "scores.json").write_text(json.dumps(result, indent=1))
    main = {letter: [int(latent) for latent in metrics.split_feats[letter]] for letter in LETTERS}
    (out / "main.json").write_text(json.dumps(main))


@torch.inference_mode()
def ablate(
    model: HookedTransformer, sae: SAE, prepared: Path, layer: int, latents: int, careful: bool
) -> dict[str, NDArray[Any]]:
    """Letter logits after each of a word's most active latents is taken out alone at the word."""
    hook = f"blocks.{layer}.hook_resid_post"
    answers = torch.tensor([model.to_tokens(f" {letter.upper()}", prepend_bos=False)[0, -1] for letter in LETTERS])
    ids = torch.from_numpy(load_file(prepared / "prompts.safetensors")["ablated"])
    clean, cache = model.run_with_cache(ids, names_filter=[hook])
    stream = cache[hook]
    activations, chosen = sae.encode(stream[:, WORD]).topk(latents)
    logits = torch.empty(len(ids), latents, len(LETTERS))

    def take_out(value: torch.Tensor, hook: object, edits: torch.Tensor) -> torch.Tensor:
        value[:, WORD] -= edits
        return value

    for word in range(len(ids)):
        edits = activations[word, :, None] * sae.W_dec[chosen[word]]
        if careful:
            edited = take_out(stream[word].repeat(latents, 1, 1), None, edits)
            found = model(edited, start_at_layer=layer + 1)
        else:
            edit = partial(take_out, edits=edits)
            found = model.run_with_hooks(ids[word].repeat(latents, 1), fwd_hooks=[(hook, edit)])
        logits[word] = found[:, -1, answers]
    return {
        "latents": chosen.numpy(),
        "activations": activations.numpy(),
        "clean": clean[:, -1, answers].numpy(),
        "logits": logits.numpy(),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--sae", type=Path, required=True)
    parser.add_argument("--ablated-sae", type=Path, required=True)
    parser.add_argument("--layer", type=int, required=True)
    parser.add_argument("--mode", choices=["released", "careful"], required=True)
    parser.add_argument("--latents", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    careful = args.mode == "careful"
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(args.seed)
    args.out.mkdir(parents=True)

    model, sae, ablated = load_model(args.prepared / "model"), load_sae(args.sae), load_sae(args.ablated_sae)
    times["start"] = {"seconds": time.perf_counter() - begun, "cpu": time.process_time()}

    folder = args.out / "probes" / "vernier-embedded" / f"layer_{args.layer}"
    capture_and_probe(model, args.prepared, folder, args.layer, careful)
    detection_and_absorption(model, sae, args.layer, args.out, args.mode)
    with timed("ablation"):
        effects = ablate(model, ablated, args.prepared, args.layer, args.latents, careful)
    save_file(
        {name: np.ascontiguousarray(values) for name, values in effects.items()}, args.out / "ablation.safetensors"
    )

    data = np.load(folder / "data.npz")
    probe = torch.load(folder / "probe.pth", weights_only=False)
    save_file(
        {
            "X_train": data["X_train"],
            "X_test": data["X_test"],
            "y_train": data["y_train"],
            "y_test": data["y_test"],
            "weight": probe.weights.detach().numpy(),
            "bias": probe.biases.detach().numpy(),
        },
        args.out / "probe.safetensors",
    )
    sample = torch.from_numpy(load_file(args.prepared / "prompts.safetensors")["sample"])
    with torch.inference_mode():
        logits = np.ascontiguousarray(model(sample)[:, -1].numpy())
    save_file({"logits": logits}, args.out / "sample.safetensors")
    (args.out / "times.json").write_text(json.dumps(times, indent=1))


if __name__ == "__main__":
    main()
