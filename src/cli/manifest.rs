//! `swinpipe manifest`: rows of the split manifest, for a person's eye or another program.

use std::collections::BTreeSet;

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::Done;
use super::terminal::Terminal;
use crate::dataset::manifest::Entry;
use crate::dataset::version;
use crate::sample::{Action, Change, Reason};

/// A parser of a closed list of words, which help and completions show.
macro_rules! words {
    ($name:ident) => {
        PossibleValuesParser::new($name::ALL.iter().map(|word| word.as_str()))
            .map(|word| word.parse::<$name>().expect("it is one of the possible values"))
    };
}

#[derive(clap::Args)]
pub struct Args {
    /// The dataset: `URL` or `URL@version`.
    dataset: String,
    /// Only rows with this action; may be repeated.
    #[arg(long, value_parser = words!(Action))]
    action: Vec<Action>,
    /// Only rows with this reason; may be repeated.
    #[arg(long, value_parser = words!(Reason))]
    reason: Vec<Reason>,
    /// Only rows with this change; may be repeated.
    #[arg(long, value_parser = words!(Change))]
    change: Vec<Change>,
    /// Only rows of this split; may be repeated.
    #[arg(long)]
    split: Vec<String>,
    /// Only rows of this class; may be repeated.
    #[arg(long)]
    label: Vec<String>,
    /// At most so many rows.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// How rows are printed; `--json` is short for `--format json`.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table of the telling columns.
    Table,
    /// Comma-separated values, all columns.
    Csv,
    /// One JSON array, all columns.
    Json,
}

pub fn run(args: Args, terminal: &Terminal) -> anyhow::Result<Done> {
    let version = version::open(&args.dataset)?;
    known("split", &args.split, &version.state.splits)?;
    let manifest = version.manifest()?;
    // Not the class list alone: what was kept out has labels that no sample has.
    let labels: BTreeSet<String> = manifest.iter().filter_map(|entry| entry.label.clone()).collect();
    known("label", &args.label, &labels.into_iter().collect::<Vec<_>>())?;
    let wanted = |entry: &&Entry| {
        (args.action.is_empty() || args.action.contains(&entry.action))
            && (args.reason.is_empty() || entry.reason.is_some_and(|reason| args.reason.contains(&reason)))
            && (args.change.is_empty() || entry.changes.iter().any(|change| args.change.contains(change)))
            && (args.split.is_empty() || entry.split.as_ref().is_some_and(|split| args.split.contains(split)))
            && (args.label.is_empty() || entry.label.as_ref().is_some_and(|label| args.label.contains(label)))
    };
    let rows: Vec<&Entry> = manifest.iter().filter(wanted).take(args.limit.unwrap_or(usize::MAX)).collect();
    match args.format {
        _ if terminal.json() => terminal.print_json(&rows.iter().map(|entry| entry.to_json()).collect())?,
        Format::Json => terminal.print_json(&rows.iter().map(|entry| entry.to_json()).collect())?,
        Format::Csv => terminal.print(&csv(&rows))?,
        Format::Table if rows.is_empty() => terminal.print("no row\n")?,
        Format::Table => terminal.print(&table(&rows, terminal))?,
    }
    Ok(Done::Well)
}

/// A word that is nowhere is a slip of the pen, not a question with an empty answer.
fn known(what: &str, asked: &[String], there: &[String]) -> anyhow::Result<()> {
    let Some(word) = asked.iter().find(|word| !there.contains(word)) else { return Ok(()) };
    let shown: Vec<&str> = there.iter().take(20).map(String::as_str).collect();
    let more = if there.len() > shown.len() { ", …" } else { "" };
    let there =
        if shown.is_empty() { "there is none".to_owned() } else { format!("there are {}{more}", shown.join(", ")) };
    anyhow::bail!("no row has the {what} `{word}`: {there}")
}

fn table(rows: &[&Entry], terminal: &Terminal) -> String {
    let cells = |entry: &&Entry| {
        let changes: Vec<&str> = entry.changes.iter().map(|change| change.as_str()).collect();
        let why = match (entry.reason, &entry.duplicate_of) {
            (Some(reason), _) => reason.to_string(),
            (None, Some(of)) => format!("of {of}"),
            (None, None) => changes.join(" "),
        };
        vec![
            entry.uri.clone(),
            entry.action.to_string(),
            why,
            entry.split.clone().unwrap_or_default(),
            entry.label.clone().unwrap_or_default(),
            entry.detail.clone().unwrap_or_default(),
        ]
    };
    let header = ["uri", "action", "why or how", "split", "label", "detail"];
    terminal.table(&header, rows.iter().map(cells).collect(), &[])
}

fn csv(rows: &[&Entry]) -> String {
    use crate::dataset::manifest::COLUMNS;
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut csv = COLUMNS.map(|(name, _)| name).join(",") + "\n";
    for entry in rows {
        let json = entry.to_json();
        let cell = |(name, _): (&str, &str)| match &json[name] {
            serde_json::Value::Null => String::new(),
            serde_json::Value::String(text) => quoted(text),
            serde_json::Value::Array(words) => {
                quoted(&words.iter().filter_map(|word| word.as_str()).collect::<Vec<_>>().join(" "))
            }
            other => other.to_string(),
        };
        csv.push_str(&COLUMNS.map(cell).join(","));
        csv.push('\n');
    }
    csv
}
