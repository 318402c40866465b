//! Bytes changed at random: whatever they are, the answer is a result.

use checkpoint::fuzz;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::support::fixture;

type Fuzz = fn(&[u8]);

const FIXTURES: [(&str, Fuzz); 9] = [
    ("tensors.pt", fuzz::torch),
    ("objects2.pt", fuzz::torch),
    ("objects4.pt", fuzz::torch),
    ("objects5.pt", fuzz::torch),
    ("foreign.pt", fuzz::torch),
    ("arrays.npz", fuzz::npz),
    ("arrays_deflated.npz", fuzz::npz),
    ("one.npy", fuzz::npy),
    ("tensors.safetensors", fuzz::safetensors),
];

fn read(name: &str) -> Vec<u8> {
    fs_err::read(fixture(name)).expect("a fixture")
}

/// One change: at a place, one of a few kinds.
fn edit() -> impl Strategy<Value = (Index, u8, u8)> {
    (any::<Index>(), 0..5_u8, any::<u8>())
}

fn apply(bytes: &mut Vec<u8>, (index, kind, value): (Index, u8, u8)) {
    if bytes.is_empty() {
        return;
    }
    let at = index.index(bytes.len());
    match kind {
        0 => bytes[at] = value,
        1 => bytes[at] ^= 1 << (value % 8),
        2 => bytes.insert(at, value),
        3 => drop(bytes.remove(at)),
        _ => {
            let end = bytes.len().min(at + usize::from(value % 8));
            bytes[at..end].fill(0xff);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn of_every_fixture(edits in prop::collection::vec(edit(), 1..6)) {
        for (name, parse) in FIXTURES {
            let mut bytes = read(name);
            for edit in &edits {
                apply(&mut bytes, *edit);
            }
            parse(&bytes);
        }
    }

    /// Changes that leave the archive around the pickle whole.
    #[test]
    fn of_the_pickle_alone(edits in prop::collection::vec(edit(), 1..6)) {
        for name in ["tensors.pt", "objects2.pt", "objects5.pt"] {
            let file = read(name);
            // PyTorch stores the pickle first, behind a local header without a size.
            let start = file.windows(2).position(|bytes| bytes == b"\x80\x02" || bytes == b"\x80\x05").expect("a pickle");
            let length = file[start..].windows(4).position(|bytes| bytes == b"PK\x07\x08").expect("its end");
            let mut pickle = file[start..start + length].to_vec();
            let original = pickle.clone();
            for edit in &edits {
                apply(&mut pickle, *edit);
            }
            fuzz::torch(&pickle);
            pickle.resize(original.len(), b'.');
            let mut file = file;
            file[start..start + length].copy_from_slice(&pickle);
            fuzz::torch(&file);
        }
    }

    #[test]
    fn of_nothing(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        for (_, parse) in FIXTURES {
            parse(&bytes);
        }
        fuzz::npy(&[b"\x93NUMPY\x01\0\x20\0", &bytes[..]].concat());
        fuzz::torch(&[b"\x80\x02", &bytes[..]].concat());
    }
}
