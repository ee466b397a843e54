use pulp::{Scalar128b, Scalar256b, Scalar512b, WithSimd};

use super::operand::rounded;
use super::outer::{OuterWorkspace, accumulate_outer};
use super::{Finish, Matrix, Multiply, Operand, Outer, Panels, Products, Start, multiply};

/// A way to run a product.
type Run = fn(Multiply<'_>);

/// The tile of every width of registers, emulated where one instruction set after the other is the
/// processor's own.
fn emulated() -> Vec<(&'static str, Run)> {
    vec![
        ("8 lanes, emulated", |op| op.with_simd(Scalar256b)),
        ("16 lanes, emulated", |op| op.with_simd(Scalar512b)),
        ("4 lanes, emulated", |op| op.with_simd(Scalar128b)),
    ]
}

/// The instruction sets with a fused multiply-add that this processor has.
#[cfg(target_arch = "x86_64")]
fn native() -> Vec<(&'static str, Run)> {
    use pulp::Simd;
    use pulp::x86::{V3, V4};

    let avx2: Run = |op| Simd::vectorize(V3::try_new().expect("it was asked for"), op);
    let avx512: Run = |op| Simd::vectorize(V4::try_new().expect("it was asked for"), op);
    let mut found = Vec::new();
    found.extend(V3::try_new().map(|_| ("AVX2", avx2)));
    found.extend(V4::try_new().map(|_| ("AVX-512", avx512)));
    found
}

#[cfg(not(target_arch = "x86_64"))]
fn native() -> Vec<(&'static str, Run)> {
    Vec::new()
}

#[test]
fn every_instruction_set_gives_the_same_product() {
    // Fractions, so that the order of the sums and their rounding show.
    let drawn = |n: usize, step: usize| -> Vec<f32> {
        (0..n).map(|i| ((i * step) % 1009) as f32 / 504.5 - 1.0).collect()
    };
    for (rows, k, n) in [(1, 3, 16), (12, 5, 32), (13, 300, 48), (25, 257, 41), (31, 19, 560)] {
        let (a, b) = (drawn(rows * k, 613), drawn(k * n, 211));
        let (bias, shortcut) = (drawn(n, 37), drawn(rows * n, 101));
        let panels = Panels::pack(Matrix::rows(&b, n), k, n);
        for gelu in [false, true] {
            let product = |run: Run| {
                let mut out = vec![f32::NAN; rows * n];
                let finish = Finish { shortcut: Some((&shortcut, n)), gelu };
                let (a, start) = (Matrix::rows(&a, k), Start::Row(&bias));
                let (b, stride) = (&panels, n);
                run(Multiply { rows, a, b, start, finish, out: out.as_mut_ptr(), stride });
                out
            };
            let sets = [emulated(), native()].concat();
            let (_, first) = sets[0];
            let expected = product(first);
            for (name, run) in &sets[1..] {
                // Without a fused multiply-add each product is rounded too.
                let limit = if name.starts_with('4') { 1e-5 } else { 0.0 };
                for (place, (ours, theirs)) in product(*run).iter().zip(&expected).enumerate() {
                    let difference = (ours - theirs).abs();
                    let what = format!("{name}, {rows} {k} {n}, place {place}: {ours} {theirs}");
                    assert!(difference <= limit * theirs.abs().max(1.0), "{what}");
                }
            }
        }
    }
}

#[test]
fn product_agrees_with_the_definition_for_every_tail() {
    for (rows, k, n) in [
        (1, 1, 1),
        (7, 5, 17),
        (13, 300, 16),
        (6, 3, 33),
        (11, 257, 40),
        // Large enough to be fetched ahead, with a whole and a narrow last panel.
        (13, 300, 560),
        (25, 257, 545),
    ] {
        let a: Vec<f32> = (0..rows * k).map(|i| (i % 7) as f32 - 3.0).collect();
        let b: Vec<f32> = (0..k * n).map(|i| (i % 5) as f32 - 2.0).collect();
        let bias: Vec<f32> = (0..n).map(|i| i as f32).collect();
        let panels = Panels::pack(Matrix::rows(&b, n), k, n);
        let mut out = vec![f32::NAN; rows * n];
        multiply(rows, Matrix::rows(&a, k), &panels, Start::Row(&bias), &mut out, n);
        for i in 0..rows {
            for j in 0..n {
                let sum: f32 = (0..k).map(|p| a[i * k + p] * b[p * n + j]).sum();
                assert_eq!(out[i * n + j], sum + bias[j], "[{i}, {j}] of {rows} {k} {n}");
            }
        }
    }
}

#[test]
fn transposed_operands_give_the_transposed_product() {
    let (rows, k, n) = (9, 4, 18);
    let a: Vec<f32> = (0..k * rows).map(|i| (i % 7) as f32 - 3.0).collect();
    let b: Vec<f32> = (0..n * k).map(|i| (i % 5) as f32 - 2.0).collect();
    let panels = Panels::pack(Matrix::columns(&b, k), k, n);
    let mut out = vec![1.0; rows * n];
    multiply(rows, Matrix::columns(&a, rows), &panels, Start::Output, &mut out, n);
    for i in 0..rows {
        for j in 0..n {
            let sum: f32 = (0..k).map(|p| a[p * rows + i] * b[j * k + p]).sum();
            assert_eq!(out[i * n + j], sum + 1.0);
        }
    }
}

/// Numbers in `[-1, 1)`, the same for the same seed.
fn numbers(n: usize, seed: u32) -> Vec<f32> {
    let number = |i: usize| {
        let mixed = (i as u32 ^ seed.wrapping_mul(0x9e37_79b9)).wrapping_mul(0x85eb_ca6b);
        (mixed ^ mixed >> 13).wrapping_mul(0xc2b2_ae35) as f32 / 2f32.powi(31) - 1.0
    };
    (0..n).map(number).collect()
}

/// Sums of up to 700 products of rounded numbers below 1, in another order.
const BF16_LIMIT: f32 = 1e-4;

fn assert_near(name: &str, ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len());
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        assert!((a - b).abs() <= BF16_LIMIT, "{name}: {a} against {b} at {i}");
    }
}

#[test]
fn products_in_bf16_are_those_of_rounded_numbers() {
    for (rows, k, n) in [(1, 1, 1), (16, 32, 16), (32, 64, 32), (50, 33, 47), (97, 700, 48)] {
        let (a, b) = (numbers(rows * k, 1), numbers(k * n, 2));
        let [rounded_a, rounded_b] = [&a, &b].map(|values| rounded(values));
        let transposed: Vec<f32> = (0..k * n).map(|i| b[i % k * n + i / k]).collect();
        let spread: Vec<f32> = b.iter().flat_map(|&v| [v, f32::NAN]).collect();
        let sources = [
            Matrix::rows(&b, n),
            Matrix::columns(&transposed, k),
            Matrix { values: &spread, row_stride: 2 * n, col_stride: 2 },
        ];
        let bias = numbers(n, 3);
        let before = numbers(rows * (n + 5), 4);
        let panels = Panels::pack(Matrix::rows(&rounded_b, n), k, n);
        for start in 0..4 {
            let start = match start {
                0 => Start::Zero,
                1 => Start::Row(&bias),
                2 => Start::Rows(&before, n + 5),
                _ => Start::Output,
            };
            let mut theirs = before.clone();
            multiply(rows, Matrix::rows(&rounded_a, k), &panels, start, &mut theirs, n + 5);
            for source in sources {
                let mut ours = before.clone();
                let operand = Operand::pack(Products::Bf16, source, k, n);
                operand.multiply(rows, &a, start, &mut ours, n + 5);
                assert_near(&format!("{rows}x{k}x{n}"), &ours, &theirs);
            }
        }
    }
}

#[test]
fn outer_products_in_bf16_are_those_of_rounded_numbers() {
    for (rows, height, width) in [(1, 1, 1), (32, 16, 16), (700, 40, 33), (385, 48, 64)] {
        let (left, right) = (numbers(rows * height, 1), numbers(rows * width, 2));
        let mut ours = numbers(height * width, 3);
        let mut theirs = ours.clone();
        let mut outer = Outer::new(Products::Bf16);
        outer.accumulate(&left, &right, height, width, &mut ours);
        let [left, right] = [&left, &right].map(|values| rounded(values));
        let mut workspace = OuterWorkspace::default();
        accumulate_outer(&left, &right, height, width, &mut workspace, &mut theirs);
        assert_near(&format!("{rows}x{height}x{width}"), &ours, &theirs);
    }
}
