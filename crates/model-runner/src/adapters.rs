//! The adapters of this machine: listed before one is opened, because burn panics where there is none.
//!
//! Numbers count real GPUs first and software last, so that `wgpu:0` is never a software driver beside a GPU. Deliberately absent:
//! choosing a graphics interface, which is burn's: the list is made in its order.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use burn::prelude::Device;
use burn::tensor::DeviceKind;
use burn::tensor::wgpu::wgpu::{AdapterInfo, Backend, DeviceType, Instance, InstanceDescriptor};

/// An adapter that burn can open.
struct Adapter {
    label: String,
    kind: DeviceKind,
}

/// Opened adapters: a second opening of one is refused by burn. The lock also keeps instances from being made on several threads at
/// once, which crashes Vulkan loaders.
static OPEN: Mutex<BTreeMap<usize, Device>> = Mutex::new(BTreeMap::new());

/// Labels of all adapters, in the order of their numbers.
pub(crate) fn labels() -> Vec<String> {
    let _one_at_a_time = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    list()
        .into_iter()
        .enumerate()
        .map(|(i, a)| format!("wgpu:{i} ({})", a.label))
        .collect()
}

/// Opens an adapter. The error is what is wrong with it, with a hint.
pub(crate) fn open(number: usize) -> Result<(Device, String), String> {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let adapters = list();
    let Some(adapter) = adapters.get(number) else {
        return Err(if adapters.is_empty() {
            "there is no adapter on this machine\nhint: install a GPU driver with Vulkan (on Debian, `mesa-vulkan-drivers` and `libvulkan1` also bring a software device), or use `--device flex`".to_owned()
        } else {
            let all: Vec<String> = adapters
                .iter()
                .enumerate()
                .map(|(i, a)| format!("`wgpu:{i}` ({})", a.label))
                .collect();
            format!("there is no such adapter\nhint: there are {}", all.join(", "))
        });
    };
    let label = format!("wgpu:{number} ({})", adapter.label);
    if let Some(device) = open.get(&number) {
        return Ok((device.clone(), label));
    }
    let device = Device::wgpu_options()
        .device_kind(adapter.kind)
        .init()
        .map_err(|error| format!("{label} cannot be opened: {error}\nhint: use `--device flex`, or another adapter"))?;
    open.insert(number, device.clone());
    Ok((device, label))
}

/// Adapters of the first graphics interface that has a GPU, or else that has any: as burn chooses.
fn list() -> Vec<Adapter> {
    let chain: &[Backend] = if cfg!(target_os = "macos") {
        &[Backend::Metal]
    } else {
        &[Backend::Vulkan, Backend::Dx12, Backend::Gl]
    };
    let mut found = Vec::new();
    for &backend in chain {
        let here = probe(backend);
        let gpu = here.iter().any(|info| info.device_type != DeviceType::Cpu);
        if gpu || found.is_empty() {
            found = here;
        }
        if gpu {
            break;
        }
    }
    let mut next = BTreeMap::<u8, usize>::new();
    let mut adapters: Vec<(u8, Adapter)> = found
        .into_iter()
        .filter_map(|info| {
            let rank = rank(info.device_type)?;
            let count = next.entry(rank).or_default();
            if info.device_type == DeviceType::Cpu && *count > 0 {
                // burn tells software adapters not apart: it opens the first.
                return None;
            }
            let kind = match info.device_type {
                DeviceType::DiscreteGpu => DeviceKind::DiscreteGpu(*count),
                DeviceType::IntegratedGpu => DeviceKind::IntegratedGpu(*count),
                DeviceType::VirtualGpu => DeviceKind::VirtualGpu(*count),
                DeviceType::Cpu | DeviceType::Other => DeviceKind::Cpu,
            };
            *count += 1;
            let label = format!("{}, {:?}", info.name, info.backend);
            Some((rank, Adapter { label, kind }))
        })
        .collect();
    adapters.sort_by_key(|(rank, _)| *rank);
    adapters.into_iter().map(|(_, adapter)| adapter).collect()
}

/// Order of the kinds; burn has no name for those that are `None`.
fn rank(kind: DeviceType) -> Option<u8> {
    match kind {
        DeviceType::DiscreteGpu => Some(0),
        DeviceType::IntegratedGpu => Some(1),
        DeviceType::VirtualGpu => Some(2),
        DeviceType::Cpu => Some(3),
        DeviceType::Other => None,
    }
}

fn probe(backend: Backend) -> Vec<AdapterInfo> {
    let instance = Instance::new(InstanceDescriptor {
        backends: backend.into(),
        ..InstanceDescriptor::new_without_display_handle()
    });
    // Outside a browser the list is ready at once; this crate has no executor for anything else.
    let mut listing = pin!(instance.enumerate_adapters(backend.into()));
    match listing.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(adapters) => adapters.iter().map(|adapter| adapter.get_info()).collect(),
        Poll::Pending => Vec::new(),
    }
}
