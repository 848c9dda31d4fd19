//! One problem of a pipeline, all problems of a pipeline, and how they are shown.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};
use serde_json::{Value as Json, json};

use super::text::Place;

/// Columns that a rendered message is wrapped to.
const WIDTH: usize = 120;

/// Whether a pipeline with the problem can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
}

/// What is wrong, where, and what to do about it.
#[derive(Debug, Clone)]
pub struct Problem {
    pub severity: Severity,
    /// One line, without a final stop.
    pub message: String,
    /// The dotted path of the key concerned, such as `split.ratios.val`.
    pub key: Option<String>,
    /// What stands beside the caret.
    pub label: Option<String>,
    /// What to do: "did you mean `quality`?".
    pub help: Option<String>,
    place: Option<Place>,
}

impl Problem {
    /// A problem without a place, in the file as a whole or in what surrounds it.
    pub fn error(message: impl AsRef<str>) -> Problem {
        let message = one_line(message.as_ref());
        Problem { severity: Severity::Error, message, key: None, label: None, help: None, place: None }
    }

    /// A warning without a place.
    pub fn warning(message: impl AsRef<str>) -> Problem {
        Problem { severity: Severity::Warning, ..Problem::error(message) }
    }

    pub fn key(mut self, key: impl Into<String>) -> Problem {
        self.key = Some(key.into());
        self
    }

    pub fn label(mut self, label: impl AsRef<str>) -> Problem {
        self.label = Some(one_line(label.as_ref()));
        self
    }

    pub fn help(mut self, help: impl AsRef<str>) -> Problem {
        self.help = Some(one_line(help.as_ref()));
        self
    }

    pub(super) fn at(mut self, place: &Place) -> Problem {
        self.place = Some(place.clone());
        self
    }

    /// The text that the problem stands in: a path as given, or `--set`.
    pub fn source_name(&self) -> Option<&str> {
        self.place.as_ref().map(|place| place.text.name.as_str())
    }

    /// The bytes concerned, in the file or in the override.
    pub fn span(&self) -> Option<Range<usize>> {
        self.place.as_ref().map(|place| place.span.clone())
    }

    /// Line and column, both from 1, the column in characters.
    pub fn line_column(&self) -> Option<(usize, usize)> {
        self.place.as_ref().map(|place| place.text.line_column(place.span.start))
    }

    /// ``pipelines/x.toml:12:9: unknown key `qualty` in [clean]; did you mean `quality`?``
    pub fn to_line(&self) -> String {
        let mut line = match (&self.place, self.line_column()) {
            (Some(place), _) if place.text.is_override() => format!("--set {}: ", one_line(&place.text.raw)),
            (Some(place), Some((line, column))) => format!("{}:{line}:{column}: ", place.text.name),
            _ => String::new(),
        };
        if self.severity == Severity::Warning {
            line += "warning: ";
        }
        line += &self.message;
        if let Some(help) = &self.help {
            line += "; ";
            line += help;
        }
        line
    }

    /// An object with `severity`, `message`, `key`, `source`, `set`, `line`, `column`, `span`, `label` and `help`; what
    /// does not apply is null.
    pub fn to_json(&self) -> Json {
        let place = self.line_column();
        let set = self.place.as_ref().filter(|place| place.text.is_override()).map(|place| &place.text.raw);
        json!({
            "severity": match self.severity { Severity::Error => "error", Severity::Warning => "warning" },
            "message": self.message,
            "key": self.key,
            "source": self.source_name(),
            "set": set,
            "line": place.map(|(line, _)| line),
            "column": place.map(|(_, column)| column),
            "span": self.span().map(|span| json!([span.start, span.end])),
            "label": self.label,
            "help": self.help,
        })
    }
}

/// `text` with line ends and other control characters escaped: a key or a value can hold any of them.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// Sorts problems by their place: those without one first, then the file's, then the overrides'.
pub(super) fn in_file_order(problems: &mut [Problem]) {
    problems.sort_by(|a, b| match (&a.place, &b.place) {
        (Some(a), Some(b)) => a.in_file_order(b),
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
    });
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|place| &*place.text as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.place.as_ref()?;
        let label = LabeledSpan::new_primary_with_span(self.label.clone(), place.first_line());
        Some(Box::new(std::iter::once(label)))
    }
}

/// Every problem of one pipeline, at least one of them an error, in the order of the file.
#[derive(Debug, Clone)]
pub struct Problems {
    name: String,
    problems: Vec<Problem>,
}

impl Problems {
    /// The `problems` of the pipeline file that is called `name`.
    pub fn new(name: &str, problems: Vec<Problem>) -> Problems {
        Problems { name: one_line(name), problems }
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.problems.iter()
    }

    /// Every problem with its line of the file and a caret, and how many there are; see [`render`].
    pub fn render(&self, fancy: bool) -> String {
        format!("{}{}\n", render(&self.problems, fancy), self.count())
    }

    /// `2 problems and 1 warning in pipelines/x.toml`
    pub fn count(&self) -> String {
        let warnings = self.problems.iter().filter(|problem| problem.severity == Severity::Warning).count();
        let errors = self.problems.len() - warnings;
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let warned = format!(" and {warnings} warning{}", plural(warnings));
        let warned = if warnings == 0 { "" } else { &warned };
        format!("{errors} problem{}{warned} in {}", plural(errors), self.name)
    }

    /// An array of [`Problem::to_json`].
    pub fn to_json(&self) -> Json {
        self.problems.iter().map(Problem::to_json).collect()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// One line per problem, then the count.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in self {
            writeln!(f, "{}", problem.to_line())?;
        }
        f.write_str(&self.count())
    }
}

impl std::error::Error for Problems {}

/// `problems` with file, line, column and a caret each; `fancy`: in colour and with box drawing characters, else drawn in
/// ASCII. The text depends on nothing else, neither on the terminal nor on the environment.
pub fn render(problems: &[Problem], fancy: bool) -> String {
    let mut theme = if fancy { GraphicalTheme::unicode() } else { GraphicalTheme::none() };
    if !fancy {
        theme.characters.underbar = theme.characters.underline;
        theme.characters.error = "error:".to_owned();
        theme.characters.warning = "warning:".to_owned();
    }
    let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_context_lines(1).with_links(false);
    let mut text = String::new();
    for problem in problems {
        let start = text.len();
        if handler.render_report(&mut text, problem).is_err() {
            text.truncate(start);
            text += &problem.to_line();
        }
        text += "\n";
    }
    text
}
