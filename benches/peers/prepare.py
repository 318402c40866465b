"""Prompts for both sides, drawn by SAEBench's own functions, and the model folder as transformers reads it."""

import argparse
import json
import random
import shutil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sae_bench.evals.absorption.probing import create_dataset_probe_training
from sae_bench.evals.absorption.prompting import VERBOSE_FIRST_LETTER_TEMPLATE, first_letter_formatter
from sae_bench.evals.absorption.vocab import get_alpha_tokens
from safetensors.numpy import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from hooked import load_model, load_sae

Ids = NDArray[np.int64]

# Tokens behind the query word.
BEHIND = 5
# Prompts whose logits all programs must agree on.
SAMPLE = 64
TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": "<bos>",
    "eos_token": "<eos>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "add_bos_token": True,
}


def firing(folder: Path, sae: Path, layer: int, ids: Ids, size: tuple[int, int]) -> Ids:
    """The first prompts on whose word enough latents fire to be ablated."""
    words, latents = size
    hook = f"blocks.{layer}.hook_resid_post"
    candidates = ids[: 4 * words]
    with torch.inference_mode():
        _, cache = load_model(folder).run_with_cache(torch.from_numpy(candidates), names_filter=[hook])
        active = (load_sae(sae).encode(cache[hook][:, -BEHIND - 1]) > 0).sum(dim=1).numpy()
    chosen = candidates[active >= latents][:words]
    if len(chosen) < words:
        raise SystemExit(f"{latents} latents of {sae} fire on {len(chosen)} of {len(candidates)} words only")
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--ablated-sae", type=Path, required=True)
    parser.add_argument("--layer", type=int, required=True)
    parser.add_argument("--words", type=int, required=True)
    parser.add_argument("--latents", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    folder = args.out / "model"
    folder.mkdir(parents=True)
    for name in ["config.json", "model.safetensors", "tokenizer.json"]:
        shutil.copyfile(args.model / name, folder / name)
    (folder / "tokenizer_config.json").write_text(json.dumps(TOKENIZER))
    tokenizer = AutoTokenizer.from_pretrained(folder)

    random.seed(0)
    # Byte tokens such as <0x41> decode to words that are there already.
    vocabulary = sorted(set(get_alpha_tokens(tokenizer)))
    train, test = create_dataset_probe_training(
        vocabulary, first_letter_formatter(), num_prompts_per_token=1, base_template=VERBOSE_FIRST_LETTER_TEMPLATE
    )
    prompts = train + test
    ids = tokenizer([prompt.base for prompt, _ in prompts])["input_ids"]
    lengths = {len(row) for row in ids}
    if len(lengths) != 1:
        raise SystemExit(f"prompts of {lengths} tokens: SAEBench needs one length")
    whole = np.array(ids, dtype=np.int64)
    classes = np.array([letter for _, letter in prompts], dtype=np.int64)
    ablated = firing(folder, args.ablated_sae, args.layer, whole, (args.words, args.latents))
    tensors = {
        "to_word": whole[:, :-BEHIND],
        "sample": whole[:SAMPLE],
        "ablated": ablated,
        "y_train": classes[: len(train)],
        "y_test": classes[len(train) :],
    }
    save_file(
        {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, args.out / "prompts.safetensors"
    )
    rows = [{"base": p.base, "answer": p.answer, "word": p.word, "class": letter} for p, letter in prompts]
    (args.out / "prompts.json").write_text(json.dumps({"train": rows[: len(train)], "test": rows[len(train) :]}))

    with torch.inference_mode():
        reference = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
        logits = reference(torch.from_numpy(whole[:SAMPLE])).logits[:, -1]
    save_file({"logits": np.ascontiguousarray(logits.numpy())}, args.out / "transformers.safetensors")
    print(f"{len(train)} train and {len(test)} test prompts of {lengths.pop()} tokens")


if __name__ == "__main__":
    main()
