//! JPEG: the facts of its markers, a check that its coded data is whole, and a second decoder for
//! the layouts and sizes that the first one cannot take.

mod bits;
mod decode;
mod huffman;
mod progressive;
mod whole;

pub(super) use decode::Decoded;
pub(super) use whole::Damage;

/// Most scans of a progressive picture; libjpeg's script has ten, and each scan costs a pass over
/// all blocks whatever its size in bytes.
const MAX_SCANS: usize = 100;

/// A JPEG whose markers were read; none of its coded data.
#[derive(Debug)]
pub(super) struct Jpeg<'a> {
    /// The file up to its end-of-image marker.
    bytes: &'a [u8],
    /// The frame header, if it is of a baseline, extended or progressive Huffman-coded picture.
    pub(super) frame: Option<Frame>,
    n_scans: usize,
    /// Components in the first scan.
    first_scan: usize,
    ending: Ending,
}

/// The end of the marker sequence of a JPEG.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// With an end-of-image marker.
    Whole,
    /// With the file.
    Missing,
    /// With the start of another picture.
    AnotherPicture,
}

/// A frame header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    is_progressive: bool,
    width: u32,
    height: u32,
    components: Vec<Component>,
}

/// A component of a frame: its name in scan headers, and its sampling factors, 1 to 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Component {
    id: u8,
    horizontal: u32,
    vertical: u32,
}

impl<'a> Jpeg<'a> {
    /// Walks the markers of `bytes`; the coded data between them is passed over.
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        let mut jpeg =
            Self { bytes, frame: None, n_scans: 0, first_scan: 0, ending: Ending::Missing };
        let mut at = 2;
        loop {
            at = next_marker(bytes, at);
            let Some(&marker) = bytes.get(at + 1) else { break };
            match marker {
                0xd9 => {
                    jpeg.bytes = &bytes[..at + 2];
                    jpeg.ending = Ending::Whole;
                    break;
                }
                // A preview stands inside a segment, so a second start or frame is another picture's.
                0xd8 | 0xc0..=0xc2 if jpeg.frame.is_some() => {
                    jpeg.ending = Ending::AnotherPicture;
                    break;
                }
                0x01 | 0xd8 => {
                    at += 2;
                    continue;
                }
                _ => {}
            }
            let Some(content) = segment(bytes, at) else { break };
            match marker {
                0xc0..=0xc2 => jpeg.frame = Frame::of(marker, content),
                0xda => {
                    jpeg.n_scans += 1;
                    if jpeg.n_scans == 1 {
                        jpeg.first_scan = content.first().map_or(0, |&n| usize::from(n));
                    }
                }
                _ => {}
            }
            at += 4 + content.len();
        }
        jpeg
    }

    /// Whether the components of a sequential picture stand in scans of their own, which the
    /// decoder of `image` reads wrongly where components are subsampled.
    pub(super) fn has_separate_scans(&self) -> bool {
        self.frame
            .as_ref()
            .is_some_and(|frame| !frame.is_progressive && self.first_scan != frame.components.len())
    }

    /// Bytes that the decoder of `image` holds beside the pixels: all coefficients, 16 bits each,
    /// if one scan does not complete a row.
    pub(super) fn n_internal_bytes(&self) -> u64 {
        match &self.frame {
            Some(frame) if !frame.is_progressive && !self.has_separate_scans() => 0,
            Some(frame) => 2 * frame.n_samples(),
            None => 0,
        }
    }

    /// Bytes that [`decode`](Self::decode) holds beside its result, at 1/`reduction` of the size.
    pub(super) fn n_decoding_bytes(&self, reduction: u32) -> u64 {
        let Some(frame) = &self.frame else { return 0 };
        let samples = frame.n_samples();
        // Rows of coefficients wait for the threads that transform them, all of them at worst.
        let kept = if frame.is_progressive { 2 * samples } else { 0 };
        let planes = samples / (u64::from(reduction) * u64::from(reduction));
        kept + 2 * samples + planes + self.bytes.len() as u64
    }
}

impl Frame {
    /// The frame of a header's `content`, after its length.
    fn of(marker: u8, content: &[u8]) -> Option<Self> {
        let [8, h0, h1, w0, w1, n_components, rest @ ..] = content else { return None };
        let (components, _) = rest.as_chunks::<3>();
        let components = components.get(..usize::from(*n_components))?;
        let component = |[id, sampling, _]: &[u8; 3]| {
            let [horizontal, vertical] = [sampling >> 4, sampling & 15].map(u32::from);
            let known = (1..=4).contains(&horizontal) && (1..=4).contains(&vertical);
            known.then_some(Component { id: *id, horizontal, vertical })
        };
        let components: Vec<_> = components.iter().map(component).collect::<Option<_>>()?;
        let [width, height] = [[*w0, *w1], [*h0, *h1]].map(|side| u16::from_be_bytes(side).into());
        let is_picture = (1..=4).contains(&components.len()) && width > 0 && height > 0;
        let is_progressive = marker == 0xc2;
        is_picture.then_some(Self { is_progressive, width, height, components })
    }

    /// The largest sampling factors, horizontal and vertical.
    fn sampling(&self) -> (u32, u32) {
        let largest = |factor: fn(&Component) -> u32| {
            self.components.iter().map(factor).max().expect("a frame has a component")
        };
        (largest(|c| c.horizontal), largest(|c| c.vertical))
    }

    /// Blocks of all components in a row and in a column of the picture.
    fn mcus(&self) -> (u32, u32) {
        let (horizontal, vertical) = self.sampling();
        (self.width.div_ceil(8 * horizontal), self.height.div_ceil(8 * vertical))
    }

    /// Blocks of a component in a row and in a column, where a scan holds it alone.
    fn blocks(&self, component: Component) -> (u32, u32) {
        let (horizontal, vertical) = self.sampling();
        let wide = (self.width * component.horizontal).div_ceil(horizontal).div_ceil(8);
        let high = (self.height * component.vertical).div_ceil(vertical).div_ceil(8);
        (wide, high)
    }

    /// Samples of all components, padded to whole blocks.
    fn n_samples(&self) -> u64 {
        let (wide, high) = self.mcus();
        let blocks: u32 = self.components.iter().map(|c| c.horizontal * c.vertical).sum();
        u64::from(wide) * u64::from(high) * u64::from(blocks) * 64
    }
}

/// The content of the segment whose marker stands at `at`, without its length.
fn segment(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let length = usize::from(u16::from_be_bytes(*bytes.get(at + 2..)?.first_chunk()?));
    bytes.get(at + 4..at + 2 + length)
}

/// The place of the next marker at or after `at`; stuffed bytes, restarts, fill bytes and the
/// entropy-coded data between them are passed over.
fn next_marker(bytes: &[u8], mut at: usize) -> usize {
    while let Some(&[first, second]) = bytes.get(at..at + 2) {
        if first == 0xff && !matches!(second, 0x00 | 0xd0..=0xd7 | 0xff) {
            return at;
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: [u8; 21] =
        [0xff, 0xd8, 0xff, 0xc0, 0, 17, 8, 0, 1, 0, 1, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0];

    fn jpeg(scan_components: u8, end: &[u8]) -> Vec<u8> {
        let length = 6 + 2 * scan_components;
        let mut bytes = HEADER.to_vec();
        bytes.extend([0xff, 0xda, 0, length, scan_components]);
        bytes.extend(vec![0; usize::from(length) - 3]);
        bytes.extend([0x12, 0xff, 0x00, 0xff, 0xd0, 0x34]);
        bytes.extend(end);
        bytes
    }

    #[test]
    fn one_interleaved_scan_keeps_no_coefficients() {
        let whole = jpeg(3, &[0xff, 0xd9]);
        assert_eq!(Jpeg::of(&whole).n_internal_bytes(), 0);
        assert_eq!(Jpeg::of(&jpeg(1, &[0xff, 0xd9])).n_internal_bytes(), 2 * 3 * 64);
    }

    /// A progressive picture of four components, as scanners write CMYK, needs 8 bytes a pixel.
    #[test]
    fn every_component_of_a_progressive_picture_is_counted() {
        let mut frame = vec![8, 0, 16, 0, 24, 4];
        frame.extend([1_u8, 2, 3, 4].iter().flat_map(|&id| [id, 0x11, 0]));
        let frame = Frame::of(0xc2, &frame).expect("a picture");
        assert_eq!(2 * frame.n_samples(), 8 * 16 * 24);
        let subsampled = [8, 0, 16, 0, 32, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0];
        let subsampled = Frame::of(0xc0, &subsampled).expect("a picture");
        assert_eq!(2 * subsampled.n_samples(), 3 * 16 * 32);
    }

    #[test]
    fn a_jpeg_without_an_end_marker_has_no_end() {
        let ending = |end: &[u8]| Jpeg::of(&jpeg(3, end)).ending;
        assert_eq!(ending(&[]), Ending::Missing);
        assert_eq!(ending(&[0xff]), Ending::Missing);
        assert_eq!(ending(&[0xff, 0xff, 0xd9]), Ending::Whole);
        assert_eq!(ending(&[0xff, 0xd8, 0xff, 0xd9]), Ending::AnotherPicture);
        assert_eq!(Jpeg::of(b"\xff\xd8").ending, Ending::Missing);
    }

    #[test]
    fn bytes_behind_the_end_marker_are_not_part_of_the_picture() {
        let whole = jpeg(3, &[0xff, 0xd9, 0xff, 0xd8, 1, 2]);
        assert_eq!(Jpeg::of(&whole).bytes.len(), whole.len() - 4);
    }
}
