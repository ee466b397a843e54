//! The leaderboard: a row a detector, each in a JSON file, and the pages that are made of all rows.

mod against;
mod bench;
mod check;
mod cost;
mod entrant;
mod figure;
mod folder;
mod html;
mod markdown;
mod methods;
mod name;
mod number;
mod order;
mod parts;
mod row;
mod sample;
mod section;
mod source;
mod table;
mod terminal;
mod unread;

pub(crate) use bench::{Bench, Setting};
pub(crate) use cost::{Cost, end_with_the_other};
pub(crate) use entrant::{DEFAULT, entrants};
pub(crate) use folder::Folder;
pub(crate) use parts::PartArgs;
pub(crate) use sample::Samples;
pub(crate) use terminal::summary;
