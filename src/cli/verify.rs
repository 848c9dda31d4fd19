//! `swinpipe verify`: whether a version is what was committed.

use super::Done;
use super::terminal::{Terminal, bytes, count};
use crate::dataset::{verify, version};

#[derive(clap::Args)]
pub struct Args {
    /// The dataset: `URL` or `URL@version`.
    dataset: String,
}

/// Problems shown; all of them are in the JSON document.
const SHOWN: usize = 50;

pub fn run(args: Args, terminal: &Terminal) -> anyhow::Result<Done> {
    let version = version::open(&args.dataset)?;
    let report = verify::verify(&version)?;
    if report.card_rewritten {
        terminal.warn("README.md or croissant.json was missing or out of date, and is written again");
    }
    if terminal.json() {
        terminal.print_json(&serde_json::to_value(&report)?)?;
    } else {
        for problem in report.problems.iter().take(SHOWN) {
            terminal.print(&format!("{problem}\n"))?;
        }
        if report.problems.len() > SHOWN {
            terminal.print(&format!("… and {} more\n", report.problems.len() - SHOWN))?;
        }
        if !report.problems.is_empty() {
            let cure = "restore these files from a copy, or run the pipeline into another dataset.url";
            terminal.print(&format!("\n{cure}\n"))?;
        }
        terminal.print(&format!(
            "{} version {}: {}, {}, {} hashed; {}\n",
            args.dataset,
            report.version,
            count(report.files, "file"),
            count(report.images, "image"),
            bytes(report.bytes),
            match report.problems.len() {
                0 => "everything is what was committed".to_owned(),
                n => count(n as u64, "problem"),
            },
        ))?;
    }
    Ok(if report.problems.is_empty() { Done::Well } else { Done::Gate })
}
