//! The statements of a picture's file about its origin.
//!
//! Generators, cameras and editors leave notes in a file: text chunks, EXIF, XMP, signed C2PA manifests.
//! This crate reads them at their proper place and turns each into a [`Claim`].
//!
//! ```
//! use provenance::{Says, Strength};
//!
//! // A PNG of no pixels with a text that Stable Diffusion web UI writes.
//! let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
//! let text = b"parameters\0a cat\nSteps: 20, Sampler: Euler a, Seed: 1, Model: sd15";
//! for (kind, body) in [(b"tEXt", text.as_slice()), (b"IEND", b"")] {
//!     file.extend((body.len() as u32).to_be_bytes());
//!     file.extend(kind);
//!     file.extend(body);
//!     file.extend([0; 4]);
//! }
//!
//! let declarations = provenance::read(&file)?;
//! let claim = &declarations.claims[0];
//! assert_eq!(claim.says, Says::AiGenerated);
//! assert_eq!(claim.by.as_deref(), Some("Stable Diffusion web UI, model sd15"));
//! assert_eq!(claim.strength, Strength::Declared);
//! println!("{declarations}");
//! # Ok::<(), provenance::Error>(())
//! ```
//!
//! | place | read |
//! |---|---|
//! | PNG text (`tEXt`, `zTXt`, `iTXt`) | A1111, Forge, SD.Next, ComfyUI, InvokeAI, NovelAI, Fooocus, RuinedFooocus, SwarmUI, `AIGC` |
//! | EXIF of JPEG, PNG and WebP | camera, software, and the same texts in `UserComment` or `ImageDescription` |
//! | XMP of JPEG, PNG and WebP | IPTC's digital source type, software, `AIGC` |
//! | C2PA manifests of these, GIF, TIFF, SVG, AVIF and HEIC | with the feature `c2pa`: source types, generator, signature |
//! | alpha channel of PNG | "stealth pnginfo" of A1111 and NovelAI |
//!
//! Bytes behind the end of a picture are no declaration: anybody can append them, and no program that
//! follows a format's rules reads them.
//!
//! A claim is no measurement. This crate knows no detector, and a claim changes no probability.

#[cfg(feature = "c2pa")]
mod bounded;
mod claim;
mod container;
mod contents;
mod credentials;
mod declarations;
mod declared;
mod error;
mod exif;
mod format;
#[cfg(feature = "c2pa")]
mod manifest;
mod reader;
mod source;
mod stealth;
mod xmp;

pub use claim::{Claim, Kind, Says, Strength};
pub use credentials::{Credentials, Manifests, Nature, Problem};
pub use declarations::{CAUTION, Declarations};
pub use declared::Declared;
pub use error::Error;
pub use format::Format;
pub use reader::{Reader, read, read_file};
