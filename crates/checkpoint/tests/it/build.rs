//! Archives and pickles byte by byte, also wrong ones.

use std::io::Write;

/// A zip archive under construction.
#[derive(Default)]
pub(crate) struct Zip {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    members: u64,
    /// Whether all sizes and places go to zip64 fields.
    wide: bool,
}

impl Zip {
    pub(crate) fn new(wide: bool) -> Self {
        Self {
            wide,
            ..Self::default()
        }
    }

    pub(crate) fn stored(self, name: &str, bytes: &[u8]) -> Self {
        self.member(name, 0, bytes, bytes.len(), 0)
    }

    pub(crate) fn deflated(self, name: &str, bytes: &[u8]) -> Self {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(6));
        encoder.write_all(bytes).expect("memory");
        let packed = encoder.finish().expect("memory");
        self.member(name, 8, &packed, bytes.len(), crc.sum())
    }

    /// Any member, also one whose size and method do not fit its bytes.
    pub(crate) fn member(mut self, name: &str, method: u16, packed: &[u8], size: usize, crc: u32) -> Self {
        let offset = self.bytes.len() as u64;
        let sizes = [size as u64, packed.len() as u64];
        let narrow = |value: u64| if self.wide { u32::MAX } else { value as u32 };
        let head = |extra: usize| {
            let mut head = vec![45, 0, 0, 0];
            head.extend(method.to_le_bytes());
            head.extend([0; 4]);
            head.extend(crc.to_le_bytes());
            head.extend(narrow(sizes[1]).to_le_bytes());
            head.extend(narrow(sizes[0]).to_le_bytes());
            head.extend((name.len() as u16).to_le_bytes());
            head.extend((extra as u16).to_le_bytes());
            head
        };
        // The local header is padded, as PyTorch does to align the data.
        self.bytes
            .extend([b"PK\x03\x04", &head(7)[..], name.as_bytes(), b"FB\x03\0ZZZ", packed].concat());
        let extra: Vec<u8> = if self.wide {
            let wide = [sizes[0], sizes[1], offset];
            [&[1, 0, 24, 0], wide.map(u64::to_le_bytes).as_flattened()].concat()
        } else {
            Vec::new()
        };
        let offset = narrow(offset).to_le_bytes();
        self.directory.extend(
            [
                b"PK\x01\x02\0\0",
                &head(extra.len())[..],
                &[0; 10],
                &offset,
                name.as_bytes(),
                &extra,
            ]
            .concat(),
        );
        self.members += 1;
        self
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        let (offset, size) = (self.bytes.len() as u64, self.directory.len() as u64);
        let end = offset + size;
        let mut bytes = [self.bytes, self.directory].concat();
        let narrow = |value: u64| if self.wide { u32::MAX } else { value as u32 }.to_le_bytes();
        let count = if self.wide { u16::MAX } else { self.members as u16 }.to_le_bytes();
        if self.wide {
            let fields = [44, 0, 0, self.members, self.members, size, offset];
            bytes.extend(b"PK\x06\x06");
            bytes.extend(fields[..2].iter().flat_map(|field| field.to_le_bytes()).take(12));
            bytes.extend([0; 8]);
            bytes.extend(fields[3..].iter().flat_map(|field| field.to_le_bytes()));
            bytes.extend([b"PK\x06\x07\0\0\0\0", &end.to_le_bytes()[..], &[1, 0, 0, 0]].concat());
        }
        bytes.extend(
            [
                b"PK\x05\x06\0\0\0\0",
                &count[..],
                &count,
                &narrow(size),
                &narrow(offset),
                b"\0\0",
            ]
            .concat(),
        );
        bytes
    }
}

/// Writes pickles by hand, in the notation of the machine that reads them.
pub(crate) mod pickle {
    pub(crate) fn text(text: &str) -> Vec<u8> {
        [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
    }

    pub(crate) fn int(value: i32) -> Vec<u8> {
        [b"J", &value.to_le_bytes()[..]].concat()
    }

    pub(crate) fn tuple(items: &[Vec<u8>]) -> Vec<u8> {
        [b"(", &items.concat()[..], b"t"].concat()
    }

    pub(crate) fn ints(values: &[i32]) -> Vec<u8> {
        tuple(&values.iter().map(|&value| int(value)).collect::<Vec<_>>())
    }

    pub(crate) fn dict(pairs: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let pairs: Vec<u8> = pairs
            .iter()
            .flat_map(|(key, value)| [text(key), value.clone()].concat())
            .collect();
        [b"}(", &pairs[..], b"u"].concat()
    }

    pub(crate) fn call(module: &str, name: &str, arguments: &[Vec<u8>]) -> Vec<u8> {
        [format!("c{module}\n{name}\n").as_bytes(), &tuple(arguments), b"R"].concat()
    }

    pub(crate) fn storage(class: &str, key: &str, count: i32) -> Vec<u8> {
        let class = format!("ctorch\n{class}\n").into_bytes();
        [
            tuple(&[text("storage"), class, text(key), text("cpu"), int(count)]),
            b"Q".to_vec(),
        ]
        .concat()
    }

    pub(crate) fn tensor(storage: Vec<u8>, offset: i32, shape: &[i32], strides: &[i32]) -> Vec<u8> {
        let arguments = [
            storage,
            int(offset),
            ints(shape),
            ints(strides),
            vec![0x89],
            b"}".to_vec(),
        ];
        call("torch._utils", "_rebuild_tensor_v2", &arguments)
    }

    pub(crate) fn whole(value: &[u8]) -> Vec<u8> {
        [b"\x80\x02", value, b"."].concat()
    }
}

/// An archive of `torch.save` with this pickled value and one storage, `data/0`.
pub(crate) fn torch_archive(value: &[u8], storage: &[u8]) -> Vec<u8> {
    Zip::default()
        .stored("a/data.pkl", &pickle::whole(value))
        .stored("a/data/0", storage)
        .finish()
}
