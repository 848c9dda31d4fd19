//! `swinpipe inspect`: what a dataset holds, at a glance.

use super::Done;
use super::run::{meaning, quoted, splits};
use super::terminal::{Terminal, bytes, count, number, percent};
use crate::dataset::manifest::Entry;
use crate::dataset::version;
use crate::pipeline::summary::SplitCount;
use crate::sample::{Action, Reason};

#[derive(clap::Args)]
pub struct Args {
    /// The dataset: `URL` or `URL@version`.
    dataset: String,
}

/// Samples shown of each split.
const SHOWN: usize = 3;

pub fn run(args: Args, terminal: &Terminal) -> anyhow::Result<Done> {
    let version = version::open(&args.dataset)?;
    let mut manifest = version.manifest()?;
    // What objects no longer are is history, which `why` tells.
    manifest.retain(|entry| entry.action != Action::Removed);
    let shards = version.shards()?;
    let state = &version.state;
    let samples = manifest.iter().filter(|entry| entry.action.in_dataset());
    let samples = samples.filter_map(|entry| Some((entry.split.as_deref()?, entry.label.as_deref())));
    let of_split = SplitCount::of(&state.splits, samples);
    let entries = |keep: &dyn Fn(&Entry) -> bool| manifest.iter().filter(|entry| keep(entry)).count() as u64;
    let actions: Vec<(Action, u64)> =
        Action::ALL.iter().rev().map(|&action| (action, entries(&|e| e.action == action))).collect();
    let reasons: Vec<(Reason, u64)> =
        Reason::ALL.iter().map(|&reason| (reason, entries(&|e| e.reason == Some(reason)))).collect();
    let total: u64 = shards.iter().map(|shard| shard.file.bytes).sum();
    if terminal.json() {
        let named = |words: Vec<(String, u64)>| -> serde_json::Map<_, _> {
            words.into_iter().filter(|(_, count)| *count > 0).map(|(word, count)| (word, count.into())).collect()
        };
        terminal.print_json(&serde_json::json!({
            "dataset": version.url(), "version": version.number, "name": state.name, "run": state.run,
            "classes": state.classes, "splits": of_split, "bytes": total,
            "shards": shards,
            "actions": named(actions.iter().map(|(word, count)| (word.to_string(), *count)).collect()),
            "reasons": named(reasons.iter().map(|(word, count)| (word.to_string(), *count)).collect()),
        }))?;
        return Ok(Done::Well);
    }
    let title = format!("{}, version {} of {}", state.name, version.number, version.url());
    let samples: u64 = shards.iter().map(|shard| shard.file.rows).sum();
    let mut text = format!("\n{}\n", terminal.strong(&title));
    text += &format!(
        "  {} in {}, {}; {} seen\n\n",
        count(samples, "sample"),
        count(shards.len() as u64, "shard"),
        bytes(total),
        count(manifest.len() as u64, "object"),
    );
    text += &splits("", &of_split, &state.classes, terminal);
    text += "\n";
    let shown = actions.iter().filter(|(_, count)| *count > 0).map(|(action, count)| {
        let how = terminal.faint(action.meaning().trim_end_matches('.'));
        vec![action.to_string(), number(*count), percent(*count, manifest.len() as u64), how]
    });
    text += &terminal.table(&[], shown.collect(), &[1, 2]);
    let shown: Vec<Vec<String>> = reasons
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| vec![reason.to_string(), number(*count), terminal.faint(&meaning(*reason))])
        .collect();
    if !shown.is_empty() {
        text += &format!("\n  {}\n", terminal.strong("kept out, because"));
        text += &terminal.table(&[], shown, &[1]);
    }
    text += &format!("\n  {}\n", terminal.strong("a first look"));
    text += &terminal.table(
        &["split", "label", "size", "source mode", "action", "uri"],
        first_look(&manifest, &state.splits),
        &[],
    );
    text += &format!("\n  one object's history:  swinpipe why {} PATH\n", quoted(&args.dataset));
    terminal.print(&text)?;
    Ok(Done::Well)
}

/// The first rows of each split's first shard.
fn first_look(manifest: &[Entry], splits: &[String]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for split in splits {
        let mut of_split: Vec<&Entry> =
            manifest.iter().filter(|entry| entry.split.as_ref() == Some(split) && entry.shard.is_some()).collect();
        of_split.sort_by(|a, b| (&a.shard, a.row).cmp(&(&b.shard, b.row)));
        for entry in of_split.into_iter().take(SHOWN) {
            rows.push(vec![
                split.clone(),
                entry.label.as_deref().unwrap_or("").to_owned(),
                format!("{}×{}", entry.width.unwrap_or(0), entry.height.unwrap_or(0)),
                entry.mode.as_deref().unwrap_or("").to_owned(),
                entry.action.to_string(),
                entry.uri.clone(),
            ]);
        }
    }
    rows
}
