"""Selects what the tests read from the full reference results.

    python3 make.py SOURCE TARGET

SOURCE is the folder with `model/`, `saes/`, `results/` and `results_ksb128/`; TARGET is this folder. Only the
standard library is needed. Tensors are copied byte by byte, JSON is cut to the fields below and written without
spaces; no number is changed.
"""

import json
import shutil
import sys
from pathlib import Path

SAES = ["btk_256", "std_512"]
LETTER = [
    "letter", "f1_probe", "precision_probe", "recall_probe", "auc_probe", "split_feats", "ks", "candidates",
    "num_probe_true_positives", "num_absorption", "sample_portion", "absorption_rate", "detail",
]
ROW = [
    "letter", "split_feat_acts", "is_absorption", "ablation_scores", "ablation_feats", "ablation_feat_acts",
    "ablation_feat_probe_cos", "top_probe_projection", "top_projection_feat_probe_cos", "projection_feats",
    "projection_feat_acts", "absorption_fraction", "is_full_absorption", "prompt_words",
]
PROMPT = ["word", "letter", "original_metric", "sum_ig"]


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def write(path, value):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    path.write_text(text + "\n", encoding="utf-8")


def columns(rows, fields):
    """Rows as one list per field: the names are written once."""
    return {field: [row[field] for row in rows] for field in fields if rows and field in rows[0]}


def results(source, target):
    found = read(source)
    keep = {"metrics": found["metrics"]} if "metrics" in found else {}
    keep["per_letter"] = [{field: row[field] for field in LETTER if field in row} for row in found["per_letter"]]
    if "absorption_rows" in found:
        keep["rows"] = columns(found["absorption_rows"], ROW)
    write(target, keep)


def main(source, target):
    model = target / "model"
    model.mkdir(parents=True, exist_ok=True)
    for name in ["config.json", "model.safetensors"]:
        shutil.copyfile(source / "model" / name, model / name)
    write(model / "tokenizer.json", read(source / "model/tokenizer.json"))
    runs = {"sae_spelling": "results", "saebench": "results", "saebench_ksb128": "results_ksb128"}
    for run in ["sae_spelling", "saebench"]:
        name = f"{run}.probe.safetensors"
        shutil.copyfile(source / "results" / name, target / name)
    for sae in SAES:
        (target / "saes" / sae).mkdir(parents=True, exist_ok=True)
        for name in ["cfg.json", "sae_weights.safetensors"]:
            shutil.copyfile(source / "saes" / sae / name, target / "saes" / sae / name)
        for run, folder in runs.items():
            library = run.removesuffix("_ksb128")
            results(source / folder / f"{library}.{sae}.json", target / f"{run}.{sae}.json")
            shutil.copyfile(
                source / folder / f"{library}.{sae}.l1probe.safetensors", target / f"{run}.{sae}.l1probe.safetensors"
            )
        name = f"sae_spelling.{sae}.attribution"
        shutil.copyfile(source / "results" / f"{name}.safetensors", target / f"{name}.safetensors")
        prompts = read(source / "results" / f"{name}.json")
        write(target / f"{name}.json", [{field: prompt[field] for field in PROMPT} for prompt in prompts])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
