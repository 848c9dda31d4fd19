//! What the documentation shows is what the program does: the transcripts in `tests/cmd` and README.md, word by word, and
//! every pipeline file that is shipped or printed.
//!
//! Where transcripts are right and the program changed on purpose: `TRYCMD=overwrite cargo test transcripts`.

use std::fs;
use std::path::{Path, PathBuf};

use swinpipe::pipeline::load::{self, Loaded, Problems};
use trycmd::TestCases;

const README: &str = include_str!("../../README.md");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Transcripts of the program, without colours, at a fixed width.
fn transcripts() -> TestCases {
    let cases = TestCases::new();
    cases
        .register_bin("swinpipe", PathBuf::from(env!("CARGO_BIN_EXE_swinpipe")))
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .env("SWINPIPE_LOG", "error");
    cases
}

#[test]
fn commands_say_what_their_transcripts_say() {
    transcripts().case("tests/cmd/*.trycmd").run();
}

#[test]
fn the_readme_shows_what_the_program_does() {
    let dir = tempfile::tempdir().unwrap();
    // trycmd: `.in` is copied into a sandbox, and `.out` asks for one.
    fs::create_dir_all(dir.path().join("README.in/pipelines")).unwrap();
    fs::create_dir(dir.path().join("README.out")).unwrap();
    fs::copy(root().join("pipelines/ingest.toml"), dir.path().join("README.in/pipelines/ingest.toml")).unwrap();
    let transcript = as_transcript(README);
    assert!(transcript.contains("$ swinpipe run"), "README.md shows no run");
    let path = dir.path().join("README.md");
    fs::write(&path, transcript).unwrap();
    transcripts().case(&path).run();
}

#[test]
fn every_pipeline_file_that_is_shown_loads_without_a_problem() {
    for folder in ["pipelines", "examples"] {
        let files = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
        assert!(!files.is_empty(), "no pipeline file in {folder}/");
        for file in files {
            assert_sound(load::load(&file, &[]));
        }
    }
    let shown = blocks(README, "toml");
    assert!(!shown.is_empty(), "README.md shows no pipeline file");
    for text in shown {
        assert_sound(load::parse("README.md", &text, &[]));
    }
}

#[test]
fn every_example_is_listed() {
    let list = fs::read_to_string(root().join("examples/README.md")).unwrap();
    for entry in fs::read_dir(root().join("examples")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || list.contains(&name), "examples/README.md does not list {name}");
    }
}

#[track_caller]
fn assert_sound(loaded: Result<Loaded, Problems>) {
    match loaded {
        Ok(loaded) => assert!(loaded.warnings.is_empty(), "{}", load::render(&loaded.warnings, false)),
        Err(problems) => panic!("{}", problems.render(false)),
    }
}

/// The contents of a Markdown text's fenced blocks in `language`.
fn blocks(markdown: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let inside: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
            if info.trim() == language {
                blocks.push(inside.join("\n") + "\n");
            }
        }
    }
    blocks
}

/// The console blocks as trycmd takes them. README.md leaves lines out with `…`, and shows times, rates, sizes that hang
/// on them and the run's name as they were once; an output's last line is not followed by an empty one there.
fn as_transcript(markdown: &str) -> String {
    let varies = regex::Regex::new(r"in [0-9.]+ s  [0-9,]+/s|[0-9.]+ [KM]iB hashed|\b[0-9a-f]{12}\b").unwrap();
    let mut transcript = String::new();
    for block in blocks(markdown, "console") {
        transcript.push_str("```console\n");
        for (at, line) in block.lines().enumerate() {
            if line.starts_with("$ ") {
                transcript.push_str(if at > 0 { "\n" } else { "" });
                transcript.push_str(line);
            } else if line == "…" {
                transcript.push_str("...");
            } else {
                transcript.push_str(&varies.replace_all(line, "[..]").replace('…', "[..]"));
            }
            transcript.push('\n');
        }
        transcript.push_str("\n```\n\n");
    }
    transcript
}
