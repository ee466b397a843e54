//! Golden files: named tensors that an upstream implementation computed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

/// The tensors of one golden safetensors file, f32; by default none.
#[derive(Debug, Clone, Default)]
pub struct Fixture {
    path: PathBuf,
    tensors: BTreeMap<String, TensorData>,
}

impl Fixture {
    /// Reads every f32 tensor of the safetensors file at `path`; counters and indices, which are
    /// integers, are left out.
    ///
    /// # Panics
    ///
    /// If the file is missing or no safetensors file.
    #[must_use]
    pub fn load(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        let bytes = std::fs::read(&path)
            .unwrap_or_else(|error| panic!("cannot read the fixture {}: {error}", path.display()));
        let file = SafeTensors::deserialize(&bytes)
            .unwrap_or_else(|error| panic!("{} is no safetensors file: {error}", path.display()));
        let tensors = file
            .iter()
            .filter(|(_, view)| view.dtype() == Dtype::F32)
            .map(|(name, view)| {
                let values: Vec<f32> =
                    view.data().as_chunks().0.iter().copied().map(f32::from_le_bytes).collect();
                (name.to_owned(), TensorData::new(values, view.shape().to_vec()))
            })
            .collect();
        Self { path, tensors }
    }

    /// Names of the tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The values of `name`, or `None` where the file has no such tensor.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&TensorData> {
        self.tensors.get(name)
    }

    /// Adds or replaces a tensor of f32 values.
    pub fn insert(&mut self, name: &str, values: TensorData) {
        self.tensors.insert(name.to_owned(), values);
    }

    /// Takes a tensor out.
    pub fn remove(&mut self, name: &str) -> Option<TensorData> {
        self.tensors.remove(name)
    }

    /// A safetensors file of the tensors: with [`insert`](Self::insert) and
    /// [`remove`](Self::remove), the way to a checkpoint that is wrong in one place.
    ///
    /// # Panics
    ///
    /// If an inserted tensor is not of f32 values.
    #[must_use]
    pub fn to_safetensors(&self) -> Vec<u8> {
        let views = self.tensors.iter().map(|(name, data)| {
            assert_eq!(data.dtype(), DType::F32, "{name}");
            let view = TensorView::new(Dtype::F32, data.shape().to_vec(), data.as_bytes());
            (name, view.expect("a tensor has as many values as its shape says"))
        });
        safetensors::serialize(views, None).expect("f32 tensors have a safetensors form")
    }

    /// The tensor `name` on `device`.
    ///
    /// # Panics
    ///
    /// If the file has no such tensor, or it is not of `D` dimensions.
    #[must_use]
    pub fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D> {
        let data = self
            .get(name)
            .unwrap_or_else(|| panic!("{} has no tensor {name}", self.path.display()));
        Tensor::from_data(data.clone(), device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_come_back_and_counters_are_left_out() {
        let floats: Vec<u8> = [1.0f32, -2.5, 3.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let views = [
            ("a", TensorView::new(Dtype::F32, vec![1, 3], &floats).expect("12 bytes")),
            ("n", TensorView::new(Dtype::I64, vec![], &[1, 0, 0, 0, 0, 0, 0, 0]).expect("8 bytes")),
        ];
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("fixture.safetensors");
        safetensors::serialize_to_file(views, None, &path).expect("the folder can be written");
        let fixture = Fixture::load(&path);
        assert_eq!(fixture.names().collect::<Vec<_>>(), ["a"]);
        let tensor = fixture.tensor::<2>("a", &Device::flex());
        assert_eq!(tensor.into_data(), TensorData::from([[1.0f32, -2.5, 3.0]]));
    }

    #[test]
    fn an_edited_fixture_is_a_safetensors_file() {
        let mut fixture = Fixture::default();
        fixture.insert("a", TensorData::from([[1.0f32, 2.0]]));
        fixture.insert("b", TensorData::from([3.0f32]));
        assert_eq!(fixture.remove("b"), Some(TensorData::from([3.0f32])));
        let bytes = fixture.to_safetensors();
        let file = SafeTensors::deserialize(&bytes).expect("it was just written");
        assert_eq!(file.names(), ["a"]);
        assert_eq!(file.tensor("a").expect("it was inserted").shape(), [1, 2]);
    }

    #[test]
    #[should_panic(expected = "cannot read the fixture nowhere.safetensors")]
    fn a_missing_file_is_named() {
        let _ = Fixture::load("nowhere.safetensors");
    }
}
