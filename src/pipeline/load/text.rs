//! The texts that problems point into, and places in them.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

const BYTE_ORDER_MARK: char = '\u{feff}';

/// The pipeline file, or one `--set` override.
#[derive(Debug)]
pub(super) struct Text {
    /// The file as given on the command line, or `--set`.
    pub name: String,
    /// The text as read; spans are byte ranges of it.
    pub raw: String,
    /// `raw` without what a terminal would obey, at the same offsets, and a line end: a caret can stand at the end.
    shown: String,
    /// 0 is the file; overrides follow in the order of the command line.
    order: usize,
}

impl Text {
    pub fn file(name: &str, raw: &str) -> Text {
        Text { name: name.to_owned(), raw: raw.to_owned(), shown: harmless(raw) + "\n", order: 0 }
    }

    /// The `index`-th override, from 0.
    pub fn set(index: usize, raw: &str) -> Text {
        Text { order: index + 1, ..Text::file("--set", raw) }
    }

    pub fn is_override(&self) -> bool {
        self.order > 0
    }

    /// Line and column of the byte `offset`, both from 1, the column in characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = &self.raw[..self.raw.floor_char_boundary(offset)];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
        (line, 1 + before[start..].chars().filter(|c| *c != BYTE_ORDER_MARK).count())
    }

    /// The first line's start.
    pub fn start(self: &Arc<Text>) -> Place {
        Place { text: Arc::clone(self), span: 0..0 }
    }

    /// The end of the last line that is not blank.
    pub fn end(self: &Arc<Text>) -> Place {
        let end = self.raw.trim_end().len();
        Place { text: Arc::clone(self), span: end..end }
    }
}

/// `raw` with control characters replaced by harmless ones of the same length in UTF-8.
fn harmless(raw: &str) -> String {
    let mut chars = raw.chars().peekable();
    let mut shown = String::with_capacity(raw.len());
    while let Some(c) = chars.next() {
        let line_end = c == '\r' && chars.peek() == Some(&'\n');
        shown.push(match c {
            '\n' | '\t' => c,
            '\r' if line_end => c,
            c if c.is_ascii_control() => '?',
            c if c.is_control() => '¿',
            c => c,
        });
    }
    shown
}

impl SourceCode for Text {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        context_lines_before: usize,
        context_lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let contents = self.shown.as_str().read_span(span, context_lines_before, context_lines_after)?;
        // miette counts columns in bytes.
        let column = if contents.column() > 0 { self.line_column(span.offset()).1 - 1 } else { 0 };
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            contents.data(),
            *contents.span(),
            contents.line(),
            column,
            contents.line_count(),
        )))
    }
}

/// A byte range of a text.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub text: Arc<Text>,
    pub span: Range<usize>,
}

impl Place {
    /// The first line of the place, which is what a caret can underline.
    pub fn first_line(&self) -> Range<usize> {
        let inside = self.text.raw.get(self.span.clone()).unwrap_or_default();
        let line = inside.lines().next().unwrap_or_default();
        self.span.start..self.span.start + line.len()
    }

    /// The file before the overrides, each from its start to its end.
    pub fn in_file_order(&self, other: &Place) -> Ordering {
        let key = |place: &Place| (place.text.order, place.span.start, place.span.end);
        key(self).cmp(&key(other))
    }

    pub fn is(&self, other: &Place) -> bool {
        Arc::ptr_eq(&self.text, &other.text) && self.span == other.span
    }
}
