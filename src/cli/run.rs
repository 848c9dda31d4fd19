//! `swinpipe run`: from a pipeline file to a committed version.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::progress::Progress;
use super::terminal::{Terminal, bytes, count, duration, number, percent};
use super::usage::usage;
use super::{Done, PipelineArgs};
use crate::pipeline::event::Watch;
use crate::pipeline::run::{self, Outcome, RunError};
use crate::pipeline::summary::{SplitCount, Summary};
use crate::sample::{Action, Reason};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pipeline: PipelineArgs,
    /// Try it on so many objects, chosen by hash, into a dataset of its own: `<dataset.url>-sample`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

/// Set by the first Ctrl-C or termination; the second ends the process at once.
static STOP: AtomicBool = AtomicBool::new(false);

pub fn run(args: Args, terminal: &Terminal) -> anyhow::Result<Done> {
    let loaded = match args.pipeline.load(terminal) {
        Ok(loaded) => loaded,
        Err(done) => return Ok(done),
    };
    stop_on_signals()?;
    let progress = Progress::new(terminal);
    let tell = |event| progress.on(event);
    let started = Instant::now();
    let limit = args.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let outcome = run::run(loaded.pipeline, limit, &Watch::new(&tell, &STOP));
    let time = started.elapsed();
    match outcome {
        Ok(Outcome::Committed(summary)) => {
            if terminal.json() {
                let mut value = serde_json::to_value(&summary)?;
                value["outcome"] = "committed".into();
                value["seconds"] = time.as_secs_f64().into();
                value["usage"] = serde_json::to_value(usage())?;
                terminal.print_json(&value)?;
            } else {
                terminal.print(&render(&summary, time, terminal))?;
            }
            Ok(Done::Well)
        }
        Ok(Outcome::NothingToDo { dataset, version }) => {
            if terminal.json() {
                terminal.print_json(&serde_json::json!(
                    { "outcome": "nothing to do", "dataset": dataset, "version": version }
                ))?;
            } else {
                terminal.print(&format!(
                    "nothing to do: {dataset} is at version {version}, and nothing at the source is new or changed\n"
                ))?;
            }
            Ok(Done::Well)
        }
        Err(error) if error.is_stopped() => {
            if terminal.json() {
                terminal.print_json(&serde_json::json!({ "outcome": "interrupted" }))?;
            }
            terminal.warn("interrupted; finished work is kept: run the same command again to go on");
            Ok(Done::Interrupted)
        }
        Err(RunError::Gate(gate)) => {
            let facts = serde_json::json!({ "outcome": "gate failed", "gate": gate });
            terminal.error(&RunError::Gate(gate).into(), Some(facts));
            Ok(Done::Gate)
        }
        Err(error) => Err(error.into()),
    }
}

fn stop_on_signals() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signals = runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        std::io::Result::Ok((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
    });
    let (mut interrupt, mut terminate) = signals?;
    std::thread::Builder::new().name("swinpipe-signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
                if STOP.swap(true, Ordering::Relaxed) {
                    std::process::exit(130);
                }
                eprintln!("stopping after the images at hand; press Ctrl-C again to stop at once");
            }
        });
    })?;
    Ok(())
}

/// The closing summary.
fn render(summary: &Summary, time: Duration, terminal: &Terminal) -> String {
    let mut text =
        format!("\n{}\n\n", terminal.strong(&format!("{} is at version {}", summary.dataset, summary.version)));
    text += &actions(summary, terminal);
    text.push('\n');
    let new = if summary.version > 0 { format!("new in version {}", summary.version) } else { String::new() };
    text += &splits(&new, &summary.splits, &summary.classes, terminal);
    let rate = summary.objects as f64 / time.as_secs_f64().max(1e-9);
    let memory = usage().map_or(String::new(), |usage| format!(", {} of memory", bytes(usage.peak_memory)));
    text += &format!(
        "\n  {} in {} ({rate:.0}/s), {} read, {} written in {}{memory}\n",
        count(summary.objects, "object"),
        duration(time),
        bytes(summary.bytes_read),
        bytes(summary.bytes_written),
        count(summary.shards, "shard"),
    );
    if summary.excluded > 0 {
        text += &format!("  {} left out by source.include and source.exclude\n", count(summary.excluded, "more file"));
    }
    if summary.unchanged > 0 {
        text += &format!("  {} unchanged since the version before\n", count(summary.unchanged, "more object"));
    }
    if summary.touched > 0 {
        text +=
            &format!("  {} touched, with the content of the version before\n", count(summary.touched, "more object"));
    }
    text += "\n";
    let name = quoted(&summary.dataset);
    let mut next = vec![("look at it", format!("swinpipe inspect {name}"))];
    if summary.reasons.is_empty() {
        next.push(("check it", format!("swinpipe verify {name}")));
    } else {
        // Named one by one: a conflict of splits is an action of its own.
        let kept_out = [Action::Quarantined, Action::SplitConflict].map(|action| action.as_str());
        let named = kept_out.iter().filter(|action| summary.actions.contains_key(**action));
        let options: String = named.map(|action| format!(" --action {action}")).collect();
        next.push(("see what was kept out", format!("swinpipe manifest {name}{options}")));
    }
    for (what, command) in next {
        text += &format!("  {}  {command}\n", terminal.faint(&format!("{what:<21}")));
    }
    text
}

/// A path as a shell takes it.
pub fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@,=".contains(c);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

fn actions(summary: &Summary, terminal: &Terminal) -> String {
    let of = |action: Action| summary.actions.get(action.as_str()).copied().unwrap_or(0);
    let mut rows = Vec::new();
    // The good ones first, as a reader wants them.
    for &action in Action::ALL.iter().rev().filter(|&&action| of(action) > 0) {
        let how = match action {
            // A split conflict is its own reason, and no other action has it.
            Action::SplitConflict => meaning(Reason::SplitConflict),
            Action::Quarantined => {
                let mut reasons = summary.reasons.clone();
                reasons.remove(Reason::SplitConflict.as_str());
                in_words(&reasons)
            }
            Action::Reencoded => summary.changes.get(action.as_str()).map_or(String::new(), in_words),
            _ => action.meaning().trim_end_matches('.').to_owned(),
        };
        let share = percent(of(action), summary.objects);
        rows.push(vec![action.to_string(), number(of(action)), share, terminal.faint(&how)]);
    }
    terminal.table(&[], rows, &[1, 2])
}

fn in_words(counts: &BTreeMap<&'static str, u64>) -> String {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by_key(|(word, count)| (std::cmp::Reverse(**count), **word));
    counts.iter().map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
}

/// Most classes shown in a table by name.
const CLASSES_SHOWN: usize = 10;

/// Samples per split and class, under a title.
pub fn splits(title: &str, splits: &[SplitCount], classes: &[String], terminal: &Terminal) -> String {
    let shown = &classes[..classes.len().min(CLASSES_SHOWN)];
    let more = classes.len() - shown.len();
    let mut header = vec![title.to_owned(), "samples".to_owned(), "share".to_owned()];
    header.extend(shown.iter().cloned());
    if more > 0 {
        header.push(format!("{more} more"));
    }
    let all: u64 = splits.iter().map(|split| split.samples).sum();
    let row = |split: &SplitCount| {
        let mut row = vec![split.split.clone(), number(split.samples), percent(split.samples, all)];
        let of = |class: &String| split.classes.get(class).copied().unwrap_or(0);
        row.extend(shown.iter().map(|class| number(of(class))));
        if more > 0 {
            row.push(number(split.samples - shown.iter().map(of).sum::<u64>()));
        }
        row
    };
    let rows: Vec<Vec<String>> = splits.iter().map(row).collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    terminal.table(&header, rows, &(1..header.len()).collect::<Vec<_>>())
}

/// The meaning of a reason's word, for tables.
pub fn meaning(reason: Reason) -> String {
    reason.meaning().trim_end_matches('.').to_owned()
}
