//! `make bench`: what an ingest costs, beside floors measured in the same run.
//!
//! Every figure is printed as a JSON line as it is measured, and as a table at the end.
//!
//! - *floor, keep*: libjpeg-turbo decodes the same bytes to RGB, from memory, on every core.
//! - *floor, resize*: the same, then fast_image_resize to a shorter side of 256 and encoding, from memory, on every core.
//! - *keep*, *resize*: the whole `swinpipe run`, process start to exit: listing, hashes, verification, fingerprint, Parquet,
//!   fsync and commit. Peak memory is the process's own.
//! - *keep ×10*, *resize ×10*: the same over ten times the data, for its memory.
//! - *webdataset*, *mosaic*: what others take to verify or resize the same files with Pillow and to write shards, start-up
//!   left out; run by the Python that `SWINPIPE_BENCH_PYTHON` names, where that has them.
//!
//! The corpus is a folder of JPEGs: `SWINPIPE_BENCH_CORPUS`, or `../shared/data/imagenet1000`, or made ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use std::{fs, io};

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use rayon::prelude::*;
use serde_json::{Value, json};
use turbojpeg::PixelFormat;

use swinpipe::clean::encode::encode;
use swinpipe::clean::raster::Raster;
use swinpipe::clean::{Clean, Resize, ResizeWhen, Subsampling, resize};

const REPEATS: usize = 3;

/// What the peers do in their resize arm: shorter side 256, nothing scaled up, JPEG at quality 90 and 4:2:0, a cubic filter.
fn resizing() -> Clean {
    Clean {
        quality: 90,
        subsampling: Subsampling::S420,
        resize: Some(Resize { shorter_side: 256, when: ResizeWhen::Larger }),
        ..Clean::default()
    }
}

fn main() {
    // `cargo test` runs benches too, with an argument of its own.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    if let Err(error) = bench() {
        eprintln!("bench: {error}");
        std::process::exit(2);
    }
}

fn bench() -> io::Result<()> {
    let scratch = tempfile::tempdir()?;
    let corpus = corpus(scratch.path())?;
    let files: Vec<Vec<u8>> = images(&corpus)?.iter().map(fs::read).collect::<io::Result<_>>()?;
    let mut results = Vec::new();
    let mut show = |result: Value| {
        println!("{result}");
        results.push(result);
    };
    let (mut keep, mut small) = (Vec::new(), Vec::new());
    let (mut keep_floor, mut small_floor) = (Vec::new(), Vec::new());
    let mut peers: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    // Interleaved, so that a noisy minute falls on all alike.
    for _ in 0..REPEATS {
        keep_floor.push(floor(&files, |raster| raster.pixels.len()));
        keep.push(run(&corpus, scratch.path(), "")?);
        small_floor.push(floor(&files, resize_and_encode));
        small.push(run(&corpus, scratch.path(), RESIZE)?);
        for (arm, mode) in PEERS {
            if let Some(seconds) = peer(arm, mode, &corpus)? {
                peers.entry(format!("{arm}, {mode}")).or_default().push(seconds);
            }
        }
    }
    let images = files.len() as f64;
    let keep_floor = median(keep_floor);
    let small_floor = median(small_floor);
    show(json!({ "arm": "floor, keep", "img_s": (images / keep_floor).round() }));
    show(told("keep", images, keep, keep_floor));
    show(json!({ "arm": "floor, resize", "img_s": (images / small_floor).round() }));
    show(told("resize", images, small, small_floor));
    for (arm, seconds) in peers {
        show(json!({ "arm": arm, "img_s": (images / median(seconds)).round() }));
    }
    let tenfold = tenfold(&files, scratch.path())?;
    show(told("keep ×10", images * 10.0, vec![run(&tenfold, scratch.path(), "")?], keep_floor * 10.0));
    show(told("resize ×10", images * 10.0, vec![run(&tenfold, scratch.path(), RESIZE)?], small_floor * 10.0));
    fs::remove_dir_all(&tenfold)?;
    table(&results);
    Ok(())
}

const RESIZE: &str =
    "quality = 90\nsubsampling = \"4:2:0\"\nfilter = \"catmull-rom\"\nresize = { shorter_side = 256 }\n";

/// The corpus given, found or made.
fn corpus(scratch: &Path) -> io::Result<PathBuf> {
    if let Some(given) = std::env::var_os("SWINPIPE_BENCH_CORPUS") {
        return Ok(given.into());
    }
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/imagenet1000");
    if shared.is_dir() {
        return Ok(shared);
    }
    eprintln!("bench: no photos are at hand, drawing some");
    let made = scratch.join("made");
    fs::create_dir(&made)?;
    (0..500u32).into_par_iter().try_for_each(|i| {
        let noise = |at: u32| (at.wrapping_mul(2_654_435_761).wrapping_add(i * 7919) >> 25) as u8;
        let pixel = |at: u32| [(at / 500) as u8, (at % 500 / 2) as u8, noise(at)];
        let pixels = (0..500 * 375u32).flat_map(pixel).collect();
        let raster = Raster { channels: 3, ..Raster::gray(500, 375, pixels) };
        let bytes = encode(&raster, &Clean::default()).map_err(|refused| io::Error::other(refused.detail))?;
        fs::write(made.join(format!("{i:05}.jpg")), bytes)
    })?;
    Ok(made)
}

fn images(corpus: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(corpus)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.retain(|path| {
        path.extension().is_some_and(|e| e.eq_ignore_ascii_case("jpg") || e.eq_ignore_ascii_case("jpeg"))
    });
    paths.sort();
    Ok(paths)
}

/// Seconds to decode every file on every core and then do `then`.
fn floor(files: &[Vec<u8>], then: impl Fn(Raster) -> usize + Sync) -> f64 {
    let started = Instant::now();
    let sum: usize = files
        .par_iter()
        .filter_map(|bytes| turbojpeg::decompress(bytes, PixelFormat::RGB).ok())
        .map(|image| {
            let gray = Raster::gray(image.width as u32, image.height as u32, image.pixels);
            then(Raster { channels: 3, ..gray })
        })
        .sum();
    std::hint::black_box(sum);
    started.elapsed().as_secs_f64()
}

fn resize_and_encode(raster: Raster) -> usize {
    let clean = resizing();
    let size = clean.resize.and_then(|wanted| resize::target(&wanted, raster.width, raster.height));
    let raster = match size {
        Some((width, height)) => {
            let pixel = PixelType::U8x3;
            let source = ImageRef::new(raster.width, raster.height, &raster.pixels, pixel).expect("a whole image");
            let mut scaled = Image::new(width, height, pixel);
            let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
            Resizer::new().resize(&source, &mut scaled, &options).expect("sizes of photos can be scaled");
            Raster { width, height, pixels: scaled.into_vec(), ..raster }
        }
        None => raster,
    };
    encode(&raster, &clean).expect("photos can be encoded").len()
}

const PEERS: [(&str, &str); 4] =
    [("webdataset", "keep"), ("webdataset", "resize"), ("mosaic", "keep"), ("mosaic", "resize")];

/// Seconds that another writer takes; `None` where it is not installed.
fn peer(arm: &str, mode: &str, corpus: &Path) -> io::Result<Option<f64>> {
    let Some(python) = std::env::var_os("SWINPIPE_BENCH_PYTHON") else { return Ok(None) };
    let out = tempfile::tempdir()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/ingest.py");
    let output = Command::new(python).arg(script).args([arm, mode]).arg(corpus).arg(out.path()).output()?;
    match output.status.code() {
        Some(0) => {
            let seconds = String::from_utf8_lossy(&output.stdout).trim().parse();
            seconds.map(Some).map_err(|error| io::Error::other(format!("{arm}: {error}")))
        }
        Some(3) => Ok(None),
        _ => Err(io::Error::other(format!("{arm}: {}", String::from_utf8_lossy(&output.stderr)))),
    }
}

/// What a run of the program took.
struct Run {
    seconds: f64,
    cpu_seconds: f64,
    peak_mb: f64,
}

/// Runs the program on a corpus, as a user would.
fn run(corpus: &Path, scratch: &Path, clean: &str) -> io::Result<Run> {
    let dataset = scratch.join("dataset");
    let file = scratch.join("bench.toml");
    let text = format!(
        "name = \"bench\"\n[source]\nurl = {corpus:?}\nlabel = {{ from = \"none\" }}\n[clean]\n{clean}max_quarantine_rate = 0.5\n\
         [dataset]\nurl = {dataset:?}\n"
    );
    fs::write(&file, text)?;
    let started = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_swinpipe")).args(["run", "--json", "-q"]).arg(&file).output()?;
    let seconds = started.elapsed().as_secs_f64();
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("swinpipe ended with {}: {words}", output.status)));
    }
    let summary: Value = serde_json::from_slice(&output.stdout)?;
    fs::remove_dir_all(&dataset)?;
    let used = |what: &str| summary["usage"][what].as_f64().unwrap_or(f64::NAN);
    Ok(Run { seconds, cpu_seconds: used("cpu_seconds"), peak_mb: used("peak_memory") / 1e6 })
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// A result of ours: the median run, beside its floor.
fn told(arm: &str, images: f64, mut runs: Vec<Run>, floor: f64) -> Value {
    runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let peak = runs.iter().map(|run| run.peak_mb).fold(0.0, f64::max);
    let run = &runs[runs.len() / 2];
    json!({
        "arm": arm,
        "img_s": (images / run.seconds).round(),
        "of_floor": (floor / run.seconds * 1000.0).round() / 1000.0,
        "cpu_s_per_1k": (run.cpu_seconds / images * 1e6).round() / 1000.0,
        "peak_mb": peak.round(),
    })
}

/// Ten times the data: copies that differ in a few bytes after the image, so that none is a duplicate.
fn tenfold(files: &[Vec<u8>], scratch: &Path) -> io::Result<PathBuf> {
    let folder = scratch.join("tenfold");
    fs::create_dir(&folder)?;
    for (i, bytes) in files.iter().enumerate() {
        for copy in 0..10u8 {
            fs::write(folder.join(format!("{i:05}-{copy}.jpg")), [&bytes[..], &[copy]].concat())?;
        }
    }
    Ok(folder)
}

fn table(results: &[Value]) {
    let columns = ["arm", "img_s", "of_floor", "cpu_s_per_1k", "peak_mb"];
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    println!("\n{:<24} {:>8} {:>9} {:>13} {:>8}", "arm", "img/s", "of floor", "CPU-s per 1k", "peak MB");
    for result in results {
        let cells = columns.map(|column| cell(&result[column]));
        println!("{:<24} {:>8} {:>9} {:>13} {:>8}", cells[0], cells[1], cells[2], cells[3], cells[4]);
    }
}
