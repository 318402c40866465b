//! Models and SAEs from where researchers have them: other families, other formats, a Hugging Face cache.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use checkpoint::Checkpoint;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn models() -> PathBuf {
    root().join("crates/model-runner/tests/golden")
}

fn saes() -> PathBuf {
    root().join("crates/sae/tests/golden/open")
}

fn bench(cache: &Path, args: &[&str]) -> Output {
    let mut command = Command::cargo_bin("bench").unwrap();
    command.current_dir(root()).env("HF_HUB_CACHE", cache).args(args);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn done(output: &Output) -> (String, String) {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{err}");
    (out, err)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

/// A cache with one model and one release of three SAEs, laid out as the hub's library does.
fn cache(family: &str) -> tempfile::TempDir {
    let cache = tempfile::tempdir().unwrap();
    let snapshot = |repo: &str| {
        let folder = cache.path().join(format!("models--{}", repo.replace('/', "--")));
        std::fs::create_dir_all(folder.join("refs")).unwrap();
        std::fs::write(folder.join("refs/main"), COMMIT).unwrap();
        folder.join("snapshots").join(COMMIT)
    };
    let model = snapshot("someone/model");
    copy(&models().join(family), &model);
    let style = if ["gpt2", "gpt_neox", "qwen2"].contains(&family) {
        "gpt2_style"
    } else {
        "gemma_style"
    };
    let tokenizer = models().join("tokenizers").join(style).join("tokenizer.json");
    std::fs::copy(tokenizer, model.join("tokenizer.json")).unwrap();
    let release = snapshot("someone/saes-res");
    let params = saes().join("gemmascope_npz/layer_2/width_16k/average_l0_20/params.npz");
    for l0 in ["average_l0_9", "average_l0_20"] {
        let folder = release.join("layer_2/width_16k").join(l0);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::copy(&params, folder.join("params.npz")).unwrap();
    }
    cache
}

/// The numbers are of random models, so only that it runs, and what it says of itself, is looked at.
#[test]
fn every_style_of_family_runs_from_the_cache() {
    for (family, bos) in [("llama", "token 2"), ("gpt2", "token 0"), ("qwen2", "no")] {
        let cache = cache(family);
        let out = tempfile::tempdir().unwrap();
        let sae = saes().join("dl_topk");
        let output = bench(
            cache.path(),
            &[
                "run",
                "--model",
                "someone/model",
                "--sae",
                sae.to_str().unwrap(),
                "--limit",
                "2",
                "--examples",
                "3",
                "--replicates",
                "200",
                "--out",
                out.path().to_str().unwrap(),
            ],
        );
        let (_, err) = done(&output);
        assert!(err.contains("No conclusion"), "{family}: {err}");
        let record = std::fs::read_dir(out.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_str().unwrap().contains("dl_topk") && path.extension().is_some_and(|e| e == "json"))
            .unwrap();
        let record: serde_json::Value = serde_json::from_slice(&std::fs::read(record).unwrap()).unwrap();
        let spec = &record["spec"];
        assert_eq!(spec["model"]["id"], "someone/model");
        assert_eq!(spec["model"]["revision"], COMMIT);
        assert_eq!(spec["model"]["family"], family);
        let used = &spec["settings"]["bos"];
        assert_eq!(
            used.as_u64().map_or("no".to_owned(), |id| format!("token {id}")),
            bos,
            "{family}"
        );
    }
}

#[test]
fn a_glob_takes_all_saes_of_a_release_in_natural_order() {
    let cache = cache("llama");
    let out = tempfile::tempdir().unwrap();
    let output = bench(
        cache.path(),
        &[
            "run",
            "--model",
            "someone/model@main",
            "--sae",
            "someone/saes-res:layer_2/width_16k/*",
            "--limit",
            "2",
            "--replicates",
            "200",
            "--format",
            "csv",
            "--out",
            out.path().to_str().unwrap(),
        ],
    );
    let (stdout, err) = done(&output);
    let first = stdout.find("someone/saes-res:layer_2/width_16k/average_l0_9").unwrap();
    let second = stdout.find("someone/saes-res:layer_2/width_16k/average_l0_20").unwrap();
    assert!(first < second, "{stdout}");
    assert!(err.contains("sae-note"), "a hook that was guessed is a warning: {err}");
}

#[test]
fn cached_models_are_listed() {
    let cache = cache("llama");
    let (out, _) = done(&bench(cache.path(), &["ls", "models", "--format", "csv"]));
    assert!(out.contains("someone/model,llama"), "{out}");
    assert!(!out.contains("someone/saes-res,"), "{out}");
}

#[test]
fn what_is_not_cached_names_the_command_that_fetches_it() {
    let cache = cache("llama");
    for (args, names) in [
        (
            vec!["inspect", "nobody/nothing"],
            vec!["hf download nobody/nothing", "searched"],
        ),
        (
            vec!["inspect", "someone/saes-res:layer_2/width_16k/average_l0_21"],
            vec!["average_l0_20"],
        ),
        (
            vec!["run", "--model", "google/gemma-2-2b"],
            vec!["hf auth login", "google/gemma-2-2b"],
        ),
    ] {
        let output = bench(cache.path(), &args);
        let err = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{err}");
        for name in names {
            assert!(err.contains(name), "`{name}` is not in: {err}");
        }
    }
}

#[test]
fn saes_that_do_not_stand_in_the_stream_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    copy(&saes().join("saelens_standard"), folder.path());
    let cfg = folder.path().join("cfg.json");
    let elsewhere = text(&std::fs::read(&cfg).unwrap()).replace("blocks.2.hook_resid_post", "blocks.2.hook_mlp_out");
    std::fs::write(&cfg, elsewhere).unwrap();
    let cache = cache("llama");
    let args = [
        "run",
        "--model",
        "someone/model",
        "--sae",
        folder.path().to_str().unwrap(),
    ];
    let output = bench(cache.path(), &args);
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{err}");
    assert!(
        err.contains("blocks.2.hook_mlp_out") && err.contains("bench encode"),
        "{err}"
    );
}

#[test]
fn prompts_of_different_lengths_become_rows() {
    let cache = cache("gpt2");
    let folder = tempfile::tempdir().unwrap();
    let (lines, out) = (folder.path().join("p.txt"), folder.path().join("o.safetensors"));
    std::fs::write(&lines, "short\na longer line of text\nshort\n").unwrap();
    let dump = |extra: &[&str]| {
        let mut args = vec![
            "activations",
            "--model",
            "someone/model",
            "--prompts",
            lines.to_str().unwrap(),
        ];
        args.extend([
            "--points",
            "resid_post.*,z.1,logits",
            "--names",
            "short",
            "--out",
            out.to_str().unwrap(),
        ]);
        args.extend(extra);
        let (_, err) = done(&bench(cache.path(), &args));
        (Checkpoint::open(&out).unwrap(), err)
    };
    let (all, err) = dump(&[]);
    assert!(err.contains("token 0"), "the policy is said: {err}");
    let offsets = all.get("offsets").unwrap().to_i64().unwrap();
    let rows = *offsets.last().unwrap() as usize;
    assert_eq!((offsets.len(), offsets[0]), (4, 0));
    assert_eq!(all.get("resid_post.3").unwrap().shape, [rows, 64]);
    assert_eq!(all.get("logits").unwrap().shape, [rows, 1000]);
    assert_eq!(all.get("z.1").unwrap().shape, [rows, 64]);
    // The same prompt twice gives the same rows, wherever it stands.
    let values = all.get("resid_post.3").unwrap().to_f32().unwrap();
    let (first, third) = (offsets[1] as usize * 64, offsets[2] as usize * 64);
    for (a, b) in values[..first].iter().zip(&values[third..]) {
        // Batches of other sizes sum in another order.
        assert!((a - b).abs() <= 1e-4, "{a} {b}");
    }
    let (last, _) = dump(&["--last"]);
    assert_eq!(last.get("resid_post.0").unwrap().shape, [3, 64]);
    let tail = last.get("resid_post.3").unwrap().to_f32().unwrap();
    assert!((tail[0] - values[first - 64]).abs() < 1e-5);
    let (without, _) = dump(&["--bos", "never"]);
    assert_eq!(without.get("input_ids").unwrap().shape, [rows - 3]);
}

#[test]
fn dumps_refuse_what_they_cannot_do() {
    let cache = cache("gpt2");
    let folder = tempfile::tempdir().unwrap();
    let (lines, out) = (folder.path().join("p.txt"), folder.path().join("o.safetensors"));
    std::fs::write(&lines, "short\n").unwrap();
    let (lines, out_text) = (lines.to_str().unwrap().to_owned(), out.to_str().unwrap());
    let acts = saes().join("saelens_standard/golden.safetensors");
    let sae = saes().join("saelens_standard");
    let (acts, sae) = (acts.to_str().unwrap(), sae.to_str().unwrap());
    let cases: [(Vec<&str>, i32, &str); 7] = [
        (
            vec!["activations", "--model", "someone/model", "--prompts", &lines],
            2,
            "--points",
        ),
        (
            vec![
                "activations",
                "--model",
                "someone/model",
                "--prompts",
                &lines,
                "--points",
                "resid_post.9",
            ],
            2,
            "resid_post.9",
        ),
        (
            vec![
                "activations",
                "--model",
                "someone/model",
                "--prompts",
                &lines,
                "--points",
                "attn_raw.1",
            ],
            2,
            "gpt2",
        ),
        (
            vec!["activations", "--model", "someone/model", "--ids", acts],
            3,
            "input_ids",
        ),
        (
            vec!["encode", "--sae", sae, "--acts", acts, "--tensor", "acts"],
            3,
            "64",
        ),
        (
            vec!["encode", "--sae", sae, "--acts", acts, "--tensor", "input", "--k", "3"],
            3,
            "k",
        ),
        (
            vec![
                "encode",
                "--sae",
                sae,
                "--acts",
                acts,
                "--tensor",
                "input",
                "--sae-format",
                "abacus",
            ],
            2,
            "gemma-scope",
        ),
    ];
    for (mut args, code, name) in cases {
        args.extend(["--out", out_text]);
        let output = bench(cache.path(), &args);
        let err = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {err}");
        assert!(err.contains(name), "`{name}` is not in: {err}");
        assert!(!out.exists(), "{args:?} left a file");
    }
}

#[test]
fn sparse_latents_equal_the_dense_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (dense, sparse) = (folder.path().join("d.safetensors"), folder.path().join("s.safetensors"));
    let sae = saes().join("saelens_abstopk");
    let acts = sae.join("golden.safetensors");
    let run = |out: &Path, extra: &[&str]| {
        let mut args = vec![
            "encode",
            "--sae",
            sae.to_str().unwrap(),
            "--acts",
            acts.to_str().unwrap(),
        ];
        args.extend(["--tensor", "input", "--out", out.to_str().unwrap()]);
        args.extend(extra);
        done(&bench(folder.path(), &args)).0
    };
    let measured: serde_json::Value = serde_json::from_str(&run(&dense, &[])).unwrap();
    assert_eq!(
        (measured["rows"].as_u64(), measured["l0"].as_f64()),
        (Some(32), Some(12.0))
    );
    run(&sparse, &["--sparse"]);
    let (dense, sparse) = (Checkpoint::open(&dense).unwrap(), Checkpoint::open(&sparse).unwrap());
    let ends = sparse.get("indptr").unwrap().to_i64().unwrap();
    let (index, values) = (
        sparse.get("indices").unwrap().to_i64().unwrap(),
        sparse.get("values").unwrap().to_f32().unwrap(),
    );
    let mut rebuilt = vec![0f32; 32 * 160];
    for row in 0..32 {
        for entry in ends[row] as usize..ends[row + 1] as usize {
            rebuilt[row * 160 + index[entry] as usize] = values[entry];
        }
    }
    assert_eq!(rebuilt, dense.get("acts").unwrap().to_f32().unwrap());
    assert!(values.iter().any(|&value| value < 0.0), "magnitudes keep their sign");
    let recon = |of: &Checkpoint| of.get("recon").unwrap().to_f32().unwrap();
    assert_eq!(recon(&dense), recon(&sparse));
}

#[test]
fn inspect_measures_and_warns() {
    let folder = tempfile::tempdir().unwrap();
    let sae = root().join("datasets/embedded/saes/batchtopk-512-k4-s0");
    let args = ["inspect", sae.to_str().unwrap(), "--model", "embedded"];
    let (out, err) = done(&bench(folder.path(), &args));
    assert!(
        out.contains("measured L0") && out.contains("explained variance"),
        "{out}"
    );
    assert!(!err.contains("warning"), "{err}");
    // A threshold of another scale: the usual mistake in reading one.
    let acts = saes().join("saelens_batchtopk/golden.safetensors");
    let sae = saes().join("saelens_batchtopk");
    let args = [
        "inspect",
        sae.to_str().unwrap(),
        "--acts",
        acts.to_str().unwrap(),
        "--tensor",
        "input",
    ];
    let (out, err) = done(&bench(folder.path(), &args));
    assert!(out.contains("declared L0"), "{out}");
    assert!(err.contains("warning") && err.contains("12 were declared"), "{err}");
    let model = models().join("gemma3_nested");
    let (out, _) = done(&bench(
        folder.path(),
        &["inspect", model.to_str().unwrap(), "--format", "md"],
    ));
    assert!(
        out.contains("text_config.rope_scaling") && out.contains("not of the text model"),
        "{out}"
    );
}
