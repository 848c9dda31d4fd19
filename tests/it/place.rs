//! A scratch folder with images, a pipeline file and a way to run the program.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};

/// A scratch folder: `raw/` is the source, `set/` the dataset, `pipeline.toml` the file.
pub struct Place {
    dir: tempfile::TempDir,
}

/// A small photo-like JPEG; another `seed` gives other bytes.
pub fn jpeg(seed: u32) -> Vec<u8> {
    sized(seed, 80, 64)
}

/// A JPEG of a given size.
pub fn sized(seed: u32, width: usize, height: usize) -> Vec<u8> {
    let wave = |at: usize, step: f64| ((at as f64 * step + f64::from(seed)).sin() * 60.0 + 128.0) as u8;
    let pixel = |i: usize| {
        let (x, y) = (i % width, i / width);
        [wave(x, 0.11), wave(y, 0.07 + f64::from(seed % 17) / 100.0), wave(x + y, 0.05)]
    };
    let pixels: Vec<u8> = (0..width * height).flat_map(pixel).collect();
    let image = Image { pixels: &pixels[..], width, pitch: width * 3, height, format: PixelFormat::RGB };
    let mut compressor = Compressor::new().unwrap();
    compressor.set_quality(80 + (seed % 15) as i32).unwrap();
    compressor.set_subsamp(Subsamp::Sub2x2).unwrap();
    compressor.compress_to_vec(image).unwrap()
}

impl Place {
    /// An empty place.
    pub fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("raw")).unwrap();
        Place { dir }
    }

    /// A place with `count` good images of each class.
    pub fn with_classes(classes: &[(&str, u32)]) -> Place {
        let place = Place::new();
        for (at, (class, count)) in classes.iter().enumerate() {
            for i in 0..*count {
                place.write(format!("raw/{class}/{class}_{i:03}.jpg"), jpeg(at as u32 * 1000 + i));
            }
        }
        place
    }

    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(path)
    }

    /// Writes a file and the folders above it.
    pub fn write(&self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Writes the usual pipeline file, with further lines: tables of their own, such as `[clean]`.
    pub fn pipeline(&self, more: &str) {
        self.pipeline_with("", more);
    }

    /// The same, with lines inside `[source]`.
    pub fn pipeline_with(&self, source: &str, more: &str) {
        let text = format!(
            "name = \"test\"\nseed = 7\n\n[source]\nurl = \"raw\"\n{source}\n\n[dataset]\nurl = \"set\"\n\n{more}\n"
        );
        self.write("pipeline.toml", text);
    }

    /// The program, in this place, with no colours and no log settings from outside.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_swinpipe"));
        command.current_dir(self.dir.path()).env("NO_COLOR", "1").env_remove("SWINPIPE_LOG");
        command
    }

    /// Runs the program.
    pub fn swinpipe(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Told {
        let output = self.command().args(args).output().unwrap();
        Told::of(output)
    }

    /// Runs the pipeline, which must end well, and returns its summary.
    pub fn run(&self) -> Value {
        let told = self.swinpipe(["run", "pipeline.toml", "--json", "-q"]);
        assert_eq!(told.code, 0, "{}{}", told.out, told.err);
        told.json()
    }

    /// The manifest's rows of the newest version.
    pub fn manifest(&self) -> Vec<Value> {
        let told = self.swinpipe(["manifest", "set", "--json"]);
        assert_eq!(told.code, 0, "{}{}", told.out, told.err);
        told.json().as_array().unwrap().clone()
    }

    /// The manifest's row of one object.
    pub fn row(&self, uri: &str) -> Value {
        let rows = self.manifest();
        rows.iter().find(|row| row["uri"] == uri).unwrap_or_else(|| panic!("no row of {uri} in {rows:#?}")).clone()
    }

    /// Every file under a folder with its bytes, sorted by path.
    pub fn files(&self, folder: &str) -> Vec<(String, Vec<u8>)> {
        let root = self.path(folder);
        let mut files: Vec<_> = walkdir::WalkDir::new(&root)
            .into_iter()
            .map(Result::unwrap)
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| {
                let path = entry.path().strip_prefix(&root).unwrap().to_string_lossy().into_owned();
                (path, fs::read(entry.path()).unwrap())
            })
            .collect();
        files.sort();
        files
    }
}

/// What the program said.
pub struct Told {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Told {
    pub fn of(output: Output) -> Told {
        Told {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }

    /// Asserts an exit code and pieces of the message.
    #[track_caller]
    pub fn says(&self, code: i32, pieces: &[&str]) {
        let told = format!("{}{}", self.out, self.err);
        assert_eq!(self.code, code, "{told}");
        for piece in pieces {
            assert!(told.contains(piece), "`{piece}` is missing in:\n{told}");
        }
    }
}

/// The newest of an object's rows: the rows of earlier contents stand beside it.
pub fn newest(rows: &[Value], uri: &str) -> Value {
    rows.iter().rfind(|row| row["uri"] == uri).unwrap_or_else(|| panic!("no row of {uri}")).clone()
}

/// The JPEG with a comment of `length` bytes that do not compress: another `seed` makes another file of the same image.
pub fn commented(jpeg: &[u8], seed: u32, length: u16) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let noise = (2..length).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    let comment: Vec<u8> = [0xff, 0xfe].into_iter().chain(length.to_be_bytes()).chain(noise).collect();
    [&jpeg[..2], &comment, &jpeg[2..]].concat()
}
