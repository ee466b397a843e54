//! Attaching adapters to a model, switching between them, taking them off.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};

use super::adapter::{Adapter, LayerWeights};
use super::merge::unmerge;
use super::target::{Role, Selection};
use super::visit::{check_saved, try_visit};
use crate::error::AdapterError;
use crate::nn::{Attached, Change, Header, Linear, LoraTargets};
use crate::peft::{AdapterLimits, Naming, shortened};

/// An adapter of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterState {
    /// The name that it was attached under.
    pub name: String,
    /// Whether it plays a part in the model's output.
    pub active: bool,
    /// Layers that it changes.
    pub n_layers: usize,
    /// Bytes of its weights.
    pub bytes: u64,
}

impl Adapter {
    /// Attaches the adapter to `model` under `name`, its weights on `device`.
    ///
    /// It is active at once if it is the only one, and otherwise waits for [`activate`]. On an
    /// autodiff device its weights ask for gradients.
    ///
    /// # Errors
    /// [`AdapterError::Taken`], [`AdapterError::Count`], [`AdapterError::Bytes`]; an adapter that
    /// does not fit: [`AdapterError::NoTarget`], [`AdapterError::Unused`],
    /// [`AdapterError::Missing`], [`AdapterError::Shape`], [`AdapterError::ModuleToSave`],
    /// [`AdapterError::Tower`], [`AdapterError::Carried`], or what
    /// [`LoraConfig::check`](super::LoraConfig::check) refuses. The model is then unchanged.
    pub fn attach(
        &self,
        model: &mut dyn LoraTargets,
        name: &str,
        device: &Device,
        limits: &AdapterLimits,
    ) -> Result<(), AdapterError> {
        let others = adapters(model);
        self.check_room(&others, name, limits)?;
        self.check_tower(model)?;
        let naming = self.naming(model);
        let roles = self.fit(model, naming, limits)?;
        self.check_carried(model, naming)?;
        let tower = self.tower.clone().or_else(|| model.tower().map(str::to_owned));
        let (name, config) = (name.to_owned(), self.config.clone());
        let header = Arc::new(Header { name, config, naming, tower });
        model.visit_linears(&mut |linear| {
            let Some(&role) = roles.get(linear.path()) else { return };
            let weights = &self.layers[&naming.to_peft(linear.path())];
            linear.adapters.list.push(Attached {
                header: Arc::clone(&header),
                active: others.is_empty(),
                change: on_device(weights, role, device),
                dropout_seed: None,
            });
        });
        Ok(())
    }

    /// Refuses another vision tower than that of training, if it is known.
    fn check_tower(&self, model: &dyn LoraTargets) -> Result<(), AdapterError> {
        match (&self.tower, model.tower()) {
            (Some(made), found) if found != Some(made) => {
                Err(AdapterError::Tower { made: shortened(made), found: found.map(str::to_owned) })
            }
            _ => Ok(()),
        }
    }

    fn check_room(
        &self,
        others: &[AdapterState],
        name: &str,
        limits: &AdapterLimits,
    ) -> Result<(), AdapterError> {
        if others.iter().any(|other| other.name == name) {
            return Err(AdapterError::Taken { name: name.to_owned() });
        }
        if others.len() >= limits.max_adapters {
            return Err(AdapterError::Count { limit: limits.max_adapters });
        }
        let taken: u64 = others.iter().map(|other| other.bytes).sum();
        let bytes = taken.saturating_add(4 * self.n_elements() as u64);
        match bytes <= limits.max_bytes {
            true => Ok(()),
            false => Err(AdapterError::Bytes { bytes, limit: limits.max_bytes }),
        }
    }

    /// The naming under which every layer of the adapter is one of `model`; otherwise the plain one,
    /// whose errors are the clearest.
    pub(super) fn naming(&self, model: &mut dyn LoraTargets) -> Naming {
        let mut paths = BTreeSet::new();
        model.visit_linears(&mut |linear| {
            paths.insert(linear.path().to_owned());
        });
        let known = |naming: &Naming, path: &String| {
            naming.to_checkpoint(path).is_some_and(|path| paths.contains(&path))
        };
        let fits = |naming: &Naming| self.layers.keys().all(|path| known(naming, path));
        Naming::ALL.into_iter().find(fits).unwrap_or(Naming::CHECKPOINT)
    }

    /// The effect of the adapter on each layer of `model`, by the model's paths.
    pub(super) fn fit(
        &self,
        model: &mut dyn LoraTargets,
        naming: Naming,
        limits: &AdapterLimits,
    ) -> Result<BTreeMap<String, Role>, AdapterError> {
        let selection = Selection::new(&self.config, limits)?;
        check_saved(&selection, model, |path| naming.to_peft(path))?;
        let mut roles = BTreeMap::new();
        let mut unused: BTreeSet<&String> = self.layers.keys().collect();
        let mut missing = Vec::new();
        try_visit(model, |linear| {
            let path = naming.to_peft(linear.path());
            let role = selection.role(&path)?;
            if role == Role::Untouched {
                return Ok(());
            }
            match self.layers.get(&path) {
                Some(weights) => check_shapes(&path, weights, role, linear)?,
                None => missing.push(path.clone()),
            }
            unused.remove(&path);
            roles.insert(linear.path().to_owned(), role);
            Ok(())
        })?;
        if !unused.is_empty() {
            return Err(AdapterError::Unused { paths: unused.into_iter().cloned().collect() });
        }
        if !missing.is_empty() {
            return Err(AdapterError::Missing { paths: missing });
        }
        if roles.is_empty() {
            return Err(AdapterError::NoTarget);
        }
        let is_target = |(_, weights): &(&String, &LayerWeights)| {
            matches!(weights, LayerWeights::LowRank { .. })
        };
        let targets = self.layers.iter().filter(is_target).map(|(path, _)| path.clone());
        selection.check_patterns(&targets.collect::<Vec<_>>())?;
        Ok(roles)
    }

    /// Refuses weights of another base model beside its own.
    fn check_carried(
        &self,
        model: &mut dyn LoraTargets,
        naming: Naming,
    ) -> Result<(), AdapterError> {
        for (path, data) in &self.carried {
            let own = naming.to_checkpoint(path).unwrap_or_default();
            let mut same = false;
            if own.ends_with("embed_tokens") {
                same = model.embedding().is_some_and(|matrix| matrix.keeps(data));
            }
            model.visit_linears(&mut |linear| {
                same = same || (linear.path() == own && linear.weight().keeps(data));
            });
            if !same {
                return Err(AdapterError::Carried { path: shortened(path) });
            }
        }
        Ok(())
    }
}

/// Whether the weights are those of a layer of this shape in this role.
fn check_shapes(
    path: &str,
    weights: &LayerWeights,
    role: Role,
    linear: &Linear,
) -> Result<(), AdapterError> {
    let (d_input, d_output) = (linear.d_input(), linear.d_output());
    let expected = match role {
        Role::Untouched => return Ok(()),
        Role::LowRank { rank, .. } => {
            vec![("lora_A.weight", vec![rank, d_input]), ("lora_B.weight", vec![d_output, rank])]
        }
        Role::Whole => {
            let bias = linear.bias().map(|_| ("bias", vec![d_output]));
            [("weight", vec![d_output, d_input])].into_iter().chain(bias).collect()
        }
    };
    let named = weights.named();
    for (name, expected) in &expected {
        let key = format!("{path}.{name}");
        let found = named.iter().find(|(found, _)| found == name);
        let Some((_, data)) = found else { return Err(AdapterError::Incomplete { key }) };
        if data.shape().to_vec() != *expected {
            let (found, expected) = (data.shape().to_vec(), expected.clone());
            return Err(AdapterError::Shape { key, expected, found });
        }
    }
    match named.len() > expected.len() {
        true => Err(AdapterError::Key { key: format!("{path}.bias") }),
        false => Ok(()),
    }
}

fn on_device(weights: &LayerWeights, role: Role, device: &Device) -> Change {
    match (weights, role) {
        (LayerWeights::LowRank { a, b }, Role::LowRank { scale, .. }) => {
            Change::LowRank { a: leaf(a, device), b: leaf(b, device), scale }
        }
        (LayerWeights::Whole { weight, bias }, _) => Change::Whole {
            weight: leaf(weight, device),
            bias: bias.as_ref().map(|bias| leaf(bias, device)),
        },
        _ => unreachable!("the tensors of a role were checked by name"),
    }
}

/// A tensor that asks for its gradient where there are any.
pub(crate) fn leaf<const D: usize>(data: &TensorData, device: &Device) -> Tensor<D> {
    let tensor = Tensor::from_data(data.clone(), device);
    if device.is_autodiff() { tensor.require_grad() } else { tensor }
}

/// The adapters of `model` in the order in which they were attached.
#[must_use]
pub fn adapters(model: &mut dyn LoraTargets) -> Vec<AdapterState> {
    let mut states: Vec<AdapterState> = Vec::new();
    model.visit_linears(&mut |linear| {
        for attached in &linear.adapters.list {
            let name = &attached.header.name;
            let place = states.iter().position(|state| state.name == *name).unwrap_or_else(|| {
                let active = attached.active;
                states.push(AdapterState { name: name.clone(), active, n_layers: 0, bytes: 0 });
                states.len() - 1
            });
            states[place].n_layers += 1;
            states[place].bytes += attached.bytes();
        }
    });
    states
}

/// Lets the adapters `names`, and no others, change what `model` does; what they add is summed.
///
/// Takes merged weights back first.
///
/// # Errors
/// [`AdapterError::Unknown`], or [`AdapterError::Conflict`] where two of them replace one layer; the
/// model is then unchanged.
pub fn activate(model: &mut dyn LoraTargets, names: &[&str]) -> Result<(), AdapterError> {
    let known = adapters(model);
    if let Some(name) = names.iter().find(|name| known.iter().all(|state| state.name != **name)) {
        return Err(AdapterError::Unknown { name: (*name).to_owned() });
    }
    try_visit(model, |linear| {
        let whole = linear.adapters.list.iter().filter(|attached| {
            names.contains(&attached.header.name.as_str())
                && matches!(attached.change, Change::Whole { .. })
        });
        let whole: Vec<&str> = whole.map(|attached| attached.header.name.as_str()).collect();
        let [first, second, ..] = whole[..] else { return Ok(()) };
        let (first, second) = (first.to_owned(), second.to_owned());
        Err(AdapterError::Conflict { path: linear.path().to_owned(), first, second })
    })?;
    unmerge(model);
    model.visit_linears(&mut |linear| {
        for attached in &mut linear.adapters.list {
            attached.active = names.contains(&attached.header.name.as_str());
        }
    });
    Ok(())
}

/// Deactivates all adapters of `model`, which stay attached.
pub fn disable(model: &mut dyn LoraTargets) {
    activate(model, &[]).expect("no name is unknown and none conflict");
}

/// Takes the adapter `name` off `model`; merged weights are taken back first.
///
/// # Errors
/// [`AdapterError::Unknown`].
pub fn detach(model: &mut dyn LoraTargets, name: &str) -> Result<(), AdapterError> {
    if adapters(model).iter().all(|state| state.name != name) {
        return Err(AdapterError::Unknown { name: name.to_owned() });
    }
    unmerge(model);
    model.visit_linears(&mut |linear| {
        linear.adapters.list.retain(|attached| attached.header.name != name);
    });
    Ok(())
}
