//! The story that Tidings begins with, replayed: FMN in June 2014 drowning in a mass rebuild, its cure, and Tidings, under
//! the same messages. `cargo xtask story` runs it. Writes docs/story.md and the pictures in docs/images; `text.md` says
//! what is real and what is not.

mod chart;
mod costs;
mod dice;
mod message;
mod old;
mod pictures;
mod run;
mod service;
mod strategy;
mod text;
mod tidings;
mod world;

#[cfg(test)]
mod tests;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use strategy::Chapter;
use tidings_domain::catalogue::Catalogue;
use world::Plan;

/// The blog's date.
const SEED: u64 = 20_140_613;
const USERS: [usize; 4] = [20, 100, 1000, 10_000];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = match (arguments.next().as_deref(), arguments.next()) {
        (Some("--out"), Some(directory)) => PathBuf::from(directory),
        _ => return Err("usage: story --out DIRECTORY".into()),
    };
    let catalogue = Catalogue::embedded().map_err(|mistakes| format!("the catalogue: {mistakes:?}"))?;
    let catalogue = Arc::new(catalogue);
    let mut chapters = Vec::new();
    for users in USERS {
        eprintln!("{users} users");
        chapters.push(Chapter::tell(&Plan::whole(SEED, users), &catalogue)?);
    }
    let images = out.join("images");
    std::fs::create_dir_all(&images)?;
    std::fs::write(images.join("story-backlog.svg"), pictures::backlog(&chapters))?;
    std::fs::write(images.join("story-blog.svg"), pictures::blog(&chapters))?;
    std::fs::write(out.join("story.md"), text::page(&chapters))?;
    println!("{}", text::table(&chapters));
    Ok(())
}
