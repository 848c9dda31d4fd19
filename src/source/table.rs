//! A lookup table, from CSV, TSV or Parquet: one value (a label, a split) per object.
//!
//! # Why
//! Such tables are written by other people on other systems, so a key is read leniently where that cannot mean another
//! file (backslashes, a leading `./`, doubled slashes, spaces around it) and strictly everywhere else: `A.jpg` is not
//! `a.jpg`, and an `é` of one code point is not one of two. A row that names no object shows up as an orphan instead.
//! A key with two different values is kept as a conflict: which row is right is not for a program to guess.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use polars::prelude::{
    ChunkedArray, CsvParseOptions, CsvReadOptions, DataFrame, DataType, ParquetReader, PolarsError, SerReader,
    StringType,
};

use super::{JoinOn, key};
use crate::sample::Object;
use crate::sniff;

/// One column of a table by the objects that another column names.
#[derive(Debug)]
pub struct KeyTable {
    on: JoinOn,
    cells: HashMap<Box<str>, Cell>,
    /// Every different value once.
    values: Vec<String>,
    /// The different values of each key that has several, sorted.
    conflicts: Vec<Vec<String>>,
}

/// What the rows of one key say.
#[derive(Debug, Clone, Copy)]
enum Cell {
    Nothing,
    /// An index of `values`.
    Value(usize),
    /// An index of `conflicts`.
    Conflict(usize),
}

/// What a table says about an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'a> {
    /// No row names the object, or its value is null or empty.
    Missing,
    /// The value, without the white space around it.
    Value(&'a str),
    /// Different values from several rows, sorted.
    Conflict(&'a [String]),
}

/// Why a table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file is not there.
    #[error("the table `{0}` does not exist")]
    Missing(PathBuf),
    /// The file cannot be opened or read.
    #[error("the table `{0}` cannot be read")]
    Unreadable(PathBuf, #[source] io::Error),
    /// The extension tells no format that is understood.
    #[error("the table `{0}` is neither .csv nor .tsv nor .parquet: convert it, or correct its extension")]
    Extension(PathBuf),
    /// A text table that is not UTF-8.
    #[error("the table `{0}` is not UTF-8 text: save it as \"CSV UTF-8\"")]
    Encoding(PathBuf),
    /// Its content is not what the extension says, or damaged.
    #[error("the table `{0}` cannot be parsed")]
    Parse(PathBuf, #[source] PolarsError),
    /// A column that is wanted is not in it.
    #[error(
        "the table `{path}` has no column `{column}`{}; its columns are {}",
        did_you_mean(column, columns),
        listed(columns)
    )]
    Column {
        /// The table.
        path: PathBuf,
        /// The column wanted.
        column: String,
        /// The columns that it has.
        columns: Vec<String>,
    },
    /// A column that is wanted is in it twice.
    #[error("the table `{path}` has several columns named `{column}`: rename all but one")]
    SameName {
        /// The table.
        path: PathBuf,
        /// The column wanted.
        column: String,
    },
    /// A column holds lists or structs.
    #[error("the table `{path}` holds {dtype} in its column `{column}`: text or numbers are wanted")]
    NotText {
        /// The table.
        path: PathBuf,
        /// The column.
        column: String,
        /// What it holds.
        dtype: String,
    },
    /// No row names an object.
    #[error("the table `{path}` has no row with a value in its column `{column}`")]
    Empty {
        /// The table.
        path: PathBuf,
        /// The key column.
        column: String,
    },
}

/// The most similar of `columns`, as the rest of a sentence.
fn did_you_mean(column: &str, columns: &[String]) -> String {
    let similarity = |other: &str| strsim::jaro_winkler(&column.to_lowercase(), &other.trim().to_lowercase());
    let best = columns.iter().map(|name| (similarity(name), name)).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(similarity, _)| *similarity >= 0.8)
        .map_or(String::new(), |(_, name)| format!(" (did you mean `{name}`?)"))
}

/// The first columns, for a message: a wide table has thousands.
fn listed(columns: &[String]) -> String {
    const SHOWN: usize = 20;
    let names: Vec<_> = columns.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let more = columns.len().saturating_sub(SHOWN);
    names.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}

impl KeyTable {
    /// Reads the columns `key` and `value` of the table at `path`, all as text.
    ///
    /// The extension tells the format. A text table has a header; a `.csv` without a comma in it is taken to be
    /// separated by semicolons or tabs.
    pub fn load(path: &Path, key: &str, value: &str, on: JoinOn) -> Result<KeyTable, TableError> {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        let (keys, values) = match extension.as_deref() {
            Some("parquet") => read_parquet(path, open(path)?, [key, value]),
            Some("csv") => read_text(path, open(path)?, None, [key, value]),
            Some("tsv") => read_text(path, open(path)?, Some(b'\t'), [key, value]),
            _ => Err(TableError::Extension(path.to_owned())),
        }?;
        let table = KeyTable::from_rows(on, keys.iter().zip(values.iter()));
        if table.cells.is_empty() {
            return Err(TableError::Empty { path: path.to_owned(), column: key.to_owned() });
        }
        Ok(table)
    }

    fn from_rows<'a>(on: JoinOn, rows: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>) -> KeyTable {
        let mut cells = HashMap::new();
        let mut codes: HashMap<&str, usize> = HashMap::new();
        let mut conflicts: Vec<BTreeSet<usize>> = Vec::new();
        for (key, value) in rows {
            let Some(key) = key.map(|key| normal_key(key, on)).filter(|key| !key.is_empty()) else { continue };
            let cell = cells.entry(key.into_boxed_str()).or_insert(Cell::Nothing);
            let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) else { continue };
            let next = codes.len();
            let code = *codes.entry(value).or_insert(next);
            match *cell {
                Cell::Nothing => *cell = Cell::Value(code),
                Cell::Value(first) if first == code => {}
                Cell::Value(first) => {
                    *cell = Cell::Conflict(conflicts.len());
                    conflicts.push(BTreeSet::from([first, code]));
                }
                Cell::Conflict(at) => {
                    conflicts[at].insert(code);
                }
            }
        }
        let mut values = vec![String::new(); codes.len()];
        codes.into_iter().for_each(|(value, code)| values[code] = value.to_owned());
        let named = |codes: BTreeSet<usize>| {
            let mut named: Vec<_> = codes.into_iter().map(|code| values[code].clone()).collect();
            named.sort_unstable();
            named
        };
        let conflicts = conflicts.into_iter().map(named).collect();
        KeyTable { on, cells, values, conflicts }
    }

    /// What the table says about the object `uri`. A key may spell the object as its file is named on disk or, where
    /// the two differ, percent-encoded as its `uri` is; the name on disk is tried first.
    pub fn get(&self, uri: &str) -> Found<'_> {
        match self.find(uri) {
            None | Some((_, Cell::Nothing)) => Found::Missing,
            Some((_, Cell::Value(code))) => Found::Value(&self.values[code]),
            Some((_, Cell::Conflict(at))) => Found::Conflict(&self.conflicts[at]),
        }
    }

    /// The keys, as they are compared, that name none of `objects`, sorted.
    pub fn orphans(&self, objects: &[Object]) -> Vec<String> {
        let found: HashSet<&str> =
            objects.iter().filter_map(|object| self.find(&object.uri)).map(|(key, _)| key).collect();
        let unfound = self.cells.keys().filter(|key| !found.contains(&***key));
        let mut orphans: Vec<String> = unfound.map(|key| key.to_string()).collect();
        orphans.sort_unstable();
        orphans
    }

    fn find(&self, uri: &str) -> Option<(&str, Cell)> {
        let cell = |key: &str| self.cells.get_key_value(key).map(|(key, cell)| (&**key, *cell));
        let named = |name: &str| {
            let path = normal_path(name);
            match self.on {
                JoinOn::Path => cell(&path),
                // The second finds a key that was left whole because its extension is no image's.
                JoinOn::Stem => cell(stem(file_name(&path))).or_else(|| cell(file_name(&path))),
            }
        };
        let path = key::to_path(uri);
        let on_disk = path.as_ref().map_or(uri, |path| path.to_str().unwrap_or(uri));
        named(on_disk).or_else(|| named(uri))
    }
}

/// `path` with slashes only, none of them leading, trailing or doubled, and without a leading `./`.
fn normal_path(path: &str) -> String {
    let slashes = path.trim().replace('\\', "/");
    let names: Vec<_> = slashes.split('/').filter(|name| !name.is_empty()).skip_while(|name| *name == ".").collect();
    names.join("/")
}

/// A table's key as it is compared. Of a stem only an image's extension is removed: in `scan.001` nothing is one.
fn normal_key(key: &str, on: JoinOn) -> String {
    let path = normal_path(key);
    match on {
        JoinOn::Path => path,
        JoinOn::Stem => {
            let name = file_name(&path);
            if sniff::claimed(name).is_some() { stem(name) } else { name }.to_owned()
        }
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// `name` without its last extension; a leading dot starts none.
fn stem(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

fn open(path: &Path) -> Result<File, TableError> {
    let unreadable = |e| TableError::Unreadable(path.to_owned(), e);
    let about = std::fs::metadata(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => TableError::Missing(path.to_owned()),
        _ => unreadable(e),
    })?;
    // Asked before opening: opening a FIFO would wait.
    if !about.is_file() {
        return Err(unreadable(io::Error::other("it is not a regular file")));
    }
    File::open(path).map_err(unreadable)
}

/// A column of text.
type Text = ChunkedArray<StringType>;

fn read_text(
    path: &Path,
    mut file: File,
    separator: Option<u8>,
    wanted: [&str; 2],
) -> Result<(Text, Text), TableError> {
    let unreadable = |e| TableError::Unreadable(path.to_owned(), e);
    let failed = |e: PolarsError| match e {
        PolarsError::NoData(_) => TableError::Empty { path: path.to_owned(), column: wanted[0].to_owned() },
        e if e.to_string().to_lowercase().contains("utf-8") => TableError::Encoding(path.to_owned()),
        e => TableError::Parse(path.to_owned(), e),
    };
    let told = separator_of_header(path, &mut file)?;
    let parsing = CsvParseOptions::default().with_separator(separator.unwrap_or(told));
    // No row is looked at to infer types: all columns are text, so that `007` stays `007`.
    let options = CsvReadOptions::default().with_has_header(true).with_infer_schema_length(Some(0));
    let options = options.with_parse_options(parsing);
    let mut read = |options: CsvReadOptions| {
        file.rewind().map_err(unreadable)?;
        let file = file.try_clone().map_err(unreadable)?;
        options.into_reader_with_file_handle(file).finish().map_err(failed)
    };
    let header = read(options.clone().with_n_rows(Some(0)))?;
    let names: Vec<_> = header.get_column_names().into_iter().map(|name| name.to_string()).collect();
    let columns = Columns::find(path, names, wanted)?;
    let projection = columns.projection().into_iter().map(Into::into).collect();
    columns.of(&read(options.with_columns(Some(projection)))?)
}

fn read_parquet(path: &Path, file: File, wanted: [&str; 2]) -> Result<(Text, Text), TableError> {
    let failed = |e| TableError::Parse(path.to_owned(), e);
    let mut reader = ParquetReader::new(file);
    let names = reader.schema().map_err(failed)?.iter_names().map(|name| name.to_string()).collect();
    let columns = Columns::find(path, names, wanted)?;
    columns.of(&reader.with_columns(Some(columns.projection())).finish().map_err(failed)?)
}

/// The character that separates the columns of a `.csv`, told from its header.
fn separator_of_header(path: &Path, file: &mut File) -> Result<u8, TableError> {
    const HEADER: u64 = 1 << 20;
    let mut head = Vec::new();
    file.take(HEADER).read_to_end(&mut head).map_err(|e| TableError::Unreadable(path.to_owned(), e))?;
    // A NUL byte: UTF-16 without a byte order mark, or no text at all.
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) || head.contains(&0) {
        return Err(TableError::Encoding(path.to_owned()));
    }
    let mut quoted = false;
    let (mut commas, mut semicolons, mut tabs) = (0, 0, 0);
    for c in head {
        match c {
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'\n' => break,
            b',' => commas += 1,
            b';' => semicolons += 1,
            b'\t' => tabs += 1,
            _ => {}
        }
    }
    Ok(match (commas, semicolons, tabs) {
        (0, 0, 0) | (1.., _, _) => b',',
        (0, semicolons, tabs) if semicolons >= tabs => b';',
        _ => b'\t',
    })
}

/// The two columns that are wanted, by the names that the file gives them.
struct Columns<'a> {
    path: &'a Path,
    key: String,
    value: String,
}

impl<'a> Columns<'a> {
    fn find(path: &'a Path, names: Vec<String>, [key, value]: [&str; 2]) -> Result<Self, TableError> {
        let find = |wanted: &str| {
            let exact = names.iter().find(|name| *name == wanted);
            let Some(name) = exact.or_else(|| names.iter().find(|name| name.trim() == wanted)) else {
                return Err(TableError::Column {
                    path: path.to_owned(),
                    column: wanted.to_owned(),
                    columns: names.clone(),
                });
            };
            // What polars makes of a second column of the same name.
            if names.contains(&format!("{name}_duplicated_0")) {
                return Err(TableError::SameName { path: path.to_owned(), column: wanted.to_owned() });
            }
            Ok(name.clone())
        };
        Ok(Columns { path, key: find(key)?, value: find(value)? })
    }

    fn projection(&self) -> Vec<String> {
        let mut names = vec![self.key.clone(), self.value.clone()];
        names.dedup();
        names
    }

    fn of(&self, frame: &DataFrame) -> Result<(Text, Text), TableError> {
        Ok((self.text(frame, &self.key)?, self.text(frame, &self.value)?))
    }

    fn text(&self, frame: &DataFrame, name: &str) -> Result<Text, TableError> {
        let failed = |e| TableError::Parse(self.path.to_owned(), e);
        let column = frame.column(name).map_err(failed)?;
        let dtype = column.dtype();
        if dtype.is_nested() {
            let (path, column, dtype) = (self.path.to_owned(), name.to_owned(), dtype.to_string());
            return Err(TableError::NotText { path, column, dtype });
        }
        let text = column.strict_cast(&DataType::String).map_err(failed)?;
        text.str().cloned().map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::*;

    fn rows<'a>(on: JoinOn, rows: &[(&'a str, &'a str)]) -> KeyTable {
        KeyTable::from_rows(on, rows.iter().map(|&(key, value)| (Some(key), Some(value))))
    }

    fn objects(uris: &[&str]) -> Vec<Object> {
        uris.iter().map(|&uri| Object { uri: uri.to_owned(), size: 0, etag: String::new() }).collect()
    }

    fn file(name: &str, content: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        (folder, path)
    }

    fn load(name: &str, content: impl AsRef<[u8]>) -> Result<KeyTable, TableError> {
        let (_folder, path) = file(name, content);
        KeyTable::load(&path, "path", "label", JoinOn::Path)
    }

    fn message(error: Result<KeyTable, TableError>) -> String {
        let message = error.unwrap_err().to_string();
        // The folder's name is made up.
        match (message.find('`'), message.rfind("/table.")) {
            (Some(start), Some(end)) if start < end => format!("{}`{}", &message[..start], &message[end + 1..]),
            _ => message,
        }
    }

    #[test]
    fn keys_are_compared_whatever_their_slashes_and_spaces() {
        let table = rows(
            JoinOn::Path,
            &[("a\\b.jpg", "1"), ("./c.jpg", "2"), (" /d//e.jpg ", " 3 "), (".\\f.jpg", "4"), (".h/i.jpg", "5")],
        );
        for (uri, label) in [("a/b.jpg", "1"), ("c.jpg", "2"), ("d/e.jpg", "3"), ("f.jpg", "4"), (".h/i.jpg", "5")] {
            assert_eq!(table.get(uri), Found::Value(label), "{uri}");
        }
        for uri in ["b.jpg", "A/b.jpg", "x/c.jpg", "", "C.JPG"] {
            assert_eq!(table.get(uri), Found::Missing, "{uri}");
        }
    }

    #[test]
    fn letters_that_only_look_the_same_do_not_match() {
        let table = rows(JoinOn::Path, &[("caf\u{e9}.jpg", "1")]);
        assert_eq!(table.get("caf\u{e9}.jpg"), Found::Value("1"));
        assert_eq!(table.get("cafe\u{301}.jpg"), Found::Missing);
    }

    #[test]
    fn an_encoded_uri_is_found_by_its_name_on_disk_first_and_by_itself_second() {
        let table = rows(JoinOn::Path, &[("100%25 cat.jpg", "disk"), ("caf%E9.jpg", "uri"), ("50%2525.jpg", "both")]);
        assert_eq!(table.get("100%2525 cat.jpg"), Found::Value("disk"));
        assert_eq!(table.get("caf%E9.jpg"), Found::Value("uri"));
        assert_eq!(table.get("50%2525.jpg"), Found::Value("both"));
        assert_eq!(table.get("50%252525.jpg"), Found::Value("both"));
        assert_eq!(table.orphans(&objects(&["100%2525 cat.jpg", "caf%E9.jpg", "50%2525.jpg"])), Vec::<String>::new());
    }

    #[test]
    fn a_stem_is_a_file_name_without_folders_and_extension() {
        let table = rows(
            JoinOn::Stem,
            &[
                ("ISIC_1", "a"),
                ("x/ISIC_2.JPG", "b"),
                ("x\\ISIC_3.png", "c"),
                ("scan.001", "d"),
                ("v1.2", "e"),
                ("f.dat", "f"),
            ],
        );
        for (uri, label) in [
            ("train/ISIC_1.jpg", "a"),
            ("ISIC_1", "a"),
            ("y/ISIC_2.webp", "b"),
            ("ISIC_3.jpg", "c"),
            ("scan.001.jpg", "d"),
            ("scan.001", "d"),
            ("v1.2.png", "e"),
            ("z/f.dat", "f"),
        ] {
            assert_eq!(table.get(uri), Found::Value(label), "{uri}");
        }
        for uri in ["ISIC_10.jpg", "isic_1.jpg", "scan.jpg", "ISIC_1.tar.gz", "ISIC_1/x.jpg"] {
            assert_eq!(table.get(uri), Found::Missing, "{uri}");
        }
    }

    #[test]
    fn one_key_with_two_values_is_a_conflict_and_with_one_value_twice_is_not() {
        let table = rows(
            JoinOn::Path,
            &[
                ("a", "x"),
                ("a", " x"),
                ("./a", ""),
                ("b", "z"),
                ("b", "y"),
                ("/b", "z"),
                ("b", "w"),
                ("c", " "),
                ("d", ""),
                ("d", "x"),
            ],
        );
        assert_eq!(table.get("a"), Found::Value("x"));
        assert_eq!(table.get("b"), Found::Conflict(&["w", "y", "z"].map(str::to_owned)));
        assert_eq!(table.get("c"), Found::Missing);
        assert_eq!(table.get("d"), Found::Value("x"));
    }

    #[test]
    fn keys_without_an_object_are_orphans() {
        let table = rows(JoinOn::Path, &[("z.jpg", "1"), ("./a.jpg", "1"), ("B.jpg", "2"), ("c.jpg", "")]);
        assert_eq!(table.orphans(&objects(&["a.jpg", "b.jpg"])), ["B.jpg", "c.jpg", "z.jpg"]);
    }

    #[test]
    fn text_tables_are_read_whatever_their_separator_and_marks() {
        for (name, content) in [
            ("table.csv", "path,label\na.jpg,007\nb.jpg,\n"),
            ("table.CSV", "\u{feff}path,label\r\na.jpg,007\r\n"),
            ("table.csv", "id;label;path\n1;007;a.jpg\n"),
            ("table.csv", "id\tpath\tlabel\n1\ta.jpg\t007\n"),
            ("table.csv", "\"path\";\"a, b\";\"label\"\n\"a.jpg\";\"1,2\";\"007\"\n"),
            ("table.tsv", "path\tlabel\na.jpg\t007"),
            ("table.tsv", "\u{feff}a,b\tpath\tlabel\n1\ta.jpg\t007\n"),
            ("table.csv", "path, label\na.jpg, 007\n"),
        ] {
            let table = load(name, content).unwrap();
            assert_eq!(table.get("a.jpg"), Found::Value("007"), "{name} {content}");
            assert_eq!(table.get("b.jpg"), Found::Missing);
        }
    }

    #[test]
    fn a_text_table_keeps_quoted_separators_line_ends_and_every_row() {
        let mut content = "path,label\n\"a,b.jpg\",\"say \"\"cat\"\"\"\n\"c\nd.jpg\",x\n".to_owned();
        (0..50_000).for_each(|i| content += &format!("dir/{i}.jpg,{}\n", i % 7));
        let table = load("table.csv", content).unwrap();
        assert_eq!(table.get("a,b.jpg"), Found::Value("say \"cat\""));
        assert_eq!(table.get("c%0Ad.jpg"), Found::Value("x"));
        assert_eq!(table.get("dir/49999.jpg"), Found::Value("5"));
        assert_eq!((table.cells.len(), table.values.len()), (50_002, 9));
    }

    #[test]
    fn one_column_may_be_key_and_value() {
        let (_folder, path) = file("table.csv", "path\na.jpg\n");
        let table = KeyTable::load(&path, "path", "path", JoinOn::Stem).unwrap();
        assert_eq!(table.get("x/a.png"), Found::Value("a.jpg"));
    }

    fn parquet(columns: Vec<Column>) -> (tempfile::TempDir, PathBuf) {
        let (folder, path) = file("table.parquet", "");
        let height = columns[0].len();
        let mut frame = DataFrame::new(height, columns).unwrap();
        ParquetWriter::new(File::create(&path).unwrap()).finish(&mut frame).unwrap();
        (folder, path)
    }

    #[test]
    fn parquet_columns_of_any_plain_type_are_read_as_text() {
        let words = Column::new("word".into(), [Some("cat"), None]);
        let (_folder, path) = parquet(vec![
            Column::new("path".into(), ["a.jpg", "b.jpg"]),
            Column::new("code".into(), [Some(7_i64), None]),
            Column::new("yes".into(), [true, false]),
            words.cast(&DataType::from_categories(Categories::global())).unwrap(),
            words.cast(&DataType::Binary).unwrap().with_name("bytes".into()),
            Column::full_null("nothing".into(), 2, &DataType::Null),
        ]);
        let label =
            |column: &str, uri: &str| match KeyTable::load(&path, "path", column, JoinOn::Path).unwrap().get(uri) {
                Found::Value(value) => value.to_owned(),
                found => format!("{found:?}"),
            };
        assert_eq!((label("code", "a.jpg").as_str(), label("code", "b.jpg").as_str()), ("7", "Missing"));
        assert_eq!((label("yes", "a.jpg").as_str(), label("yes", "b.jpg").as_str()), ("true", "false"));
        assert_eq!((label("word", "a.jpg").as_str(), label("word", "b.jpg").as_str()), ("cat", "Missing"));
        assert_eq!((label("bytes", "a.jpg").as_str(), label("bytes", "b.jpg").as_str()), ("cat", "Missing"));
        assert_eq!(label("nothing", "a.jpg"), "Missing");
        let codes = KeyTable::load(&path, "code", "path", JoinOn::Stem).unwrap();
        assert_eq!(codes.get("x/7.jpg"), Found::Value("a.jpg"));
    }

    #[test]
    fn a_parquet_column_of_lists_or_of_other_bytes_is_refused() {
        let lists = Series::new("label".into(), [Series::new("".into(), [1, 2])]);
        let (_folder, path) = parquet(vec![
            Column::new("path".into(), ["a.jpg"]),
            lists.into(),
            Column::new("bytes".into(), [&b"\xff"[..]]),
        ]);
        let error = message(KeyTable::load(&path, "path", "label", JoinOn::Path));
        let wanted = "the table `table.parquet` holds list[i32] in its column `label`: text or numbers are wanted";
        assert_eq!(error, wanted);
        assert!(KeyTable::load(&path, "path", "bytes", JoinOn::Path).is_err());
    }

    #[test]
    fn a_missing_column_is_named_with_its_neighbours() {
        assert_eq!(
            message(load("table.csv", "path,Label,x\na,b,c\n")),
            "the table `table.csv` has no column `label` (did you mean `Label`?); its columns are `path`, `Label`, `x`"
        );
        assert_eq!(
            message(load("table.tsv", "file\tclass\na\tb\n")),
            "the table `table.tsv` has no column `path`; its columns are `file`, `class`"
        );
        let (_folder, path) = parquet(vec![Column::new("pth".into(), ["a"]), Column::new("label".into(), ["b"])]);
        assert_eq!(
            message(KeyTable::load(&path, "path", "label", JoinOn::Path)),
            "the table `table.parquet` has no column `path` (did you mean `pth`?); its columns are `pth`, `label`"
        );
        let wide: Vec<_> = (0..30).map(|i| format!("c{i}")).collect();
        assert!(message(load("table.csv", wide.join(",") + "\n")).ends_with("`c19` and 10 more"));
    }

    #[test]
    fn a_table_that_cannot_be_used_says_why() {
        for (name, content, error) in [
            ("table.csv", &b""[..], "the table `table.csv` has no row with a value in its column `path`"),
            ("table.csv", b"path,label\n", "the table `table.csv` has no row with a value in its column `path`"),
            (
                "table.csv",
                b"path,label\n,x\n\" \",y\n",
                "the table `table.csv` has no row with a value in its column `path`",
            ),
            (
                "table.csv",
                b"path,label,label\na,b,c\n",
                "the table `table.csv` has several columns named `label`: rename all but one",
            ),
            (
                "table.csv",
                b"path,label\ncaf\xe9.jpg,x\n",
                "the table `table.csv` is not UTF-8 text: save it as \"CSV UTF-8\"",
            ),
            ("table.csv", b"\xff\xfep\0a\0", "the table `table.csv` is not UTF-8 text: save it as \"CSV UTF-8\""),
            ("table.csv", b"path,label\na,b,c,d\n", "the table `table.csv` cannot be parsed"),
            ("table.parquet", b"path,label\na,b\n", "the table `table.parquet` cannot be parsed"),
            ("table.parquet", b"", "the table `table.parquet` cannot be parsed"),
            (
                "table.xlsx",
                b"PK",
                "the table `table.xlsx` is neither .csv nor .tsv nor .parquet: convert it, or correct its extension",
            ),
        ] {
            assert_eq!(message(load(name, content)), error);
        }
        let (_folder, path) = parquet(vec![Column::new("path".into(), [""; 0]), Column::new("label".into(), [""; 0])]);
        assert!(matches!(KeyTable::load(&path, "path", "label", JoinOn::Path), Err(TableError::Empty { .. })));
        let missing = KeyTable::load(Path::new("nowhere/table.csv"), "path", "label", JoinOn::Path);
        assert_eq!(missing.unwrap_err().to_string(), "the table `nowhere/table.csv` does not exist");
        let folder = tempfile::Builder::new().suffix(".csv").tempdir().unwrap();
        let error = KeyTable::load(folder.path(), "path", "label", JoinOn::Path);
        assert!(matches!(error, Err(TableError::Unreadable(..))), "{error:?}");
    }

    #[test]
    fn the_truth_of_the_dirty_folder_labels_every_file_of_it() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
        if !data.exists() {
            eprintln!("skipped: no {}", data.display());
            return;
        }
        let table = KeyTable::load(&data.join("dirty.truth.csv"), "path", "class", JoinOn::Path).unwrap();
        let objects = crate::source::folder::list(&data.join("dirty"), &["**/*".to_owned()], &[]).unwrap().objects;
        for object in &objects {
            assert_eq!(table.get(&object.uri), Found::Value(&object.uri[..4]), "{}", object.uri);
        }
        assert_eq!(table.orphans(&objects), Vec::<String>::new());
        let table = KeyTable::load(&data.join("odd.truth.csv"), "path", "licence", JoinOn::Path).unwrap();
        let objects = crate::source::folder::list(&data.join("odd"), &["**/*".to_owned()], &[]).unwrap().objects;
        assert_eq!(table.orphans(&objects), Vec::<String>::new());
    }
}
