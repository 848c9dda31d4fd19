//! What a user sees: whole commands on real folders.

mod place;
mod layers;
mod ingest;
mod labels;
mod splits;
mod bad_input;
mod bad_places;
mod odd_files;
mod resume;
mod documents;
mod shared_photos;
