//! Where output goes and how it looks: results on standard output, everything else on standard error; colours only on a
//! terminal that wants them.

use std::io::{IsTerminal, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table};

/// How a command talks.
pub struct Terminal {
    json: bool,
    quiet: bool,
    verbose: bool,
    colours: bool,
}

/// Whether a stream gets colours: it is a terminal, and neither `NO_COLOR` (https://no-color.org) nor `TERM=dumb` is set.
pub fn colours(stream: &impl IsTerminal) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

impl Terminal {
    /// `json`: results are JSON documents. `quiet`: only results and errors. `verbose`: how long every stage takes.
    pub fn new(json: bool, quiet: bool, verbose: bool) -> Terminal {
        Terminal { json, quiet, verbose, colours: colours(&std::io::stdout()) }
    }

    /// Whether results are JSON documents.
    pub fn json(&self) -> bool {
        self.json
    }

    /// Whether only results and errors are wanted.
    pub fn quiet(&self) -> bool {
        self.quiet
    }

    /// Whether a stage tells how long it took even if it counts no images.
    pub fn verbose(&self) -> bool {
        self.verbose
    }

    /// Prints a result.
    ///
    /// # Errors
    /// Standard output's.
    pub fn print(&self, text: &str) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Prints a JSON document, for machines.
    ///
    /// # Errors
    /// Standard output's.
    pub fn print_json(&self, value: &serde_json::Value) -> std::io::Result<()> {
        self.print(&format!("{value:#}\n"))
    }

    /// Tells an error with its causes. `facts`: what a machine wants to know of it beside the words.
    pub fn error(&self, error: &anyhow::Error, facts: Option<serde_json::Value>) {
        let words = in_words(error);
        if self.json {
            let mut value = serde_json::json!({ "error": words });
            if let Some(facts) = facts {
                value["facts"] = facts;
            }
            // Whoever closed standard output reads the line below.
            if let Err(error) = self.print_json(&value) {
                eprintln!("error: {error}");
            }
        }
        let mark = if colours(&std::io::stderr()) { "\x1b[1;31merror:\x1b[0m" } else { "error:" };
        eprintln!("{mark} {words}");
    }

    /// Tells something that a person should know.
    pub fn warn(&self, text: &str) {
        if !self.quiet {
            let mark = if colours(&std::io::stderr()) { "\x1b[33mwarning:\x1b[0m" } else { "warning:" };
            eprintln!("{mark} {text}");
        }
    }

    /// Bold on a terminal.
    pub fn strong(&self, text: &str) -> String {
        if self.colours { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Faint on a terminal.
    pub fn faint(&self, text: &str) -> String {
        if self.colours { format!("\x1b[2m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A table without lines, indented by two; columns other than the first are right-aligned where `right` says so.
    pub fn table(&self, header: &[&str], rows: Vec<Vec<String>>, right: &[usize]) -> String {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        if !header.is_empty() {
            table.set_header(header.iter().map(|name| self.faint(name)));
        }
        table.add_rows(rows);
        for &column in right {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.lines().map(|line| format!("  {}\n", line.trim_end())).collect()
    }
}

/// An error and its causes, less those whose words an earlier one repeats, and less the backtraces that some append.
pub fn in_words(error: &anyhow::Error) -> String {
    let mut words = error.to_string();
    for cause in error.chain().skip(1).map(|cause| cause.to_string()) {
        let cause = cause.lines().next().unwrap_or("");
        if !words.contains(cause) {
            words = format!("{words}: {cause}");
        }
    }
    words
}

/// `1 shard`, `1,234 shards`.
pub fn count(value: u64, noun: &str) -> String {
    format!("{} {noun}{}", number(value), if value == 1 { "" } else { "s" })
}

/// `1,234,567`.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `12.3 MiB`.
pub fn bytes(value: u64) -> String {
    let mut size = value as f64;
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if size < 1024.0 {
            return if unit == "B" { format!("{value} B") } else { format!("{size:.1} {unit}") };
        }
        size /= 1024.0;
    }
    format!("{size:.1} PiB")
}

/// `12.3 %`.
pub fn percent(part: u64, whole: u64) -> String {
    format!("{:.1} %", 100.0 * part as f64 / whole.max(1) as f64)
}

/// `3.2 s`, `4 min 05 s`.
pub fn duration(time: std::time::Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let seconds = time.as_secs();
    match seconds / 3600 {
        0 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        hours => format!("{hours} h {:02} min", seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_error_repeats_nothing() {
        let io = || std::io::Error::other("no space");
        let told = anyhow::Error::new(io()).context("cannot write x: no space").context("the run ended");
        assert_eq!(in_words(&told), "the run ended: cannot write x: no space");
        assert_eq!(in_words(&anyhow::Error::new(io()).context("cannot write x")), "cannot write x: no space");
    }

    #[test]
    fn quantities_read_well() {
        assert_eq!(number(0), "0");
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(count(1, "shard"), "1 shard");
        assert_eq!(count(2345, "shard"), "2,345 shards");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(3 << 20), "3.0 MiB");
        assert_eq!(percent(1, 8), "12.5 %");
        assert_eq!(duration(Duration::from_millis(3210)), "3.2 s");
        assert_eq!(duration(Duration::from_secs(245)), "4 min 05 s");
        assert_eq!(duration(Duration::from_secs(7500)), "2 h 05 min");
    }
}
