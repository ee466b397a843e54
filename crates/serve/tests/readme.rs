//! The program in README is examples/axum.

#[test]
fn readme_shows_the_whole_program_and_it_is_short() {
    let program = include_str!("../../../examples/axum/main.rs");
    let readme = include_str!("../../../README.md");
    let (_, code) = program.split_once("\n\n").expect("its first line says what it is");
    assert!(readme.contains(code), "copy examples/axum/main.rs to README");
    assert!(program.lines().count() <= 60, "it stays short");
}
