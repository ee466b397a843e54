//! Bytes of a file to the numbers that a model keeps.

use half::{bf16, f16};

use super::header::Element;

/// The elements of little-endian `bytes`, as f32.
pub(super) fn floats(bytes: &[u8], element: Element) -> Vec<f32> {
    match element {
        Element::F32 => bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Element::F16 => {
            bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect()
        }
        Element::Bf16 => {
            bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_type_gives_its_values() {
        let values = [1.5f32, -0.25, 0.0];
        let single: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let half: Vec<u8> = values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect();
        let brain: Vec<u8> = values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect();
        assert_eq!(floats(&single, Element::F32), values);
        assert_eq!(floats(&half, Element::F16), values);
        assert_eq!(floats(&brain, Element::Bf16), values);
    }
}
