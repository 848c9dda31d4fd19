//! `swinpipe why`: one object's whole history: what it was, what was done to it, where it is, and why.

use std::fmt::Write;

use super::Done;
use super::terminal::{Terminal, bytes};
use crate::dataset::manifest::{self, Entry};
use crate::dataset::version;
use crate::source::key;

#[derive(clap::Args)]
pub struct Args {
    /// The dataset: `URL` or `URL@version`.
    dataset: String,
    /// The object: its key, its path, the end of either, or a sample's id or the beginning of one.
    path: std::path::PathBuf,
}

pub fn run(args: Args, terminal: &Terminal) -> anyhow::Result<Done> {
    let version = version::open(&args.dataset)?;
    let history: Vec<Entry> = version.history()?;
    // As the manifest shows it, or as the file system does.
    let shown = args.path.to_str().filter(|path| !find(&history, path).is_empty());
    let asked = shown.map_or_else(|| key::from_path(&args.path), str::to_owned);
    let found = find(&history, &asked);
    if found.is_empty() {
        let near = nearest(&history, &asked).map_or(String::new(), |uri| format!("; did you mean `{uri}`?"));
        anyhow::bail!("{} never met an object `{asked}`{near}", version.url());
    }
    if terminal.json() {
        terminal.print_json(&found.iter().map(|entry| entry.to_json()).collect())?;
        return Ok(Done::Well);
    }
    let mut text = String::new();
    let mut last = None;
    for entry in &found {
        if last != Some(&entry.uri) {
            writeln!(text, "\n{}", terminal.strong(&entry.uri))?;
            last = Some(&entry.uri);
        } else {
            text.push('\n');
        }
        tell(entry, terminal, &mut text)?;
    }
    let stands_for = manifest::latest(history.clone())
        .into_iter()
        .filter(|entry| entry.duplicate_of.as_ref().is_some_and(|of| found.iter().any(|found| found.uri == *of)));
    for entry in stands_for {
        writeln!(text, "  {:<12} {}", "stands for", entry.uri)?;
    }
    terminal.print(&text)?;
    Ok(Done::Well)
}

/// The rows of the objects that `asked` names: exactly, else by the end of the key, else by the beginning of the id.
fn find<'a>(history: &'a [Entry], asked: &str) -> Vec<&'a Entry> {
    let asked = asked.trim_start_matches("./");
    let by = |matches: &dyn Fn(&Entry) -> bool| history.iter().filter(|entry| matches(entry)).collect::<Vec<_>>();
    let ends = |long: &str, short: &str| long.strip_suffix(short).is_some_and(|rest| rest.ends_with('/'));
    let exact = by(&|entry| entry.uri == asked);
    if !exact.is_empty() {
        return exact;
    }
    let by_end = by(&|entry| ends(&entry.uri, asked) || ends(asked, &entry.uri));
    if !by_end.is_empty() {
        return by_end;
    }
    by(&|entry| asked.len() >= 6 && entry.id.is_some_and(|id| id.to_string().starts_with(asked)))
}

fn nearest<'a>(history: &'a [Entry], asked: &str) -> Option<&'a str> {
    let near = history.iter().map(|entry| (strsim::jaro_winkler(&entry.uri, asked), entry.uri.as_str()));
    near.filter(|(likeness, _)| *likeness > 0.8).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, uri)| uri)
}

fn tell(entry: &Entry, terminal: &Terminal, text: &mut String) -> std::fmt::Result {
    let mut line = |name: &str, value: String| writeln!(text, "  {} {value}", terminal.faint(&format!("{name:<12}")));
    line("version", format!("{}, run {}", entry.version, entry.run))?;
    let format = |format: Option<crate::sample::Format>| format.map_or("nothing".to_owned(), |f| f.to_string());
    let claim = format!("{}, claims {}", bytes(entry.size), format(entry.declared_format));
    let real = entry.real_format.map_or(", was not read".to_owned(), |f| format!(", is {f}"));
    let mode = entry.mode.as_ref().map_or(String::new(), |mode| format!(" {mode}"));
    line("object", format!("{claim}{real}{mode}"))?;
    if let Some(id) = entry.id {
        line("id", id.to_string())?;
    }
    line("action", format!("{}: {}", entry.action, entry.action.meaning()))?;
    for change in &entry.changes {
        line("change", format!("{change}: {}", change.meaning()))?;
    }
    if let Some(reason) = entry.reason {
        line("reason", format!("{reason}: {}", reason.meaning()))?;
    }
    if let Some(detail) = &entry.detail {
        line("detail", detail.clone())?;
    }
    if let Some(of) = &entry.duplicate_of {
        line("duplicate of", of.clone())?;
    }
    if let Some(label) = &entry.label {
        line("label", label.clone())?;
    }
    if let (Some(width), Some(height)) = (entry.width, entry.height) {
        line("image", format!("{width} × {height} pixels, phash {:016x}", entry.phash.unwrap_or(0)))?;
    }
    if let Some(split) = &entry.split {
        line("split", split.clone())?;
    }
    if let (Some(shard), Some(row)) = (&entry.shard, entry.row) {
        line("stored", format!("{shard}, row {row}"))?;
    }
    Ok(())
}
