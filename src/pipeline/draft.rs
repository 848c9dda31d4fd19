//! A version in the making: decided and laid out, then held against the gate, written, counted and committed.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use super::event::{Stage, Watch};
use super::index::Index;
use super::layout::{self, Unit};
use super::plan::Plan;
use super::run::RunError;
use super::summary::Summary;
use super::write::{self, Receipt, UnitError};
use crate::clean::fingerprint;
use crate::dataset::commit;
use crate::dataset::manifest::{self, Entry};
use crate::dataset::version::{FORMAT, Shard, State};
use crate::sample::{Action, Reason, Sha256};
use crate::shard::writer::Written;
use crate::split::assign::Assignment;
use crate::store::Store;

/// The quarantine rate is above the limit.
#[derive(Debug, Serialize)]
pub struct Gate {
    /// Objects kept out.
    pub quarantined: usize,
    /// Objects that are new or changed, less what is ignored.
    pub objects: usize,
    /// The limit.
    pub limit: f64,
    /// Objects per reason, most first.
    pub reasons: Vec<(Reason, usize)>,
    /// Path of the list.
    pub list: String,
}

impl Gate {
    /// What happened and what to do.
    pub fn message(&self) -> String {
        let rate = self.quarantined as f64 / self.objects as f64;
        format!(
            "{} of {} new or changed objects ({:.1}%) would be quarantined, more than clean.max_quarantine_rate = {} allows: {}\n\
             nothing is committed; {} lists them all. Mend them at the source, or raise the limit with\n  \
             --set clean.max_quarantine_rate={:.2}",
            self.quarantined,
            self.objects,
            rate * 100.0,
            self.limit,
            reasons_in_words(&self.reasons),
            self.list,
            (rate * 100.0).ceil() / 100.0,
        )
    }
}

fn reasons_in_words(reasons: &[(Reason, usize)]) -> String {
    reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect::<Vec<_>>().join(", ")
}

/// A version that is decided and laid out, but not written.
pub struct Draft<'a> {
    plan: &'a Plan,
    index: &'a Index,
    assignment: Assignment,
    run: String,
    version: u64,
    /// Per row of the index, its row of `entries`; `None` if the base version says the same of it.
    news: Vec<Option<usize>>,
    units: Vec<Unit>,
    entries: Vec<Entry>,
}

impl<'a> Draft<'a> {
    /// Lays out what was decided; `None` if the manifest would say nothing new.
    pub fn of(plan: &'a Plan, index: &'a Index, assignment: Assignment) -> Option<Draft<'a>> {
        let version = plan.base.as_ref().map_or(0, |base| base.number + 1);
        let run = run_id(plan, index, version);
        let mut draft =
            Draft { plan, index, assignment, run, version, news: Vec::new(), units: Vec::new(), entries: Vec::new() };
        let mut entries = draft.entries();
        let stem = format!("{}-{version}", draft.run);
        let (seed, config) = (plan.pipeline.seed, &plan.pipeline.dataset);
        let (rows, splits) = (&draft.assignment.rows, &draft.assignment.splits);
        draft.units = layout::layout(&index.rows, rows, &draft.news, splits, seed, config, &stem);
        for file in draft.units.iter().flat_map(|unit| &unit.files).filter(|file| file.split.is_some()) {
            for (at, row) in file.rows.iter().enumerate() {
                let entry = draft.news[*row].and_then(|entry| entries.get_mut(entry));
                let entry = entry.expect("what is laid out is news");
                (entry.shard, entry.row) = (Some(file.path.clone()), Some(at as u64));
            }
        }
        draft.entries = entries;
        (!draft.entries.is_empty()).then_some(draft)
    }

    /// The manifest's new rows; what they say is where they lie comes later. Notes which rows of the index are news.
    ///
    /// Rows that only bring an etag up to date make no version, but go along with one.
    fn entries(&mut self) -> Vec<Entry> {
        let (plan, index) = (self.plan, self.index);
        let mut known: HashMap<&str, Vec<&Entry>> = HashMap::new();
        for entry in &plan.known {
            known.entry(&entry.uri).or_default().push(entry);
        }
        let mut entries = Vec::new();
        let mut restated: Vec<Entry> = index.touched.clone();
        let mut news = Vec::with_capacity(index.rows.len());
        for (i, row) in index.rows.iter().enumerate() {
            let entry = self.entry(i);
            let of_object = known.get(entry.uri.as_str()).map_or(&[][..], Vec::as_slice);
            let superseded = of_object.iter().filter(|known| is_superseded(known, &entry));
            entries.extend(superseded.map(|known| self.removed(known)));
            let is_its_own_copy = entry.duplicate_of.as_deref() == Some(&row.object.uri);
            let told = of_object.iter().find(|known| match is_its_own_copy {
                true => known.action.in_dataset() && known.id == entry.id && known.label == entry.label,
                false => is_same(known, &entry),
            });
            news.push(told.is_none().then_some(entries.len()));
            match told {
                // Once more what it was before the newest row: that one must not have the last word.
                Some(known) if of_object.last() != Some(known) => {
                    entries.push(self.now(Entry { etag: entry.etag, ..(*known).clone() }))
                }
                Some(known) => restated.push(Entry { etag: entry.etag, ..(*known).clone() }),
                None => entries.push(entry),
            }
        }
        self.news = news;
        if !entries.is_empty() {
            entries.extend(restated.into_iter().map(|entry| self.now(entry)));
        }
        entries
    }

    fn now(&self, entry: Entry) -> Entry {
        Entry { run: self.run.clone(), version: self.version, ..entry }
    }

    fn entry(&self, i: usize) -> Entry {
        let (row, assigned) = (&self.index.rows[i], &self.assignment.rows[i]);
        let image = row.image.as_ref();
        Entry {
            uri: row.object.uri.clone(),
            etag: row.object.etag.clone(),
            size: row.object.size,
            id: row.id,
            image_sha256: image.filter(|_| assigned.action.in_dataset()).map(|image| image.sha256),
            label: assigned.label.clone(),
            declared_format: row.claimed,
            real_format: row.format,
            action: assigned.action,
            changes: row.changes.clone(),
            reason: assigned.reason,
            detail: assigned.detail.clone(),
            width: image.map(|image| image.width),
            height: image.map(|image| image.height),
            mode: image.map(|image| image.mode.clone().into_owned()),
            orientation: image.map(|image| image.orientation.into()),
            frames: image.map(|image| image.frames),
            phash: image.map(|image| image.phash),
            duplicate_of: assigned.duplicate_of.clone(),
            split: assigned.split.clone(),
            shard: None,
            row: None,
            run: self.run.clone(),
            version: self.version,
        }
    }

    /// The last row of what an object no longer is.
    fn removed(&self, known: &Entry) -> Entry {
        Entry {
            action: Action::Removed,
            changes: Vec::new(),
            reason: None,
            detail: Some(format!(
                "it was {} in version {}, and its content or label is another now",
                known.action, known.version
            )),
            duplicate_of: None,
            run: self.run.clone(),
            version: self.version,
            ..known.clone()
        }
    }

    /// Stops a run whose result nobody would want.
    ///
    /// # Errors
    /// `Gate`, or `NothingLeft`.
    pub fn hold_against_the_gate(&self, store: &Store) -> Result<(), RunError> {
        let rows = &self.assignment.rows;
        let news: Vec<usize> = (0..rows.len()).filter(|&row| self.news[row].is_some()).collect();
        let idle = |row: &&usize| matches!(rows[**row].action, Action::Ignored | Action::Deferred);
        let objects = news.len() - news.iter().filter(idle).count();
        let refused: Vec<usize> = news.into_iter().filter(|&row| rows[row].action.in_quarantine()).collect();
        let mut by_reason: BTreeMap<Reason, usize> = BTreeMap::new();
        refused
            .iter()
            .filter_map(|&row| rows[row].reason)
            .for_each(|reason| *by_reason.entry(reason).or_default() += 1);
        let mut reasons: Vec<_> = by_reason.into_iter().collect();
        reasons.sort_by_key(|&(reason, count)| (std::cmp::Reverse(count), reason));
        let limit = self.plan.pipeline.clean.max_quarantine_rate;
        let gate = objects > 0 && refused.len() as f64 / objects as f64 > limit;
        let left = rows.iter().any(|row| row.action.in_dataset()) || self.plan.base.is_some();
        if !gate && left {
            return Ok(());
        }
        let path = format!("_runs/{}/refused.csv", self.run);
        store.put(&path, self.refused_csv(&refused))?;
        let list = store.folder().join(path).display().to_string();
        if gate {
            return Err(RunError::Gate(Gate { quarantined: refused.len(), objects, limit, reasons, list }));
        }
        let why = match (reasons.is_empty(), layout::count(rows, Action::Deferred)) {
            (false, _) => reasons_in_words(&reasons),
            (true, 0) => "all are ignored".to_owned(),
            (true, deferred) => format!("{deferred} changed while the run was at work, the others are ignored"),
        };
        Err(RunError::NothingLeft { objects: rows.len(), why, look: format!("{list} lists what was refused") })
    }

    fn refused_csv(&self, refused: &[usize]) -> String {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let mut csv = "uri,action,reason,detail,label\n".to_owned();
        for &row in refused {
            let assigned = &self.assignment.rows[row];
            let cells = [
                self.index.rows[row].object.uri.as_str(),
                assigned.action.as_str(),
                assigned.reason.map_or("", Reason::as_str),
                assigned.detail.as_deref().unwrap_or(""),
                assigned.label.as_deref().unwrap_or(""),
            ];
            csv.push_str(&cells.map(quoted).join(","));
            csv.push('\n');
        }
        csv
    }

    /// Writes all units.
    ///
    /// # Errors
    /// See [`UnitError`].
    pub fn write(&self, store: &Store, watch: &Watch) -> Result<Vec<Receipt>, UnitError> {
        let segments: Vec<Option<&str>> = self.index.segments.iter().map(Option::as_deref).collect();
        let inputs = write::Inputs {
            store,
            source: &self.plan.source,
            index: &self.index.rows,
            segments: &segments,
            assigned: &self.assignment.rows,
            classes: &self.assignment.classes,
            row_group_size: self.plan.pipeline.dataset.row_group_size.0,
        };
        write::write(&inputs, &self.units, &format!("_runs/{}", self.run), watch)
    }

    /// Writes the manifest and commits.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn commit(&self, store: &Store, receipts: &[Receipt], watch: &Watch) -> Result<Summary, RunError> {
        let files = self.units.iter().flat_map(|unit| &unit.files);
        let written: Vec<(Option<&String>, &Written)> =
            files.map(|file| file.split.as_ref()).zip(receipts.iter().flat_map(|receipt| &receipt.files)).collect();
        let shards: Vec<Shard> = written
            .iter()
            .filter_map(|(split, file)| split.map(|split| Shard { file: (*file).clone(), split: split.clone() }))
            .collect();
        self.check_counts(&written)?;
        watch.stage(Stage::Commit, 0, 0, || -> Result<(), RunError> {
            let state = self.state(store, &written, &shards)?;
            commit::commit(store, self.plan.base.as_ref(), &state, &shards)?;
            Ok(())
        })?;
        Ok(Summary::of(self.plan, self.index, &self.assignment, &self.news, &self.run, self.version, &shards))
    }

    /// Every object ends in exactly one action, and every action has the rows that it should.
    fn check_counts(&self, written: &[(Option<&String>, &Written)]) -> Result<(), RunError> {
        let rows = &self.assignment.rows;
        let touched = self.index.touched.iter().map(|entry| entry.uri.as_str());
        let objects: HashSet<&str> = self.index.rows.iter().map(|row| row.object.uri.as_str()).chain(touched).collect();
        let samples = rows.iter().filter(|row| row.action.in_dataset() && row.split.is_some()).count() as u64;
        let refused = rows.iter().zip(&self.news).filter(|(row, news)| row.action.in_quarantine() && news.is_some());
        let refused = refused.count() as u64;
        let by_action: usize = Action::ALL.iter().map(|&action| layout::count(rows, action)).sum();
        let in_files = |kept_out: bool| -> u64 {
            written.iter().filter(|(split, _)| split.is_none() == kept_out).map(|(_, file)| file.rows).sum()
        };
        let in_dataset = rows.iter().filter(|row| row.action.in_dataset()).count() as u64;
        let committed = |entry: &&Entry| entry.action.in_dataset() && entry.version != self.version;
        let key = |entry: &Entry| (entry.uri.clone(), entry.id, entry.label.clone());
        let samples_before: HashSet<_> = self.plan.known.iter().filter(committed).map(key).collect();
        let overruled = self.entries.iter().filter(|entry| !entry.action.in_dataset());
        let overruled = overruled.filter(|entry| samples_before.contains(&key(entry))).count() as u64;
        let checks = [
            ("committed samples that another row overrules, none", overruled, 0),
            ("objects planned, objects scanned", self.plan.fresh.len() as u64, objects.len() as u64),
            ("objects scanned, objects with an action", rows.len() as u64, by_action as u64),
            ("samples, samples with a split", in_dataset, samples),
            ("samples, rows of shards", samples, in_files(false)),
            ("objects kept out, rows of the quarantine", refused, in_files(true)),
        ];
        match checks.iter().find(|(_, wanted, found)| wanted != found) {
            Some((what, wanted, found)) => Err(RunError::Miscounted(format!("{what}: {wanted} and {found}"))),
            None => Ok(()),
        }
    }

    fn state(
        &self,
        store: &Store,
        written: &[(Option<&String>, &Written)],
        shards: &[Shard],
    ) -> Result<State, RunError> {
        let base = self.plan.base.as_ref().map(|base| &base.state);
        let stem = format!("_manifest/{}-{}", self.version, self.run);
        let part = manifest::write(store, format!("{stem}.parquet"), &self.entries)?;
        let table = commit::write_shard_table(store, format!("{stem}.shards.parquet"), shards)?;
        let quarantine = written.iter().filter(|(split, _)| split.is_none()).map(|(_, file)| (*file).clone());
        let with = |earlier: Option<&Vec<Written>>, new: Vec<Written>| {
            earlier.into_iter().flatten().cloned().chain(new).collect::<Vec<_>>()
        };
        Ok(State {
            format: FORMAT,
            swinpipe: env!("CARGO_PKG_VERSION").to_owned(),
            name: self.plan.pipeline.name.clone(),
            run: self.run.clone(),
            seed: self.plan.pipeline.seed,
            strategy: self.plan.pipeline.split.strategy.as_str().to_owned(),
            phash: fingerprint::VERSION,
            classes: self.assignment.classes.clone(),
            splits: self.assignment.splits.clone(),
            inputs: self.plan.inputs.clone(),
            manifest: with(base.map(|base| &base.manifest), vec![part]),
            shards: with(base.map(|base| &base.shards), vec![table]),
            quarantine: with(base.map(|base| &base.quarantine), quarantine.collect()),
        })
    }
}

/// Whether two rows say the same of an object, whatever its etag; of one that was deferred there is always news.
fn is_same(known: &Entry, entry: &Entry) -> bool {
    let told = |e: &Entry| (e.id, e.label.clone(), e.action, e.reason, e.size, e.duplicate_of.clone());
    told(known) == told(entry) && (entry.action != Action::Deferred || known.etag == entry.etag)
}

/// Whether an object's new row makes an earlier one untrue. A sample stays until it is taken out.
fn is_superseded(known: &Entry, entry: &Entry) -> bool {
    let same_key = known.id == entry.id && known.label == entry.label;
    !known.action.in_dataset() && known.action != Action::Removed && !same_key
}

/// A run is named by what it makes: the inputs, the version it builds on, and what it leaves to the next run.
fn run_id(plan: &Plan, index: &Index, version: u64) -> String {
    let deferred: Vec<&str> = index
        .rows
        .iter()
        .filter(|row| row.action == Action::Deferred || row.reason == Some(Reason::Unreadable))
        .map(|row| row.object.uri.as_str())
        .collect();
    let base = plan.base.as_ref().map(|base| &base.state.run);
    let pipeline = &plan.pipeline;
    let sizes = (pipeline.dataset.shard_size, pipeline.dataset.row_group_size);
    let everything = (FORMAT, env!("CARGO_PKG_VERSION"), &pipeline.name, sizes, &plan.inputs, base, version, deferred);
    let bytes = serde_json::to_vec(&everything).expect("settings have string keys");
    Sha256::of(&bytes).to_string()[..12].to_owned()
}
