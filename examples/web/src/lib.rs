//! The detector as a page in a browser asks it: bytes of a file go in, JSON comes out.
//!
//! The JSON is that of `cifake serve`, so that both have one page. `cargo xtask web` compiles this package to
//! WebAssembly, where a worker calls it through `binding`.

#[cfg(target_arch = "wasm32")]
mod binding;
mod fault;
mod inspector;

pub use inspector::Inspector;
