//! The run: the flow from source to committed version, one line per stage.
//!
//! Nothing that a reader sees changes before the commit; whatever happens before it, the next run finds the finished units
//! and goes on. One run at a time works on a dataset: the lock is the operating system's, and goes with the process.

use std::fs::{File, TryLockError};
use std::io;

use super::Pipeline;
use super::draft::{Draft, Gate};
use super::event::{Event, Stage, Watch};
use super::finish::finish;
use super::index::Index;
use super::plan::{self, Plan, PlanError};
use super::scan::{self, ScanError};
use super::summary::Summary;
use super::write::UnitError;
use crate::dataset::commit::CommitError;
use crate::dataset::version::{self, OpenError};
use crate::shard::writer::WriteError;
use crate::store::{self, Store, StoreError};

/// The file whose lock a run holds, in the dataset's folder.
pub const LOCK: &str = "_runs/lock";

/// Why a run ends without a version.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is nothing to run on.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Another run is at work.
    #[error("another run is working on {folder}: wait for it to end, and run again")]
    Locked {
        /// The dataset's folder.
        folder: String,
    },
    /// The lock cannot be taken.
    #[error("cannot lock {folder}/{LOCK}: {source}{}", store::hint(.source))]
    Lock {
        /// The dataset's folder.
        folder: String,
        /// The system's words.
        source: io::Error,
    },
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A scan failed.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// A unit failed.
    #[error(transparent)]
    Unit(#[from] UnitError),
    /// A manifest or table cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The commit failed.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The new version cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Too much is broken.
    #[error("{}", .0.message())]
    Gate(Gate),
    /// There would be no sample.
    #[error("not one of {objects} objects can become a sample ({why}): nothing is committed; {look}")]
    NothingLeft {
        /// Objects looked at.
        objects: usize,
        /// Their reasons.
        why: String,
        /// Where to look.
        look: String,
    },
    /// Something is counted twice or not at all: a mistake of ours.
    #[error("{0}: nothing is committed; please report this")]
    Miscounted(String),
}

impl RunError {
    /// Whether the run ended because it was told to.
    pub fn is_stopped(&self) -> bool {
        matches!(self, RunError::Scan(ScanError::Stopped) | RunError::Unit(UnitError::Stopped))
    }
}

/// How a run ended.
#[derive(Debug)]
pub enum Outcome {
    /// A version was committed.
    Committed(Box<Summary>),
    /// The base version already is what the run would make.
    NothingToDo {
        /// The dataset, as the file names it.
        dataset: String,
        /// The version.
        version: u64,
    },
}

/// Runs a pipeline. `limit`: take only so many objects, into a dataset of its own.
///
/// # Errors
/// See [`RunError`].
pub fn run(mut pipeline: Pipeline, limit: Option<usize>, watch: &Watch) -> Result<Outcome, RunError> {
    if limit.is_some() {
        pipeline.dataset.url = sample_url(&pipeline.dataset.url);
    }
    let mut plan = watch.stage(Stage::List, 0, 0, || plan::plan(pipeline, limit))?;
    let store = Store::create(&plan.dataset)?;
    let _lock = lock(&store)?;
    // Planned first, so that a run that cannot be planned leaves no folder; planned again if another committed meanwhile.
    let newest = version::find(store.folder(), None)?.map(|version| version.state.run);
    if newest != plan.base.as_ref().map(|base| base.state.run.clone()) {
        plan = watch.stage(Stage::List, 0, 0, || plan::plan(plan.pipeline, limit))?;
    }
    plan.warnings.iter().for_each(|warning| watch.tell(Event::Warn(warning.clone())));
    let Some(summary) = build(&plan, &store, watch)? else {
        let version = plan.base.as_ref().map_or(0, |base| base.number);
        finish(&store, plan.base.as_ref())?;
        return Ok(Outcome::NothingToDo { dataset: plan.pipeline.dataset.url.clone(), version });
    };
    finish(&store, version::find(store.folder(), None)?.as_ref())?;
    Ok(Outcome::Committed(Box::new(summary)))
}

/// Where a trial run writes.
pub fn sample_url(url: &str) -> String {
    format!("{}-sample", url.trim_end_matches('/'))
}

fn lock(store: &Store) -> Result<File, RunError> {
    let folder = store.folder().display().to_string();
    let failed = |source| RunError::Lock { folder: folder.clone(), source };
    let path = store.folder().join(LOCK);
    std::fs::create_dir_all(store.folder().join("_runs")).map_err(failed)?;
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(RunError::Locked { folder }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Scans, assigns, writes and commits; `None` if there is nothing to do.
fn build(plan: &Plan, store: &Store, watch: &Watch) -> Result<Option<Summary>, RunError> {
    if plan.fresh.is_empty() && plan.base.is_some() {
        return Ok(None);
    }
    let batches = plan.batches();
    let scanned = scan::scan(store, &plan.source, &batches, &plan.pipeline.clean, watch)?;
    let mut index = Index::of(plan, scanned);
    // Ends: every round defers at least one more object.
    loop {
        let assignment = watch.stage(Stage::Assign, 0, 0, || index.assign(plan));
        assignment.warnings.iter().for_each(|warning| watch.tell(Event::Warn(warning.clone())));
        let Some(draft) = Draft::of(plan, &index, assignment) else { return Ok(None) };
        draft.hold_against_the_gate(store)?;
        match draft.write(store, watch) {
            Err(UnitError::Changed(rows)) => rows.into_iter().for_each(|row| index.defer(row)),
            Err(error) => return Err(error.into()),
            Ok(receipts) => return draft.commit(store, &receipts, watch).map(Some),
        }
    }
}
