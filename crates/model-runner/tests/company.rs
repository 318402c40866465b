//! What runs beside a prompt, and how many positions run at once, change no bit of its stream: so batches may be cut by memory, and
//! answers may be kept.

use std::path::PathBuf;

use model_runner::{Budget, Keep, PrefixCache, PromptGroup, Residency, Transformer};

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|v| v.to_bits()).collect()
}

/// The shipped model, and one golden folder of each kind of attention and norm.
fn folders() -> Vec<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let goldens = ["gemma2", "gemma3_text", "gpt2", "gpt_neox", "llama", "qwen2"]
        .map(|name| root.join("tests/golden").join(name));
    goldens
        .into_iter()
        .chain([root.join("../../datasets/embedded/model")])
        .collect()
}

fn suffix(at: u32) -> Vec<u32> {
    (0..5).map(|i| 5 + (at * 31 + i * 17) % 150).collect()
}

fn prefix(at: u32, len: u32) -> Vec<u32> {
    (0..len).map(|i| 3 + (at * 13 + i * 7) % 150).collect()
}

#[test]
fn a_chunk_of_several_prefixes_equals_each_prompt_alone() {
    for folder in folders() {
        for residency in [Residency::Resident, Residency::Mapped] {
            let model = Transformer::open_with(&folder, residency, Budget::default()).unwrap();
            let layers = model.config().layers;
            let d = model.config().hidden_size;
            let tokens: Vec<Vec<u32>> = vec![prefix(0, 9), prefix(1, 9), prefix(2, 20)];
            let alone: Vec<PrefixCache> = tokens
                .iter()
                .map(|ids| model.prefix(ids, layers, None).unwrap())
                .collect();
            // Prefixes of one length run together.
            let pair = model.prefixes(&[&tokens[0], &tokens[1]], layers).unwrap();
            let prefixes = [&pair[0], &pair[1], &alone[2]];
            let counts = [3, 1, 2];
            let (mut x, mut at) = (Vec::new(), 0);
            let mut each = Vec::new();
            for (set, &count) in counts.iter().enumerate() {
                for _ in 0..count {
                    let ids = suffix(at);
                    let entering = model.embed(&ids, 1, tokens[set].len()).unwrap();
                    x.extend_from_slice(&entering);
                    let all = model
                        .run(entering.clone(), 1, 0..layers, Some(&alone[set]), Keep::All)
                        .unwrap();
                    // The first positions cannot see the later ones.
                    let first = model
                        .run(entering[..d].to_vec(), 1, 0..layers, Some(&alone[set]), Keep::All)
                        .unwrap();
                    assert_eq!(
                        bits(&first),
                        bits(&all[..d]),
                        "{} {residency:?}: first position",
                        folder.display()
                    );
                    let last = model
                        .run(entering, 1, 0..layers, Some(&alone[set]), Keep::Last)
                        .unwrap();
                    assert_eq!(
                        bits(&last),
                        bits(&all[4 * d..]),
                        "{} {residency:?}: last position",
                        folder.display()
                    );
                    each.extend(all);
                    at += 1;
                }
            }
            let groups: Vec<PromptGroup<'_>> = counts
                .iter()
                .zip(prefixes)
                .map(|(&batch, prefix)| PromptGroup {
                    batch,
                    prefix: Some(prefix),
                })
                .collect();
            let together = model.run_groups(x, &groups, 0..layers, Keep::All).unwrap();
            assert_eq!(bits(&together), bits(&each), "{} {residency:?}", folder.display());
        }
    }
}

#[test]
fn mapped_weights_give_the_bits_of_resident_ones() {
    for folder in folders() {
        let run = |residency| {
            let model = Transformer::open_with(&folder, residency, Budget::default()).unwrap();
            let ids: Vec<u32> = (0..7).flat_map(suffix).collect();
            let layers = model.config().layers;
            bits(
                &model
                    .run(model.embed(&ids, 7, 0).unwrap(), 7, 0..layers, None, Keep::All)
                    .unwrap(),
            )
        };
        assert_eq!(run(Residency::Resident), run(Residency::Mapped), "{}", folder.display());
    }
}

#[test]
fn prefixes_of_several_lengths_are_no_chunk() {
    let model = Transformer::open(&folders()[0]).unwrap();
    let error = model.prefixes(&[&prefix(0, 9), &prefix(1, 8)], 1).unwrap_err();
    assert!(error.to_string().contains("differ in length"), "{error}");
}
