//! The files that describe a version to other tools: the card and the Croissant document.
//!
//! They are not part of the commit: they are made from it, and can be made again at any time.

use std::collections::BTreeMap;

use super::card::{self, Facts, File};
use super::croissant;
use super::manifest::Entry;
use super::version::{OpenError, Version};
use crate::sample::{Action, Reason};

/// The dataset card.
pub const CARD: &str = "README.md";
/// The Croissant document.
pub const CROISSANT: &str = "croissant.json";

/// Writes both files if they are not what they should be; says whether it did.
///
/// # Errors
/// See [`OpenError`].
pub fn write(version: &Version) -> Result<bool, OpenError> {
    let facts = facts(version)?;
    let croissant = serde_json::to_string_pretty(&croissant::croissant(&facts)).expect("a JSON value has string keys");
    let mut rewritten = false;
    for (path, text) in [(CARD, card::readme(&facts)), (CROISSANT, croissant + "\n")] {
        if version.store.get(path)?.as_deref() != Some(text.as_bytes()) {
            version.store.put(path, text)?;
            rewritten = true;
        }
    }
    Ok(rewritten)
}

/// Gathers what there is to say about a version.
///
/// # Errors
/// See [`OpenError`].
pub fn facts(version: &Version) -> Result<Facts, OpenError> {
    let state = &version.state;
    let mut manifest = version.manifest()?;
    // What objects no longer are is history.
    manifest.retain(|entry| entry.action != Action::Removed);
    let files = version.shards()?.into_iter().map(|shard| File {
        path: shard.file.path,
        split: shard.split,
        rows: shard.file.rows,
        bytes: shard.file.bytes,
        sha256: shard.file.sha256,
    });
    let paths = |files: &[crate::shard::writer::Written]| files.iter().map(|file| file.path.clone()).collect();
    Ok(Facts {
        name: state.name.clone(),
        version: version.number,
        run: state.run.clone(),
        classes: state.classes.clone(),
        labelled: !state.classes.is_empty(),
        files: files.collect(),
        counts: counts(&manifest, &state.splits, &state.classes),
        actions: tally(&manifest, Action::ALL, |entry| Some(entry.action), Action::as_str, Action::meaning),
        reasons: tally(&manifest, Reason::ALL, |entry| entry.reason, Reason::as_str, Reason::meaning),
        manifest_parts: paths(&state.manifest),
        quarantine: paths(&state.quarantine),
        seed: state.seed,
        strategy: state.strategy.clone(),
        swinpipe_version: state.swinpipe.clone(),
    })
}

/// Samples per split, in order, and class, in the order of the codes.
fn counts(manifest: &[Entry], splits: &[String], classes: &[String]) -> Vec<(String, card::ClassCounts)> {
    let mut counted: BTreeMap<(&str, Option<usize>), u64> = BTreeMap::new();
    for entry in manifest.iter().filter(|entry| entry.action.in_dataset()) {
        let class = entry.label.as_ref().and_then(|label| classes.iter().position(|class| class == label));
        *counted.entry((entry.split.as_deref().unwrap_or(""), class)).or_default() += 1;
    }
    let of = |split: &String| {
        let of_split = counted.iter().filter(|((name, _), _)| name == split);
        (split.clone(), of_split.map(|((_, class), count)| (*class, *count)).collect())
    };
    splits.iter().map(of).collect()
}

/// Objects per word of a closed list, with its meaning; words that do not occur are left out.
fn tally<W: Copy + PartialEq>(
    manifest: &[Entry],
    words: &[W],
    of: impl Fn(&Entry) -> Option<W>,
    spelled: impl Fn(W) -> &'static str,
    meaning: impl Fn(W) -> &'static str,
) -> Vec<(String, u64, String)> {
    words
        .iter()
        .map(|&word| (word, manifest.iter().filter(|entry| of(entry) == Some(word)).count() as u64))
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| (spelled(word).to_owned(), count, meaning(word).to_owned()))
        .collect()
}
