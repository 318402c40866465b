//! An open checkpoint: mapped files and one table of names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use serde_json::Value;

use crate::contents::{self, Contents};
use crate::entry::Entry;
use crate::fault::Fault;
use crate::locate::{Located, locate};
use crate::{CheckpointError, TensorView, WeightFormat};

/// A memory-mapped file that has been parsed.
#[derive(Debug)]
struct WeightFile {
    path: PathBuf,
    map: Mmap,
    contents: Contents,
}

impl WeightFile {
    fn open(
        path: PathBuf,
        parse: impl FnOnce(&Path, &[u8]) -> Result<Contents, CheckpointError>,
    ) -> Result<Self, CheckpointError> {
        let file = fs_err::File::open(&path).map_err(CheckpointError::io("open", &path))?;
        #[expect(unsafe_code, reason = "memory mapping is the point; see the safety comment")]
        // SAFETY: the map is read-only and private to this value. As with every mapped file, another process that truncates it
        // while it is open ends this process with SIGBUS; one that overwrites it changes the numbers that are read.
        // Our own writers replace files by renaming, which leaves an open map untouched.
        let map = unsafe { Mmap::map(file.file()) }.map_err(CheckpointError::io("map", &path))?;
        let contents = parse(&path, &map)?;
        Ok(Self { path, map, contents })
    }
}

/// Named tensors in one memory-mapped file of any [`WeightFormat`], or in several safetensors files.
///
/// Opening reads the headers only. Tensor bytes are read when a [`TensorView`] is converted. Tensors that do not lie in the file row
/// by row (transposed views, column-major arrays, deflated members) are copied into that order when [`Checkpoint::get`] first asks for
/// them, and the copy is kept as long as the checkpoint.
#[derive(Debug)]
pub struct Checkpoint {
    root: PathBuf,
    files: Vec<WeightFile>,
    /// Tensor name to the index of its file.
    names: BTreeMap<String, usize>,
    metadata: BTreeMap<String, String>,
    values: BTreeMap<String, Value>,
}

impl Checkpoint {
    /// Opens `path`: a weight file, or a folder with `model.safetensors` or with shards and `model.safetensors.index.json`.
    ///
    /// The format of a file is told by its first bytes, whatever it is called. The tensor of a `.npy` file, and a lone tensor or value
    /// of a torch file, are named after the file without its extension.
    ///
    /// # Errors
    /// [`CheckpointError::Missing`] if there are no weights or a shard is absent, [`CheckpointError::Truncated`],
    /// [`CheckpointError::Header`], [`CheckpointError::Format`] or [`CheckpointError::Tensor`] for a damaged or foreign file, [`CheckpointError::MissingTensor`] if a shard lacks a tensor that
    /// the index places in it, [`CheckpointError::Json`] for a bad index, [`CheckpointError::Io`] otherwise.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let mut values = BTreeMap::new();
        let (files, names) = match locate(path)? {
            Located::Single(file) => {
                let mut file = WeightFile::open(file, contents::parse)?;
                values = std::mem::take(&mut file.contents.values);
                let names = file.contents.tensors.keys().map(|name| (name.clone(), 0)).collect();
                (vec![file], names)
            }
            Located::Sharded { index, shards } => open_shards(&index, shards)?,
        };
        let mut metadata = BTreeMap::new();
        for (key, value) in files.iter().flat_map(|file| &file.contents.metadata) {
            metadata.entry(key.clone()).or_insert_with(|| value.clone());
        }
        Ok(Self {
            root: path.to_owned(),
            files,
            names,
            metadata,
            values,
        })
    }

    /// The path that was opened.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// Whether there is a tensor of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// The free-form strings of the headers (`__metadata__`); the first shard that has a key wins.
    #[must_use]
    pub const fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The format of the file, or of all shards.
    #[must_use]
    pub fn format(&self) -> WeightFormat {
        self.files
            .first()
            .map_or(WeightFormat::Safetensors, |file| file.contents.format)
    }

    /// What a torch file holds beside tensors, under dotted names; empty for other formats.
    ///
    /// Numbers, text and arrays of them are those of JSON. Integers beyond 64 bits are decimal text, `nan` and infinities are the
    /// text `NaN`, `Infinity` and `-Infinity`, a type is `torch.float32`, an empty dictionary is `{}`. An object or a class is
    /// `{"__class__": "module.Name"}`: nothing of it is run. Its constructor's arguments follow as `name.__args__.0` and so on, its
    /// attributes as `name.attribute`.
    #[must_use]
    pub const fn values(&self) -> &BTreeMap<String, Value> {
        &self.values
    }

    /// The weight files, in name order.
    #[must_use]
    pub fn files(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// Bytes of all tensors together, as stored.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.names
            .iter()
            .filter_map(|(name, &file)| self.entry(name, file))
            .map(|entry| entry.length() as u64)
            .sum()
    }

    fn entry(&self, name: &str, file: usize) -> Option<&Entry> {
        self.files.get(file)?.contents.tensors.get(name)
    }

    /// The tensor `name`, borrowed from its file.
    ///
    /// # Errors
    /// [`CheckpointError::MissingTensor`] if there is none, [`CheckpointError::Dtype`] if it has a type that is not in [`crate::Dtype`],
    /// [`CheckpointError::Tensor`] if its deflated bytes are damaged.
    pub fn get(&self, name: &str) -> Result<TensorView<'_>, CheckpointError> {
        let found = self
            .names
            .get_key_value(name)
            .and_then(|(name, &index)| Some((name, index, self.entry(name, index)?)));
        let Some((name, index, entry)) = found else {
            return Err(missing_tensor(&self.root, name, self.names()));
        };
        let file = &self.files[index];
        let dtype = entry.dtype.clone().map_err(|found| CheckpointError::Dtype {
            file: file.path.clone(),
            tensor: name.clone(),
            expected: "a type that this program reads".to_owned(),
            found,
        })?;
        let bytes = entry
            .bytes(&file.map)
            .map_err(|reason| Fault::tensor(name, reason).into_error(&file.path, file.contents.format))?;
        Ok(TensorView {
            file: &file.path,
            name,
            dtype,
            shape: &entry.shape,
            bytes,
        })
    }
}

fn open_shards(
    index: &Path,
    shards: BTreeMap<String, PathBuf>,
) -> Result<(Vec<WeightFile>, BTreeMap<String, usize>), CheckpointError> {
    let mut order: Vec<PathBuf> = shards.values().cloned().collect();
    order.sort();
    order.dedup();
    let files = order
        .into_iter()
        .map(|path| WeightFile::open(path, contents::safetensors))
        .collect::<Result<Vec<_>, _>>()?;
    let mut names = BTreeMap::new();
    for (tensor, shard) in shards {
        let holder = files
            .iter()
            .position(|file| file.path == shard && file.contents.tensors.contains_key(&tensor));
        let Some(holder) = holder else {
            return Err(CheckpointError::MissingTensor {
                file: shard,
                tensor,
                hint: format!(
                    "`{}` places it there; index and shards are from different downloads",
                    index.display()
                ),
            });
        };
        names.insert(tensor, holder);
    }
    Ok((files, names))
}

fn missing_tensor<'a>(root: &Path, name: &str, names: impl ExactSizeIterator<Item = &'a str>) -> CheckpointError {
    let count = names.len();
    let some: Vec<String> = names.take(3).map(|name| format!("`{name}`")).collect();
    let hint = match count {
        0 => "it holds no tensors".to_owned(),
        1..=3 => format!("it holds {}", some.join(", ")),
        _ => format!("it holds {count} tensors, such as {}", some.join(", ")),
    };
    CheckpointError::MissingTensor {
        file: root.to_owned(),
        tensor: name.to_owned(),
        hint,
    }
}
