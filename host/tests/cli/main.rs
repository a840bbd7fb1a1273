//! The program from outside: arguments and standard input in, output and exit code out.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

mod daemon;
mod messages;
mod plugin;
mod setup;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A configuration whose data is in a directory of its own.
struct Home {
    dir: TempDir,
}

impl Home {
    fn new(more: &str) -> Home {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let settings = format!("data_dir = {:?}\n{more}", dir.path().join("data"));
        std::fs::write(dir.path().join("tidings.toml"), settings).expect("it can be written");
        Home { dir }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let config = self.dir.path().join("tidings.toml");
        run(&[arguments, &["--config", config.to_str().expect("it is text")]].concat(), "")
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TIDINGS_")) {
        command.env_remove(name);
    }
    command
}

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = command(arguments).spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_owned();
    // What the program does not read is no error here.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("the input is written");
    output
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}: {}", output.status, stderr(output));
    String::from_utf8(output.stdout.clone()).expect("it is text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn lines(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// A build of `quillpad` by `ralph`, as the bus carries it.
fn build(new: u8) -> String {
    json!({
        "topic": "org.fedoraproject.prod.buildsys.build.state.change",
        "msg": {
            "attribute": "state", "build_id": 70121, "instance": "primary", "name": "quillpad", "new": new, "old": 0,
            "owner": "ralph", "release": "3.fc22", "task_id": 970121, "version": "0.9",
        },
        "timestamp": 1_400_000_000, "msg_id": "2014-0f0f", "i": 1,
    })
    .to_string()
}

fn write(dir: &Path, name: &str, text: &str) -> String {
    let file = dir.join(name);
    std::fs::write(&file, text).expect("it can be written");
    file.to_str().expect("it is text").to_owned()
}
