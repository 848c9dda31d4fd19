//! What the documents show works: every pipeline file and every TOML block of the README loads without a remark.

use std::fs;
use std::path::Path;

use swinpipe::pipeline::load;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_pipeline_file_in_the_repository_loads() {
    let mut seen = 0;
    for folder in ["pipelines", "examples"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let loaded = load::load(&path, &[]).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
                assert!(loaded.warnings.is_empty(), "{}", load::render(&loaded.warnings, false));
                seen += 1;
            }
        }
    }
    assert!(seen > 1);
}

#[test]
fn every_toml_block_of_the_readme_loads() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let blocks: Vec<&str> =
        readme.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or(rest)).collect();
    assert!(!blocks.is_empty());
    for block in blocks.into_iter().filter(|block| block.contains("[source]")) {
        let loaded =
            load::parse("README.md", block, &[]).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        assert!(loaded.warnings.is_empty(), "{}", load::render(&loaded.warnings, false));
    }
}
