//! `swinpipe check`: the file first, then what is around it: source, dataset, disk.

use std::path::Path;

use super::terminal::{Terminal, bytes, count, in_words, number};
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

impl Finding {
    fn good(what: &'static str, words: String) -> Finding {
        Finding { what, words, ok: true }
    }

    fn bad(what: &'static str, words: String) -> Finding {
        Finding { what, words, ok: false }
    }
}

pub fn run(args: Args, terminal: &Terminal) -> anyhow::Result<Done> {
    let loaded = match args.pipeline.load(terminal) {
        Ok(loaded) => loaded,
        Err(done) => return Ok(done),
    };
    let folder = local_folder(&loaded.pipeline.dataset.url)?;
    let mut findings = vec![Finding::good("file", "no problem in it".to_owned())];
    let obstacles = plan::obstacles(&loaded.pipeline);
    let told = |what: &str| obstacles.iter().any(|(part, _)| *part == what);
    let writable = (!told("dataset")).then(|| writable(&folder));
    let planned = if obstacles.is_empty() { Some(plan::plan(loaded.pipeline, None)) } else { None };
    findings.extend(obstacles.into_iter().map(|(what, error)| Finding::bad(what, in_words(&error.into()))));
    match &planned {
        Some(Ok(plan)) => {
            plan.warnings.iter().for_each(|warning| terminal.warn(warning));
            findings.push(source(plan));
            findings.extend(too_much_is_kept_out(plan));
        }
        // The source and the rule are sound, but no object has a label.
        Some(Err(error)) => findings.push(Finding::bad("labels", error.to_string())),
        None => {}
    }
    findings.extend(writable);
    if let Some(Ok(plan)) = &planned {
        findings.push(disk(plan));
    }
    let ok = findings.iter().all(|finding| finding.ok);
    if terminal.json() {
        let findings: Vec<_> = findings
            .iter()
            .map(|finding| serde_json::json!({ "check": finding.what, "ok": finding.ok, "message": finding.words }))
            .collect();
        terminal.print_json(&serde_json::json!({ "ok": ok, "checks": findings }))?;
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
    Finding::good("source", words)
}

/// The gate will fail, whatever the images are.
fn too_much_is_kept_out(plan: &Plan) -> Option<Finding> {
    let certain: u64 = plan.foreseen.iter().map(|foreseen| foreseen.objects).sum();
    let (limit, fresh) = (plan.pipeline.clean.max_quarantine_rate, plan.fresh.len() as u64);
    let words = format!(
        "{} of {} new or changed objects will be kept out before a pixel is read, and clean.max_quarantine_rate is \
         {limit}: the warnings say why",
        number(certain),
        number(fresh)
    );
    (certain as f64 > limit * fresh as f64).then(|| Finding::bad("labels", words))
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
