//! `swinpipe demo`: a small dirty dataset to try everything on.

use std::path::PathBuf;

use super::Done;
use super::terminal::{Terminal, bytes, number};
use crate::demo::{self, Options};

#[derive(clap::Args)]
pub struct Args {
    /// The folder to draw into; it must be empty, or hold a demo drawn with the same options.
    dir: PathBuf,
    /// Images to draw.
    #[arg(long, default_value_t = Options::default().images)]
    images: usize,
    /// Another seed draws other images.
    #[arg(long, default_value_t = Options::default().seed)]
    seed: u64,
    /// Pixels of the shorter side of most images.
    #[arg(long, default_value_t = Options::default().side)]
    side: u32,
}

pub fn run(args: Args, terminal: &Terminal) -> anyhow::Result<Done> {
    let options = Options { images: args.images, seed: args.seed, side: args.side };
    let drawn = demo::write(&args.dir, &options)?;
    let by_dirt: Vec<(String, usize)> =
        drawn.by_dirt.iter().filter(|(_, count)| *count > 0).map(|(dirt, count)| (dirt.to_string(), *count)).collect();
    if terminal.json() {
        terminal.print_json(&serde_json::json!({
            "dir": args.dir, "files": drawn.files, "bytes": drawn.bytes, "classes": drawn.classes,
            "dirt": by_dirt.into_iter().map(|(dirt, count)| (dirt, count.into())).collect::<serde_json::Map<_, _>>(),
        }))?;
        return Ok(Done::Well);
    }
    let dirt: Vec<String> = by_dirt.iter().map(|(dirt, count)| format!("{count} {dirt}")).collect();
    let dir = args.dir.display();
    terminal.print(&format!(
        "{dir} holds {} files in {} classes, {}\n{}\n{dir}/truth.csv says what each is\n",
        number(drawn.files as u64),
        drawn.classes.len(),
        bytes(drawn.bytes),
        terminal.faint(&wrapped(&dirt)),
    ))?;
    Ok(Done::Well)
}

/// Words in lines of at most 100 characters, indented by two.
fn wrapped(words: &[String]) -> String {
    let mut lines = vec![String::from(" ")];
    for (i, word) in words.iter().enumerate() {
        let comma = if i + 1 < words.len() { "," } else { "" };
        let line = lines.last_mut().expect("there is a line");
        if line.len() + word.len() > 98 && line.len() > 1 {
            lines.push(format!("  {word}{comma}"));
        } else {
            line.push_str(&format!(" {word}{comma}"));
        }
    }
    lines.join("\n")
}
