//! Imports go down only: what comes later in the flow knows what comes before, never the other way round.

use std::fs;
use std::path::Path;

/// What each module may import of ours, beside itself.
const MAY: &[(&str, &[&str])] = &[
    ("sample", &[]),
    ("store", &[]),
    ("source", &["sample", "sniff"]),
    ("sniff", &["sample"]),
    ("clean", &["sample", "sniff"]),
    ("split", &["sample", "source"]),
    ("shard", &["sample", "store"]),
    ("dataset", &["sample", "store", "shard", "clean"]),
    ("pipeline", &["sample", "store", "source", "sniff", "clean", "split", "shard", "dataset"]),
    ("demo", &["sample", "clean"]),
    ("cli", &["sample", "store", "source", "sniff", "clean", "split", "shard", "dataset", "pipeline", "demo"]),
];

#[test]
fn imports_go_down_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for entry in walkdir::WalkDir::new(&src) {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(&src).unwrap().to_string_lossy().into_owned();
        let module = path.split(['/', '.']).next().unwrap().to_owned();
        if !path.ends_with(".rs") || matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        let Some((_, may)) = MAY.iter().find(|(name, _)| *name == module) else {
            panic!("{path}: no rule says what `{module}` may import");
        };
        let text = fs::read_to_string(entry.path()).unwrap();
        // Tests may look anywhere.
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (number, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for imported in line.split("crate::").skip(1) {
                let name: String = imported.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if name != module && !may.contains(&name.as_str()) {
                    wrong.push(format!("src/{path}:{}: `{module}` imports `{name}`", number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
