//! A writer of the smallest torch files: a zip archive of stored members with a pickle and one member per tensor.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

/// A value of a state dictionary.
pub(crate) enum Item {
    /// f32 numbers of a shape.
    Tensor(Vec<usize>, Vec<f32>),
    /// A whole number.
    Int(i32),
    /// Text.
    Text(&'static str),
    /// An inner dictionary.
    Dict(Vec<(&'static str, Item)>),
}

/// Writes a dictionary as `torch.save` would.
pub(crate) fn save(path: &Path, items: &[(&'static str, Item)]) {
    let mut pickle = b"\x80\x02".to_vec();
    let mut storages = Vec::new();
    put_dict(&mut pickle, items, &mut storages);
    pickle.push(b'.');
    let mut members = vec![
        ("archive/data.pkl".to_owned(), pickle),
        ("archive/byteorder".to_owned(), b"little".to_vec()),
    ];
    for (at, values) in storages.into_iter().enumerate() {
        members.push((format!("archive/data/{at}"), values));
    }
    members.push(("archive/version".to_owned(), b"3\n".to_vec()));
    std::fs::write(path, zip(&members)).unwrap();
}

fn put_dict(out: &mut Vec<u8>, items: &[(&'static str, Item)], storages: &mut Vec<Vec<u8>>) {
    out.extend(b"}(");
    for (name, item) in items {
        put_text(out, name);
        match item {
            Item::Tensor(shape, values) => put_tensor(out, shape, values, storages),
            Item::Int(value) => put_int(out, *value),
            Item::Text(text) => put_text(out, text),
            Item::Dict(inner) => put_dict(out, inner, storages),
        }
    }
    out.push(b'u');
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    out.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
    out.extend(text.as_bytes());
}

fn put_int(out: &mut Vec<u8>, value: i32) {
    out.push(b'J');
    out.extend(value.to_le_bytes());
}

fn put_tensor(out: &mut Vec<u8>, shape: &[usize], values: &[f32], storages: &mut Vec<Vec<u8>>) {
    assert_eq!(shape.iter().product::<usize>(), values.len());
    out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    put_text(out, "storage");
    out.extend(b"ctorch\nFloatStorage\n");
    put_text(out, &storages.len().to_string());
    put_text(out, "cpu");
    put_int(out, i32::try_from(values.len()).unwrap());
    out.extend(b"tQ");
    put_int(out, 0);
    let mut strides = vec![1; shape.len()];
    for at in (1..shape.len()).rev() {
        strides[at - 1] = strides[at] * shape[at];
    }
    for numbers in [shape, &strides] {
        out.push(b'(');
        for &number in numbers {
            put_int(out, i32::try_from(number).unwrap());
        }
        out.push(b't');
    }
    out.extend(b"\x89ccollections\nOrderedDict\n)RtR");
    storages.push(values.iter().flat_map(|value| value.to_le_bytes()).collect());
}

/// A zip archive of stored members.
fn zip(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in members {
        let size = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        let mut common = vec![10, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        common.extend(crc32(bytes).to_le_bytes());
        common.extend(size);
        common.extend(size);
        common.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        common.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x0a\0");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(u32::try_from(out.len()).unwrap().to_le_bytes());
        directory.extend(name.as_bytes());
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(bytes);
    }
    let (start, count) = (
        u32::try_from(out.len()).unwrap(),
        u16::try_from(members.len()).unwrap().to_le_bytes(),
    );
    let length = u32::try_from(directory.len()).unwrap();
    out.extend(directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(count);
    out.extend(count);
    out.extend(length.to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}
