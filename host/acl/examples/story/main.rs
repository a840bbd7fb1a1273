//! A simulation of FMN during the mass rebuild of June 2014, of its fix, and of Tidings, under the same messages.
//! `cargo xtask story` runs it. It writes docs/story.md and the pictures in docs/images; `text.md` lists what is
//! measured and what is assumed.

mod chart;
mod costs;
mod message;
mod old;
mod pictures;
mod rng;
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

/// The date of the blog post.
const SEED: u64 = 20_140_613;
const USERS: [usize; 4] = [20, 100, 1000, 10_000];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = match (arguments.next().as_deref(), arguments.next()) {
        (Some("--out"), Some(directory)) => PathBuf::from(directory),
        _ => return Err("usage: story --out DIRECTORY".into()),
    };
    let catalogue = Catalogue::embedded().map_err(|errors| format!("the catalogue has errors: {errors:?}"))?;
    let catalogue = Arc::new(catalogue);
    let mut chapters = Vec::new();
    for users in USERS {
        eprintln!("{users} users");
        chapters.push(Chapter::simulate(&Plan::full(SEED, users), &catalogue)?);
    }
    let images = out.join("images");
    std::fs::create_dir_all(&images)?;
    std::fs::write(images.join("story-backlog.svg"), pictures::backlog(&chapters))?;
    std::fs::write(images.join("story-blog.svg"), pictures::blog(&chapters))?;
    std::fs::write(out.join("story.md"), text::page(&chapters))?;
    println!("{}", text::table(&chapters));
    Ok(())
}
