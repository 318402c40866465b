//! A linear probe from the tensors of a file, under any of the names that programs give them.
//!
//! Deliberately absent: probes with hidden layers, and a direction without a class.

use std::path::Path;

use checkpoint::Checkpoint;
use linear_probe::SgdProbe;

use super::input::wrong;
use crate::failure;

/// Names of the weight, most usual first.
const NAMES: [&str; 4] = ["weight", "probe_weight", "probe.weight", "W"];

/// A probe as it was found.
pub(crate) struct Given {
    pub(crate) probe: SgdProbe,
    pub(crate) weight: String,
    /// `None` where the file has no bias; it is zero then.
    pub(crate) bias: Option<String>,
}

/// Reads weight and bias. `flag`: the option that names the file, such as `--probe`.
pub(crate) fn read(flag: &str, file: &Path, weight: Option<&str>, bias: Option<&str>) -> anyhow::Result<Given> {
    let checkpoint = Checkpoint::open(file)?;
    let usual = NAMES.into_iter().find(|name| checkpoint.contains(name));
    let name = weight.or(usual).ok_or_else(|| {
        let some: Vec<String> = checkpoint.names().take(8).map(|name| format!("`{name}`")).collect();
        failure::input(format!(
            "`{}` holds no tensor `weight`, `probe_weight` or `W`: it has {}\nhint: name it with `{flag}-weight NAME`",
            file.display(),
            some.join(", ")
        ))
    })?;
    let view = checkpoint.get(name)?;
    let &[classes, d] = view.shape else {
        let shape = format!("its shape is {:?}, expected [classes, d]", view.shape);
        return Err(wrong(
            file,
            name,
            &shape,
            &format!("name another with `{flag}-weight NAME`"),
        ));
    };
    if classes == 0 || d == 0 {
        return Err(wrong(file, name, "it is empty", "train a probe with `bench probe`"));
    }
    let beside = name.strip_suffix("weight").map(|stem| format!("{stem}bias"));
    let guess = beside.or_else(|| (name == "W").then(|| "b".to_owned()));
    let bias_name = bias
        .map(str::to_owned)
        .or_else(|| guess.filter(|guess| checkpoint.contains(guess)));
    let bias = match &bias_name {
        Some(bias) => {
            let view = checkpoint.get(bias)?;
            if view.elements() != classes {
                let shape = format!("its shape is {:?}, but `{name}` has {classes} rows", view.shape);
                return Err(wrong(
                    file,
                    bias,
                    &shape,
                    &format!("name another with `{flag}-bias NAME`"),
                ));
            }
            view.to_f32()?
        }
        None => vec![0.0; classes],
    };
    let weight = view.to_f32()?;
    for (tensor, values) in [(name, &weight), (bias_name.as_deref().unwrap_or(name), &bias)] {
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let what = format!("element {at} is {}", values[at]);
            return Err(wrong(file, tensor, &what, "its training diverged; train it again"));
        }
    }
    Ok(Given {
        probe: SgdProbe { d, weight, bias },
        weight: name.to_owned(),
        bias: bias_name,
    })
}
