"""Vernier's captured vectors with the letters beside them: one file for `bench probe` and `bench absorption`."""

import sys
from pathlib import Path

from safetensors.numpy import load_file, save_file


def main(prompts: Path, streams: Path, tensor: str, out: Path) -> None:
    letters = load_file(prompts)
    x = load_file(streams)[tensor]
    train = len(letters["y_train"])
    save_file(
        {"X_train": x[:train], "X_test": x[train:], "y_train": letters["y_train"], "y_test": letters["y_test"]}, out
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
