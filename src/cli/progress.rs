//! Progress: a bar with rate and remaining time on a terminal, a line now and then in a log, nothing where it is not wanted.

use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::terminal::{Terminal, count, duration, number};
use crate::pipeline::event::{Event, Stage};

/// Seconds between two lines in a log.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Shows what a run tells.
pub struct Progress<'a> {
    terminal: &'a Terminal,
    bars: bool,
    running: Mutex<Option<Running>>,
}

struct Running {
    stage: Stage,
    total: u64,
    before: u64,
    done: u64,
    started: Instant,
    last_line: Instant,
    bar: ProgressBar,
}

impl<'a> Progress<'a> {
    /// Bars on a terminal, lines elsewhere.
    pub fn new(terminal: &'a Terminal) -> Progress<'a> {
        let bars = std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Progress { terminal, bars, running: Mutex::new(None) }
    }

    /// Takes an event; called from any thread.
    pub fn on(&self, event: Event) {
        if let Event::Warn(text) = &event {
            self.suspended(|| self.terminal.warn(text));
            return;
        }
        if self.terminal.quiet() {
            return;
        }
        let mut running = self.running.lock().expect("no panic holds it");
        match event {
            Event::Start { stage, total, done } => *running = Some(self.start(stage, total, done)),
            Event::Advance(count) => {
                if let Some(running) = running.as_mut() {
                    running.advance(count, self.bars);
                }
            }
            Event::End => {
                if let Some(running) = running.take() {
                    running.end(self.terminal.verbose());
                }
            }
            Event::Warn(_) => {}
        }
    }

    fn suspended(&self, tell: impl FnOnce()) {
        match self.running.lock().expect("no panic holds it").as_ref() {
            Some(running) => running.bar.suspend(tell),
            None => tell(),
        }
    }

    fn start(&self, stage: Stage, total: u64, done: u64) -> Running {
        let bar = if self.bars && total > 0 {
            let template = "{prefix:>8} {bar:30.cyan/238} {human_pos}/{human_len}  {rate:>8}  {left} left";
            let style = ProgressStyle::with_template(template).expect("the template is well-formed");
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(10));
            // Until there is a rate, none is made up.
            let known = |state: &ProgressState| Some(state.per_sec()).filter(|rate| rate.is_finite() && *rate >= 0.5);
            let rate =
                move |state: &ProgressState| known(state).map_or("–".to_owned(), |rate| format!("{rate:.0}/s"));
            let left = move |state: &ProgressState| known(state).map_or("–".to_owned(), |_| duration(state.eta()));
            let tell = |out: &mut dyn Write, words: String| out.write_str(&words).expect("memory takes a line");
            let style =
                style.with_key("rate", move |state: &ProgressState, out: &mut dyn Write| tell(out, rate(state)));
            let style =
                style.with_key("left", move |state: &ProgressState, out: &mut dyn Write| tell(out, left(state)));
            bar.set_style(style.progress_chars("━━─"));
            bar.set_prefix(stage.as_str());
            bar.set_position(done);
            bar.reset_eta();
            bar
        } else {
            ProgressBar::hidden()
        };
        let now = Instant::now();
        Running { stage, total, before: done, done, started: now, last_line: now, bar }
    }
}

impl Running {
    fn advance(&mut self, images: u64, bars: bool) {
        self.done += images;
        self.bar.inc(images);
        if !bars && self.last_line.elapsed() >= BETWEEN_LINES {
            self.last_line = Instant::now();
            let rate = (self.done - self.before) as f64 / self.started.elapsed().as_secs_f64();
            let left = Duration::from_secs_f64(self.total.saturating_sub(self.done) as f64 / rate.max(1e-9));
            let (done, total) = (number(self.done), number(self.total));
            eprintln!("{:>8} {done}/{total}  {rate:.0}/s  {} left", self.stage.as_str(), duration(left));
        }
    }

    fn end(self, verbose: bool) {
        self.bar.finish_and_clear();
        let time = self.started.elapsed();
        let stage = self.stage.as_str();
        if self.total == 0 {
            if verbose {
                eprintln!("{stage:>8} in {}", duration(time));
            }
            return;
        }
        let fresh = self.done - self.before;
        let cut = if self.done < self.total { " (ended early)" } else { "" };
        if fresh == 0 && self.before > 0 {
            eprintln!("{stage:>8} {}, all done by an earlier run{cut}", count(self.before, "image"));
            return;
        }
        let rate = number((fresh as f64 / time.as_secs_f64().max(1e-9)) as u64);
        let earlier = match self.before {
            0 => String::new(),
            before => format!(", {} more were done before", number(before)),
        };
        eprintln!("{stage:>8} {} in {}  {rate}/s{earlier}{cut}", count(fresh, "image"), duration(time));
    }
}
