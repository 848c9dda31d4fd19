//! What a run tells whoever watches it: the terminal, a log, a machine.

use std::sync::atomic::{AtomicBool, Ordering};

/// A stage of the flow that takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Listing the source.
    List,
    /// Reading, verifying and cleaning objects.
    Scan,
    /// Duplicates, classes and splits.
    Assign,
    /// Writing shards.
    Write,
    /// Making the version visible.
    Commit,
}

impl Stage {
    /// The word shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Stage::List => "list",
            Stage::Scan => "scan",
            Stage::Assign => "assign",
            Stage::Write => "write",
            Stage::Commit => "commit",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A stage starts, with this many images to go through, of which `done` were done by an earlier run.
    Start {
        /// The stage.
        stage: Stage,
        /// Images in all; 0 where images are not counted.
        total: u64,
        /// Of them done before.
        done: u64,
    },
    /// So many more images are done.
    Advance(u64),
    /// The stage is over.
    End,
    /// A person should know this.
    Warn(String),
}

/// Who watches a run, and whether it is still wanted.
pub struct Watch<'a> {
    tell: &'a (dyn Fn(Event) + Sync),
    stop: &'a AtomicBool,
}

impl<'a> Watch<'a> {
    /// `tell` is called from any thread; the run ends soon after `stop` becomes true.
    pub fn new(tell: &'a (dyn Fn(Event) + Sync), stop: &'a AtomicBool) -> Self {
        Watch { tell, stop }
    }

    /// Passes an event on.
    pub fn tell(&self, event: Event) {
        (self.tell)(event);
    }

    /// Whether the run is to end.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Runs a stage between its start and its end.
    pub fn stage<T>(&self, stage: Stage, total: u64, done: u64, work: impl FnOnce() -> T) -> T {
        self.tell(Event::Start { stage, total, done });
        let result = work();
        self.tell(Event::End);
        result
    }
}
