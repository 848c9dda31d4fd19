//! `swinpipe plan`: what a run would do.

use super::terminal::{Terminal, bytes, number};
use super::{Done, PipelineArgs};
use crate::pipeline::plan::{self, Counts};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pipeline: PipelineArgs,
}

pub fn run(args: Args, terminal: &Terminal) -> anyhow::Result<Done> {
    let loaded = match args.pipeline.load(terminal) {
        Ok(loaded) => loaded,
        Err(done) => return Ok(done),
    };
    let plan = plan::plan(loaded.pipeline, None)?;
    plan.warnings.iter().for_each(|warning| terminal.warn(warning));
    let counts = plan.counts();
    if terminal.json() {
        terminal.print_json(&serde_json::to_value(&counts)?)?;
    } else {
        let batches = plan.batches().len();
        terminal.print(&render(&counts, batches, terminal))?;
    }
    Ok(Done::Well)
}

fn render(counts: &Counts, batches: usize, terminal: &Terminal) -> String {
    let base = match counts.base_version {
        Some(version) => format!("onto version {version}"),
        None => "as version 0 of a new dataset".to_owned(),
    };
    let mut text = format!("\n{} {base}\n\n", terminal.strong(&format!("{} into {}", counts.source, counts.dataset)));
    let mut rows = vec![
        vec!["objects".to_owned(), number(counts.objects), bytes(counts.bytes)],
        vec!["new".to_owned(), number(counts.new), String::new()],
        vec!["changed".to_owned(), number(counts.changed), String::new()],
        vec!["unchanged".to_owned(), number(counts.unchanged), String::new()],
        vec!["gone, samples kept".to_owned(), number(counts.gone), String::new()],
        vec!["to read".to_owned(), number(counts.new + counts.changed), bytes(counts.bytes_to_read)],
        vec!["scan units".to_owned(), number(batches as u64), String::new()],
        vec!["disk, at most".to_owned(), String::new(), bytes(counts.disk_estimate)],
    ];
    let optional = [
        ("left out by globs", counts.excluded),
        ("links and devices passed over", counts.skipped),
        ("table keys without an object", counts.orphans),
        ("without a label", counts.unlabelled),
    ];
    rows.extend(
        optional
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(what, count)| vec![(*what).to_owned(), number(*count), String::new()]),
    );
    text += &terminal.table(&[], rows, &[1, 2]);
    if !counts.labels.is_empty() {
        text += "\n";
        let shown = counts.labels.iter().take(20).map(|(label, count)| vec![label.clone(), number(*count)]);
        let mut rows: Vec<Vec<String>> = shown.collect();
        if counts.labels.len() > rows.len() {
            rows.push(vec![format!("… {} more", counts.labels.len() - rows.len()), String::new()]);
        }
        text += &terminal.table(&["label", "objects"], rows, &[1]);
    }
    text + "\n  nothing was written\n"
}
