# Recipes of Vernier. `just` alone lists them.

# The packages' features for GPUs; the same set as in `.ci/device`, so that builds are shared.
wgpu := "model-runner/wgpu,ablation/wgpu,bench/wgpu,vernier-benches/wgpu"

# List the recipes.
default:
    @just --list --unsorted

# Build the binary. The dev profile is optimised, so there is no need for `--release`.
build:
    cargo build --bin bench

# Run all tests, doc tests included.
test:
    cargo test --workspace

# The main job: the first-letter benchmark. Arguments are passed on: `just bench --limit 4`.
bench *args:
    cargo run --bin bench -- {{ args }}

# Train the embedded model and its autoencoders again, then measure them into `results/embedded`.
embedded:
    #!/usr/bin/env bash
    set -euo pipefail
    # The training words: Debian's word list and WordNet. Nothing of them is committed.
    missing=()
    for package in wamerican wordnet-base; do
        dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
    done
    if ((${#missing[@]})); then
        root=()
        if [[ $(id -u) -ne 0 ]]; then root=(sudo); fi
        "${root[@]}" apt-get update
        "${root[@]}" apt-get install --yes --no-install-recommends "${missing[@]}"
    fi
    cargo run --bin bench -- train lm
    # Autoencoders of an older panel would still be measured, and records of an older model still be listed.
    rm -rf datasets/embedded/saes
    cargo run --bin bench -- train sae
    rm -rf results/embedded
    cargo run --bin bench -- --out results/embedded --rerun

# Measure every table and figure of the absorption paper into `results/paper`.
paper:
    cargo run --bin bench -- paper --out results/paper

# Build the documentation of all crates.
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Everything a change must pass: format, lints, tests with doc tests, documentation.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo test --workspace
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Lints and the tests of passes with the feature `wgpu`, on the first adapter. `.ci/device` is the part of it for CI.
wgpu:
    cargo clippy --workspace --all-targets --features {{ wgpu }} -- -D warnings
    VERNIER_TEST_DEVICE=wgpu cargo test --workspace --features {{ wgpu }}

# The reference tools and Vernier side by side, in a virtual environment at DIR.
peers dir:
    benches/peers/run.py --venv {{ dir }}

# Measure speed; results with machine and date belong in `benches/README.md`.
criterion:
    cargo bench -p vernier-benches
