//! What a user sees: whole commands on real folders.

mod place;
mod layers;
mod ingest;
mod labels;
mod splits;
mod bad_input;
mod bad_places;
mod odd_files;
mod second_run;
mod resume;
mod transcripts;
mod shared_photos;
