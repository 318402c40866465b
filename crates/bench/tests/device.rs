//! `bench run` and `bench activations` on a device: done, said in the record, told apart by the key, and in agreement with the CPU.
//!
//! The device is `VERNIER_TEST_DEVICE`; where that is the CPU, the device engine runs on burn's CPU backend.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use checkpoint::Checkpoint;
use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn device() -> String {
    match std::env::var(model_runner::testing::VARIABLE) {
        Ok(name) if name != "flex" => name,
        _ => "flex-graph".to_owned(),
    }
}

fn bench(args: &[&str]) -> std::process::Output {
    Command::cargo_bin("bench")
        .unwrap()
        .current_dir(root())
        .args(args)
        .output()
        .unwrap()
}

/// Records of a small run, by SAE.
fn run(out: &Path, device: &str) -> Vec<Value> {
    let sae = root().join("datasets/embedded/saes/topk-1024-k16");
    let small = "--limit 3 --letters a-d --probe-words 1200 --replicates 200 --random-draws 1 --progress none";
    let mut args = vec!["run", "--sae", sae.to_str().unwrap(), "--out", out.to_str().unwrap()];
    args.extend(["--device", device]);
    args.extend(small.split(' '));
    let output = bench(&args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut records: Vec<Value> = files(out)
        .iter()
        .filter(|path| path.extension().is_some_and(|ext| ext == "json"))
        .map(|path| serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
        .filter(|record: &Value| record.get("results_blake3").is_some())
        .collect();
    records.sort_by_key(|record| record["spec"]["sae"].is_null());
    assert_eq!(records.len(), 2);
    records
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path);
        }
    }
    all
}

/// Shares are ratios of sums of log-odds that agree to about 1e-4 of 20 nats; where a latent's choice or a letter's ceiling hangs on
/// such a difference, a value may differ by more, so a few per cent of the values may.
#[test]
fn a_run_on_the_device_agrees_with_the_cpu() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let host = run(here.path(), "flex");
    let other = run(there.path(), &device());
    let kind = device().split(':').next().unwrap().to_owned();
    let (mut compared, mut apart) = (0, Vec::new());
    for (a, b) in host.iter().zip(&other) {
        assert_ne!(a["key"], b["key"], "the key tells devices apart");
        assert_eq!(b["spec"]["device"], kind.as_str());
        assert_eq!(a["env"]["device"], "flex");
        assert!(b["env"]["device"].as_str().unwrap().starts_with(&kind));
        let (a, b) = (a["summary"].as_object().unwrap(), b["summary"].as_object().unwrap());
        assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
        for (name, value) in a {
            let (Some(x), Some(y)) = (value["value"].as_f64(), b[name]["value"].as_f64()) else {
                continue;
            };
            compared += 1;
            if (x - y).abs() > 2e-3 * x.abs().max(1.0) {
                apart.push(format!("{name}: {x} on the CPU, {y} on the device"));
            }
        }
    }
    println!("{compared} values, {} apart: {apart:#?}", apart.len());
    assert!(compared > 50, "{compared}");
    assert!(apart.len() * 50 <= compared, "{apart:#?}");
}

#[test]
fn activations_of_the_device_equal_the_cpus() {
    let temp = tempfile::tempdir().unwrap();
    let prompts = temp.path().join("prompts.txt");
    std::fs::write(&prompts, "cat has the first letter: C\ndog has the first letter:\n").unwrap();
    let points = "resid_post.*,mlp_post.1,z.2,resid_mid.0,resid_pre.0,final_norm_out,logits";
    let dump = |device: &str| {
        let out = temp.path().join(format!("{device}.safetensors"));
        let output = bench(&[
            "activations",
            "--prompts",
            prompts.to_str().unwrap(),
            "--points",
            points,
            "--names",
            "short",
            "--device",
            device,
            "--out",
            out.to_str().unwrap(),
        ]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Checkpoint::open(&out).unwrap()
    };
    let (host, other) = (dump("flex"), dump(&device()));
    for name in host.names().filter(|name| !matches!(*name, "input_ids" | "offsets")) {
        let (a, b) = (
            host.get(name).unwrap().to_f32().unwrap(),
            other.get(name).unwrap().to_f32().unwrap(),
        );
        assert_eq!(a.len(), b.len(), "{name}");
        let scale = a.iter().fold(1f32, |top, v| top.max(v.abs()));
        for (a, b) in a.iter().zip(&b) {
            assert!((a - b).abs() <= 2e-5 * scale, "{name}: {a} and {b} at scale {scale}");
        }
    }
}

#[test]
fn a_device_that_is_not_there_is_refused_with_a_remedy() {
    for (name, parts) in [
        ("wgpu:4242", ["wgpu:4242", "hint: "]),
        ("wgpu:x", ["wgpu:x", "wgpu:N"]),
        ("abacus", ["abacus", "flex"]),
    ] {
        let out = tempfile::tempdir().unwrap();
        for verb in ["run", "paper"] {
            let output = bench(&[verb, "--device", name, "--out", out.path().to_str().unwrap()]);
            let message = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{message}");
            assert!(!message.contains("panicked"), "{message}");
            for part in parts {
                assert!(message.contains(part), "`{part}` is not in: {message}");
            }
        }
    }
}
