//! What a user sees: whole commands on real folders.

mod place;
mod layers;
mod ingest;
mod labels;
mod splits;
mod bad_input;
mod resume;
mod documents;
mod shared_photos;
