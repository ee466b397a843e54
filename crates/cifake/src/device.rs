//! Devices by name: the one place of the workspace that knows which backends are compiled in.

use burn::tensor::Device;

use crate::Error;

/// The number of GPUs that [`name`] looks for.
const MAX_GPUS: usize = 16;

/// The device called `name`: `flex`, `ndarray`, `wgpu`, `wgpu:N` (the N-th discrete GPU), `cuda` or
/// `cuda:N`.
///
/// # Errors
/// [`Error::UnknownDevice`] for any other name; [`Error::DeviceNotCompiled`], which says the cargo
/// feature to turn on, where the backend is not part of this build.
pub fn parse(name: &str) -> Result<Device, Error> {
    let unknown = || Error::UnknownDevice { name: name.to_owned() };
    let (kind, index) = match name.split_once(':') {
        Some((kind, index)) => (kind, Some(index.parse::<usize>().map_err(|_| unknown())?)),
        None => (name, None),
    };
    match (kind, index) {
        ("flex", None) => Ok(Device::flex()),
        ("ndarray", None) => ndarray(name),
        ("wgpu", index) => wgpu(name, index),
        ("cuda", index) => cuda(name, index),
        _ => Err(unknown()),
    }
}

/// The name by which [`parse`] finds `device`, whether or not it records gradients.
#[must_use]
pub fn name(device: &Device) -> String {
    let plain = ["flex", "ndarray", "wgpu"].map(str::to_owned);
    let numbered =
        (0..MAX_GPUS).flat_map(|index| [format!("cuda:{index}"), format!("wgpu:{index}")]);
    plain
        .into_iter()
        .chain(numbered)
        .find(|name| parse(name).is_ok_and(|known| known == *device))
        .unwrap_or_else(|| format!("{device:?}"))
}

/// The names that [`parse`] accepts in this build.
#[must_use]
pub fn compiled() -> Vec<&'static str> {
    ["flex", "ndarray", "wgpu", "cuda"].into_iter().filter(|name| parse(name).is_ok()).collect()
}

#[cfg(feature = "ndarray")]
#[allow(deprecated, reason = "burn deprecates the backend; it stays here as a second opinion")]
fn ndarray(_name: &str) -> Result<Device, Error> {
    Ok(Device::ndarray())
}

#[cfg(not(feature = "ndarray"))]
fn ndarray(name: &str) -> Result<Device, Error> {
    Err(Error::DeviceNotCompiled { name: name.to_owned(), feature: "ndarray" })
}

#[cfg(feature = "wgpu")]
fn wgpu(_name: &str, index: Option<usize>) -> Result<Device, Error> {
    use burn::tensor::DeviceKind;
    Ok(Device::wgpu(index.map_or(DeviceKind::DefaultDevice, DeviceKind::DiscreteGpu)))
}

#[cfg(not(feature = "wgpu"))]
fn wgpu(name: &str, _index: Option<usize>) -> Result<Device, Error> {
    Err(Error::DeviceNotCompiled { name: name.to_owned(), feature: "wgpu" })
}

#[cfg(feature = "cuda")]
fn cuda(_name: &str, index: Option<usize>) -> Result<Device, Error> {
    Ok(Device::cuda(index.unwrap_or(0)))
}

#[cfg(not(feature = "cuda"))]
fn cuda(name: &str, _index: Option<usize>) -> Result<Device, Error> {
    Err(Error::DeviceNotCompiled { name: name.to_owned(), feature: "cuda" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_compiled_device_keeps_its_name() {
        for name in compiled() {
            let device = parse(name).expect("it is compiled in");
            assert!(super::name(&device).starts_with(name));
        }
        assert_eq!(name(&Device::flex().autodiff()), "flex");
    }

    #[test]
    fn unknown_names_are_refused() {
        for name in ["", "gpu", "Flex", "flex:0", "ndarray:1", "cuda:", "cuda:x", "cuda:-1"] {
            assert!(matches!(parse(name), Err(Error::UnknownDevice { .. })), "{name}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_backend_left_out_names_its_feature() {
        let error = parse("cuda:0").expect_err("cuda is not compiled in").to_string();
        assert!(error.contains("cuda:0") && error.contains("--features cuda"), "{error}");
    }
}
