//! `swinpipe check`: the file first, then what is around it: source, dataset, disk.

use std::path::Path;

use super::terminal::{Terminal, bytes, count, in_words};
use super::{Done, PipelineArgs};
use crate::pipeline::plan::{self, Plan};
use crate::store::local_folder;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pipeline: PipelineArgs,
}

/// A check of the environment and how it came out.
struct Finding {
    what: &'static str,
    /// What was found, or what is wrong and what to do.
    words: String,
    ok: bool,
}

pub fn run(args: Args, terminal: &Terminal) -> anyhow::Result<Done> {
    let loaded = match args.pipeline.load(terminal) {
        Ok(loaded) => loaded,
        Err(done) => return Ok(done),
    };
    let folder = local_folder(&loaded.pipeline.dataset.url)?;
    let mut findings =
        vec![Finding { what: "file", words: "no problem in it".to_owned(), ok: true }, writable(&folder)];
    match plan::plan(loaded.pipeline, None) {
        Ok(plan) => {
            plan.warnings.iter().for_each(|warning| terminal.warn(warning));
            findings.insert(1, source(&plan));
            findings.push(disk(&plan));
        }
        Err(error) => findings.insert(1, Finding { what: "input", words: in_words(&error.into()), ok: false }),
    }
    let ok = findings.iter().all(|finding| finding.ok);
    if terminal.json() {
        let findings: Vec<_> = findings
            .iter()
            .map(|finding| serde_json::json!({ "check": finding.what, "ok": finding.ok, "message": finding.words }))
            .collect();
        terminal.print_json(&serde_json::json!({ "ok": ok, "checks": findings }));
    } else {
        let word = |finding: &Finding| if finding.ok { "ok".to_owned() } else { terminal.strong("PROBLEM") };
        let rows = findings.iter().map(|f| vec![f.what.to_owned(), word(f), f.words.clone()]).collect();
        terminal.print(&terminal.table(&[], rows, &[]))?;
    }
    Ok(if ok { Done::Well } else { Done::Error })
}

fn source(plan: &Plan) -> Finding {
    let counts = plan.counts();
    let words = format!("{}, {} to read", count(counts.objects, "object"), bytes(counts.bytes_to_read));
    Finding { what: "input", words, ok: true }
}

/// The nearest folder above `path` that exists.
fn existing(path: &Path) -> &Path {
    path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"))
}

/// Tries what a run does first, and leaves nothing behind.
fn writable(folder: &Path) -> Finding {
    let place = existing(folder);
    let (ok, words) = match tempfile::tempfile_in(place) {
        Ok(_) => (true, format!("{} is writable", place.display())),
        Err(error) => {
            (false, format!("cannot write to {}: {error}; change its permissions or dataset.url", place.display()))
        }
    };
    Finding { what: "dataset", words, ok }
}

fn disk(plan: &Plan) -> Finding {
    let place = existing(&plan.dataset);
    let needed = plan.counts().disk_estimate;
    match free(place) {
        Ok(free) if free < needed => {
            let words = format!(
                "{} free at {}, up to {} needed: free some, or name a folder on another disk in dataset.url",
                bytes(free),
                place.display(),
                bytes(needed)
            );
            Finding { what: "disk", words, ok: false }
        }
        Ok(free) => {
            Finding { what: "disk", words: format!("{} free, up to {} needed", bytes(free), bytes(needed)), ok: true }
        }
        Err(error) => Finding {
            what: "disk",
            words: format!("cannot tell what is free at {}: {error}", place.display()),
            ok: false,
        },
    }
}

/// Bytes that an unprivileged process may still write.
fn free(place: &Path) -> std::io::Result<u64> {
    let stat = rustix::fs::statvfs(place)?;
    Ok(stat.f_bavail * stat.f_frsize)
}
