//! The cases that are timed, and their subjects.

use std::fmt;

use anyhow::{Result, ensure};
use serde::Serialize;

/// The detectors that are timed, as `--model` takes them.
pub(super) const DETECTORS: [&str; 3] = ["aeroblade", "rigid", "dire"];
/// Height and width of their pictures, and how many they judge at once.
const DETECTOR_SIDE: usize = 32;
const DETECTOR_BATCH: usize = 32;

/// One line of a table. Shown as `5m@224 b1 t2`, `train native@32 b128 t2` or `dire@32 b32 t1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Case {
    pub(super) work: Work,
    /// As `--model` takes it.
    pub(super) model: &'static str,
    pub(super) image_size: usize,
    pub(super) batch: usize,
    pub(super) threads: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Work {
    Inference,
    Training,
    /// By a detector of more than one network.
    Detection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Runtime {
    Ours,
    Openvino,
    Onnxruntime,
    Torch,
    TorchChannelsLast,
}

/// The set of cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Quick,
    Usual,
    Full,
    /// The detectors, which have a table of their own.
    Detectors,
}

impl Runtime {
    /// Every runtime, in the order of the table.
    pub(super) const ALL: [Self; 5] =
        [Self::Ours, Self::Openvino, Self::Onnxruntime, Self::Torch, Self::TorchChannelsLast];

    /// As peers.py takes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Openvino => "openvino",
            Self::Onnxruntime => "onnxruntime",
            Self::Torch => "torch",
            Self::TorchChannelsLast => "torch-channels-last",
        }
    }

    /// As the table heads it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Openvino => "OpenVINO",
            Self::Onnxruntime => "ONNX Runtime",
            Self::Torch => "PyTorch",
            Self::TorchChannelsLast => "PyTorch, channels last",
        }
    }

    /// Whether it can do `work` at all.
    fn does(self, work: Work) -> bool {
        match work {
            Work::Inference => true,
            Work::Training | Work::Detection => !matches!(self, Self::Openvino | Self::Onnxruntime),
        }
    }
}

impl Case {
    fn inference(model: &'static str, batch: usize, threads: usize) -> Self {
        let image_size = if model == "native" { 32 } else { 224 };
        Self { work: Work::Inference, model, image_size, batch, threads }
    }

    fn training(model: &'static str, batch: usize) -> Self {
        Self { work: Work::Training, ..Self::inference(model, batch, 2) }
    }

    fn detection(model: &'static str, threads: usize) -> Self {
        let (image_size, batch) = (DETECTOR_SIDE, DETECTOR_BATCH);
        Self { work: Work::Detection, model, image_size, batch, threads }
    }

    /// Whether all runtimes give the same numbers: a training step starts from other weights on each, and
    /// RIGID adds noise of another generator.
    pub(super) fn is_compared(&self) -> bool {
        match self.work {
            Work::Inference => true,
            Work::Training => false,
            Work::Detection => self.model != "rigid",
        }
    }

    /// The other runtimes that it is timed on.
    pub(super) fn peers(&self) -> impl Iterator<Item = Runtime> {
        let work = self.work;
        Runtime::ALL.into_iter().skip(1).filter(move |runtime| runtime.does(work))
    }

    /// The name in the table, beside the number of threads.
    pub(super) fn title(&self) -> String {
        let Self { model, image_size, batch, .. } = self;
        let work = match self.work {
            Work::Inference | Work::Detection => "",
            Work::Training => "training step, ",
        };
        format!("{work}{model}@{image_size}, batch {batch}")
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, image_size, batch, threads, .. } = self;
        let work = match self.work {
            Work::Inference | Work::Detection => "",
            Work::Training => "train ",
        };
        write!(f, "{work}{model}@{image_size} b{batch} t{threads}")
    }
}

/// The cases of `extent` whose name contains one of `wanted`; all if nothing is wanted.
pub(super) fn chosen(extent: Extent, wanted: &[String]) -> Result<Vec<Case>> {
    let all = cases(extent);
    let matches = |case: &Case| {
        let name = format!("{case} ");
        wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()))
    };
    let chosen: Vec<Case> = all.iter().copied().filter(matches).collect();
    let names = || all.iter().map(Case::to_string).collect::<Vec<_>>().join(", ");
    ensure!(!chosen.is_empty(), "--cases matches none of {}", names());
    Ok(chosen)
}

fn cases(extent: Extent) -> Vec<Case> {
    if extent == Extent::Detectors {
        let threads = |model: &&'static str| [1, 2].map(|threads| Case::detection(model, threads));
        return DETECTORS.iter().flat_map(threads).collect();
    }
    let inference: Vec<Case> = match extent {
        Extent::Quick => vec![
            Case::inference("5m", 1, 1),
            Case::inference("5m", 1, 2),
            Case::inference("5m", 8, 1),
            Case::inference("5m", 8, 2),
            Case::inference("21m", 1, 1),
            Case::inference("21m", 1, 2),
            Case::inference("native", 1, 1),
            Case::inference("native", 32, 1),
        ],
        Extent::Usual | Extent::Full | Extent::Detectors => {
            let mut grid = Vec::new();
            for model in ["5m", "21m", "native"] {
                for batch in [1, 8, 32] {
                    let slow = model == "21m" && batch == 32;
                    if !slow || extent == Extent::Full {
                        grid.extend([1, 2].map(|threads| Case::inference(model, batch, threads)));
                    }
                }
            }
            grid
        }
    };
    let training = [Case::training("5m", 8), Case::training("native", 128)];
    inference.into_iter().chain(training).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(extent: Extent, wanted: &[&str]) -> Vec<String> {
        let wanted: Vec<String> = wanted.iter().map(|part| (*part).to_owned()).collect();
        chosen(extent, &wanted).expect("a case matches").iter().map(Case::to_string).collect()
    }

    #[test]
    fn a_larger_extent_holds_the_smaller_one() {
        let [quick, usual, full] = [Extent::Quick, Extent::Usual, Extent::Full].map(cases);
        assert!(quick.iter().all(|case| usual.contains(case)));
        assert!(usual.iter().all(|case| full.contains(case)));
        assert_eq!([quick.len(), usual.len(), full.len()], [10, 18, 20]);
    }

    #[test]
    fn cases_are_chosen_by_a_part_of_their_name() {
        assert_eq!(
            names(Extent::Quick, &["5m@224 b1 ", "train native"]),
            ["5m@224 b1 t1", "5m@224 b1 t2", "train native@32 b128 t2"]
        );
        assert_eq!(names(Extent::Quick, &[]).len(), 10);
        assert!(chosen(Extent::Quick, &["11m".to_owned()]).is_err());
    }

    #[test]
    fn only_pytorch_is_trained_beside_ours() {
        let training: Vec<Runtime> = Case::training("5m", 8).peers().collect();
        assert_eq!(training, [Runtime::Torch, Runtime::TorchChannelsLast]);
        assert_eq!(Case::inference("5m", 8, 1).peers().count(), 4);
    }

    #[test]
    fn detectors_are_timed_beside_pytorch_in_batches_of_32() {
        let expected = ["aeroblade@32 b32 t1", "aeroblade@32 b32 t2", "rigid@32 b32 t1"];
        assert_eq!(names(Extent::Detectors, &[])[..3], expected);
        assert_eq!(names(Extent::Detectors, &["dire"]), ["dire@32 b32 t1", "dire@32 b32 t2"]);
        assert_eq!(cases(Extent::Detectors).len(), 6);
        let peers: Vec<Runtime> = Case::detection("dire", 1).peers().collect();
        assert_eq!(peers, [Runtime::Torch, Runtime::TorchChannelsLast]);
    }

    #[test]
    fn outputs_are_compared_where_the_numbers_are_the_same() {
        let compared = DETECTORS.map(|model| Case::detection(model, 1).is_compared());
        assert_eq!(compared, [true, false, true]);
        assert!(Case::inference("5m", 1, 1).is_compared());
        assert!(!Case::training("5m", 8).is_compared());
    }

    #[test]
    fn a_runtime_is_written_as_it_is_named() {
        for runtime in Runtime::ALL {
            let written = serde_json::to_value(runtime).expect("a name is JSON");
            assert_eq!(written, runtime.name());
        }
    }
}
