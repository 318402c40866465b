//! Latents and reconstructions against the libraries that wrote the files: `SAELens` 6.54.12 and 3.19.2, `dictionary_learning` 0.1.0,
//! sparsify 1.3.0, and `SAELens`'s readers of Gemma Scope.
//!
//! Every folder is opened without being told what it is, and every stored tensor is compared. Tolerance: 1e-4 of the largest
//! value, for f32 products in another order; they agree to about 1e-6. The bf16 folder was computed in bf16, which has 8 bits: a
//! percent or two after a sum.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use checkpoint::Checkpoint;
use sae::{Format, OpenOptions, Residency, Sae};

use crate::files;

/// How far one tensor of one folder is from the library's.
struct Parity {
    family: String,
    tensor: String,
    /// Largest and mean distance.
    max_abs: f64,
    mean_abs: f64,
    /// Distance that passes.
    tolerance: f64,
}

fn tolerance(folder: &str) -> f64 {
    if folder.contains("bf16") { 0.04 } else { 1e-4 }
}

/// The format of a folder, by its name here.
fn format(folder: &str) -> Format {
    let formats = [
        ("saelens3_", Format::SaeLensFlat),
        ("saelens_", Format::SaeLens6),
        ("dl_", Format::DictionaryLearning),
        ("sparsify_", Format::Sparsify),
        ("gemmascope_", Format::GemmaScope),
        ("gemmascope2_", Format::GemmaScope2),
    ];
    formats
        .into_iter()
        .find(|(prefix, _)| folder.starts_with(prefix))
        .unwrap()
        .1
}

/// Compares everything in a golden file.
fn measure(folder: &Path, residency: Residency, out: &mut Vec<Parity>) {
    let family = folder.strip_prefix(files::root()).unwrap().iter().next().unwrap();
    let family = family.to_string_lossy().into_owned();
    let golden = Checkpoint::open(&folder.join("golden.safetensors")).unwrap();
    let read = |name: &str| golden.get(name).unwrap().to_f32().unwrap();
    let mut seen = BTreeSet::new();
    let mut compare = |tensor: &str, got: &[f32]| {
        seen.insert(tensor.to_owned());
        let want = read(tensor);
        assert_eq!(got.len(), want.len(), "{family} {tensor}");
        let distances = got.iter().zip(&want).map(|(got, want)| f64::from((got - want).abs()));
        let (mut top, mut sum) = (0f64, 0f64);
        for distance in distances {
            assert!(distance.is_finite(), "{family} {tensor}");
            top = top.max(distance);
            sum += distance;
        }
        let scale = want
            .iter()
            .fold(0f64, |scale, &value| scale.max(f64::from(value.abs())));
        out.push(Parity {
            family: family.clone(),
            tensor: tensor.to_owned(),
            max_abs: top,
            mean_abs: sum / want.len() as f64,
            tolerance: tolerance(&family) * scale,
        });
    };
    let options = OpenOptions::new().residency(residency);
    let sae = options.open(folder).unwrap();
    for suffix in ["", "3"] {
        if golden.contains(&format!("input{suffix}")) {
            let latents = sae.encode(&read(&format!("input{suffix}")));
            compare(&format!("acts{suffix}"), &latents.to_dense());
            compare(&format!("recon{suffix}"), &sae.decode(&latents));
        }
    }
    let input = read("input");
    let pair = |prefix: &str, sae: &Sae, compare: &mut dyn FnMut(&str, &[f32])| {
        let latents = sae.encode(&input);
        compare(&format!("{prefix}.acts"), &latents.to_dense());
        if golden.contains(&format!("{prefix}.recon")) {
            compare(&format!("{prefix}.recon"), &sae.decode(&latents));
        }
    };
    // What the library's loader makes of the state.
    if golden.contains("normalized.acts") {
        pair("normalized", &sae.fold_decoder_norms().unwrap(), &mut compare);
    }
    if golden.contains("threshold_mode.acts") {
        let stored = options.stored_threshold().open(folder).unwrap();
        pair("threshold_mode", &stored, &mut compare);
    }
    if golden.contains("folded.acts") {
        let folded = sae.fold_decoder_norms().unwrap();
        assert!(folded.decoder_norms().iter().all(|norm| (norm - 1.0).abs() < 1e-6));
        pair("folded", &folded, &mut compare);
        if golden.contains("folded.W_dec_norm_before") {
            compare("folded.W_dec_norm_before", &sae.decoder_norms());
        }
    }
    for name in golden.names() {
        assert!(
            name.starts_with("input") || seen.contains(name),
            "{family}: nothing compares `{name}`"
        );
    }
}

pub(crate) fn folders() -> Vec<PathBuf> {
    let mut found = Vec::new();
    files::walk(&files::root(), &mut found);
    found.retain(|file| file.ends_with("golden.safetensors"));
    found
        .into_iter()
        .map(|file| file.parent().unwrap().to_owned())
        .collect()
}

/// Fails on the first tensor that is too far off. With `VERNIER_UPDATE_PARITY=1` the table goes to the file that
/// `VERNIER_PARITY_FILE` names.
#[test]
fn parity_table() {
    let folders = folders();
    assert_eq!(folders.len(), 29);
    let mut table = Vec::new();
    for folder in &folders {
        measure(folder, Residency::Auto, &mut table);
    }
    let mut mapped = Vec::new();
    for folder in &folders {
        measure(folder, Residency::Mapped, &mut mapped);
    }
    for row in table.iter().chain(&mapped) {
        let Parity {
            family,
            tensor,
            max_abs,
            tolerance,
            ..
        } = row;
        assert!(
            max_abs <= tolerance,
            "{family} {tensor}: {max_abs:e} is above {tolerance:e}"
        );
    }
    if std::env::var("VERNIER_UPDATE_PARITY").is_ok_and(|value| value == "1") {
        let mut text =
            "| checkpoint | tensor | largest distance | mean distance | tolerance |\n|---|---|---|---|---|\n"
                .to_owned();
        for row in &table {
            writeln!(
                text,
                "| {} | {} | {:.1e} | {:.1e} | {:.1e} |",
                row.family, row.tensor, row.max_abs, row.mean_abs, row.tolerance
            )
            .unwrap();
        }
        std::fs::write(std::env::var("VERNIER_PARITY_FILE").unwrap(), text).unwrap();
    }
}

#[test]
fn every_folder_says_what_it_is() {
    for folder in folders() {
        let name = folder
            .strip_prefix(files::root())
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let sae = Sae::open(&folder).unwrap();
        let identity = sae.identity().unwrap();
        assert_eq!(identity.format, format(&name), "{name}");
        assert_eq!((identity.d_in, identity.d_sae), (64, sae.d_sae()));
        assert!(identity.tensors.len() >= 4 && identity.files[0].is_file(), "{name}");
        // The same from the weight file, and told what it is.
        let again = Sae::open(&identity.files[0]).unwrap();
        let told = Sae::open_as(&folder, identity.format).unwrap();
        assert_eq!((again.weights(), told.weights()), (sae.weights(), sae.weights()));
        assert_eq!(again.content_hash(), sae.content_hash());
        serde_json::to_string(identity).unwrap();
        let hook = identity.hook_in.as_ref().map(|hook| (hook.value.as_str(), hook.guess));
        let guess = name.starts_with("sparsify") || name.starts_with("gemmascope_");
        assert_eq!(hook, Some(("blocks.2.hook_resid_post", guess)), "{name}");
        assert_eq!(sae.config().metadata.hook_name(), Some("blocks.2.hook_resid_post"));
    }
}

#[test]
fn declared_l0() {
    for (name, l0) in [
        ("saelens_topk", Some(12.0)),
        ("saelens_batchtopk", Some(12.0)),
        ("saelens_standard", None),
        ("saelens3_topk", Some(12.0)),
        ("dl_batchtopk", Some(12.0)),
        ("dl_jumprelu", Some(20.0)),
        ("sparsify_groupmax/layers.2", Some(5.0)),
        ("gemmascope_npz/layer_2/width_16k/average_l0_20", Some(20.0)),
        (
            "gemmascope2_safetensors/resid_post/layer_2_width_16k_l0_small",
            Some(20.0),
        ),
    ] {
        let sae = Sae::open(&files::golden(name)).unwrap();
        assert_eq!(sae.declared_l0(), l0, "{name}");
    }
}
