//! Rows of a tensor in a file, read a block at a time.

use std::path::{Path, PathBuf};

use checkpoint::Checkpoint;

use crate::failure;

/// A tensor seen as rows of a width: its last dimensions flattened.
pub(crate) struct Rows {
    checkpoint: Checkpoint,
    file: PathBuf,
    tensor: String,
    /// Dimensions before those that make a row.
    pub(crate) shape: Vec<usize>,
    pub(crate) count: usize,
    width: usize,
}

impl Rows {
    /// Opens `tensor` of `file`; without a name, its only float tensor whose rows have that width.
    pub(crate) fn open(file: &Path, tensor: Option<&str>, width: usize) -> anyhow::Result<Self> {
        let checkpoint = Checkpoint::open(file)?;
        let tensor = match tensor {
            Some(name) => name.to_owned(),
            None => only(&checkpoint, file, width)?,
        };
        let view = checkpoint.get(&tensor)?;
        let Some(split) = split(view.shape, width) else {
            return Err(failure::input(format!(
                "`{}`: tensor `{tensor}` has shape {:?}; its last dimensions must make rows of {width} values",
                file.display(),
                view.shape
            )));
        };
        let shape = view.shape[..split].to_vec();
        let count = shape.iter().product();
        if count == 0 {
            return Err(failure::nothing_selected(format!(
                "`{}`: tensor `{tensor}` holds no row",
                file.display()
            )));
        }
        Ok(Self {
            file: file.to_owned(),
            tensor,
            shape,
            count,
            width,
            checkpoint,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.tensor
    }

    /// Rows `from..to`, `[to - from, width]`.
    pub(crate) fn read(&self, from: usize, to: usize, out: &mut Vec<f32>) -> anyhow::Result<()> {
        out.clear();
        let view = self.checkpoint.get(&self.tensor)?;
        view.extend_f32(from * self.width..to * self.width, out)?;
        if let Some(bad) = out.iter().position(|value| !value.is_finite()) {
            return Err(failure::input(format!(
                "`{}`: tensor `{}`: row {} holds a value that is not finite",
                self.file.display(),
                self.tensor,
                from + bad / self.width
            )));
        }
        Ok(())
    }
}

/// How many leading dimensions stay when the others make rows of `width`.
fn split(shape: &[usize], width: usize) -> Option<usize> {
    // `[.., width]`, or `[.., heads, d_head]` of an attention layer.
    (1..=2.min(shape.len()))
        .map(|last| shape.len() - last)
        .find(|&split| shape[split..].iter().product::<usize>() == width)
}

fn only(checkpoint: &Checkpoint, file: &Path, width: usize) -> anyhow::Result<String> {
    let fits = |name: &&str| {
        checkpoint
            .get(name)
            .is_ok_and(|view| view.extend_f32(0..0, &mut Vec::new()).is_ok() && split(view.shape, width).is_some())
    };
    let found: Vec<&str> = checkpoint.names().filter(fits).collect();
    match found[..] {
        [one] => Ok(one.to_owned()),
        [] => Err(failure::input(format!(
            "`{}` holds no tensor with rows of {width} values",
            file.display()
        ))),
        _ => Err(failure::usage(format!(
            "`{}` holds several tensors with rows of {width} values: {}\nhint: choose one with `--tensor NAME`",
            file.display(),
            found.iter().take(8).copied().collect::<Vec<_>>().join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn heads_are_flattened_and_other_shapes_refused() {
        assert_eq!(split(&[5, 7, 64], 64), Some(2));
        assert_eq!(split(&[5, 4, 16], 64), Some(1));
        assert_eq!(split(&[64], 64), Some(0));
        assert_eq!(split(&[5, 32], 64), None);
        assert_eq!(split(&[], 1), None);
    }
}
