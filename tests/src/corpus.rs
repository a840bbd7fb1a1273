//! Compares the output of the command line for a corpus of real messages with the expected values: prints a table with a row
//! for each application, and fails below the required shares. An absent expectation is not checked; `null` expects no value,
//! `[]` expects an empty list.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::paths;
use crate::samples::json_lines;

/// Facts of the legacy bus: the name in the corpus, the key in the output, and the required share of correct cases, in
/// percent.
const LEGACY: [(&str, &str, f64); 8] = [
    ("title", "title", 100.0),
    ("subtitle", "subtitle", 97.0),
    ("link", "link", 97.0),
    ("objects", "objects", 97.0),
    ("icon", "icon", 97.0),
    ("secondary_icon", "secondary_icon", 97.0),
    ("usernames", "usernames", 99.0),
    ("packages", "packages", 99.0),
];
/// The same for the current bus, whose corpus uses other names.
const CURRENT: [(&str, &str, f64); 6] = [
    ("usernames", "usernames", 97.0),
    ("packages", "packages", 97.0),
    ("agent_name", "agent", 97.0),
    ("app_name", "application", 97.0),
    ("summary", "subtitle", 95.0),
    ("url", "link", 95.0),
];
/// The required number of bursts with correct lines.
const BURSTS: usize = 9;

/// The numbers of correct and of checked cases.
type Score = (usize, usize);

/// Checks all files of the corpus and prints the results. Fails if a share is below the required one. Succeeds without a
/// corpus.
pub fn run() -> Result<()> {
    let Some(legacy) = paths::corpus("fedmsg.jsonl") else {
        println!("skipped: this checkout has no corpus beside it");
        return Ok(());
    };
    let corpus = Corpus { dir: legacy.parent().unwrap_or(Path::new("/")).to_owned() };
    let mut missed = Vec::new();
    missed.extend(corpus.facts("fedmsg.jsonl", true, &LEGACY, topic_category)?);
    missed.extend(corpus.facts("fedora-messaging.jsonl", false, &CURRENT, |line| text(&line["source"]))?);
    missed.extend(corpus.rules()?);
    missed.extend(corpus.recipients()?);
    missed.extend(corpus.bursts()?);
    ensure!(missed.is_empty(), "below the required share:\n  {}", missed.join("\n  "));
    Ok(())
}

struct Corpus {
    dir: PathBuf,
}

impl Corpus {
    fn lines(&self, file: &str) -> Result<Vec<Value>> {
        json_lines(&self.dir.join(file))
    }

    fn aliases(&self) -> [String; 2] {
        ["--aliases".into(), self.dir.join("aliases.json").display().to_string()]
    }

    /// Runs a command with the messages of a file as input; returns one output line for each.
    fn run_command(&self, command: &[&str], options: &[String], messages: &[Value]) -> Result<Vec<Value>> {
        let input: String = messages.iter().map(|message| format!("{message}\n")).collect();
        let output = tidings(command, options, input)?;
        let lines: Vec<Value> = output.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let (count, expected) = (lines.len(), messages.len());
        ensure!(count == expected, "{command:?} printed {count} lines for {expected} messages");
        Ok(lines)
    }

    fn facts(
        &self,
        file: &str,
        aliased: bool,
        bars: &[(&str, &str, f64)],
        group: impl Fn(&Value) -> String,
    ) -> Result<Vec<String>> {
        let lines = self.lines(file)?;
        let messages: Vec<Value> = lines.iter().map(|line| line["msg"].clone()).collect();
        let options: Vec<String> = if aliased { self.aliases().into() } else { Vec::new() };
        let found = self.run_command(&["facts"], &options, &messages)?;
        let mut table: BTreeMap<String, BTreeMap<&str, Score>> = BTreeMap::new();
        for (line, found) in lines.iter().zip(&found) {
            let row = table.entry(group(line)).or_default();
            for (name, key, _) in bars {
                let Some(expected) = line["expected"].get(name) else { continue };
                let score = row.entry(name).or_default();
                score.0 += usize::from(same(&found[key], expected));
                score.1 += 1;
            }
        }
        print_table(file, &table, bars);
        Ok(below(file, &table, bars))
    }

    /// Checks `rules-truth.jsonl`: every rule for every message.
    fn rules(&self) -> Result<Vec<String>> {
        let lines = self.lines("fedmsg.jsonl")?;
        let messages: Vec<Value> = lines.iter().map(|line| line["msg"].clone()).collect();
        let found = self.run_command(&["rules", "eval"], &self.aliases(), &messages)?;
        let truth = self.lines("rules-truth.jsonl")?;
        let right = found.iter().zip(&truth).filter(|(found, truth)| same(&found["true"], &truth["true"])).count();
        Ok(report("rules-truth.jsonl: messages with every rule right", right, truth.len(), truth.len()))
    }

    /// Checks `population-recipients.jsonl`: the recipients of every message.
    fn recipients(&self) -> Result<Vec<String>> {
        let lines = self.lines("fedmsg.jsonl")?;
        let messages: Vec<Value> = lines.iter().map(|line| line["msg"].clone()).collect();
        let file = |name: &str| self.dir.join(name).display().to_string();
        let mut options = vec!["--subscriptions".into(), file("population.jsonl")];
        options.extend(["--acls".into(), file("population-acls.json")]);
        options.extend(self.aliases());
        let found = self.run_command(&["match"], &options, &messages)?;
        let (mut right, mut all, mut extra) = (0, 0, 0);
        for (found, truth) in found.iter().zip(self.lines("population-recipients.jsonl")?) {
            let (found, truth) = (rows(&found["recipients"]), rows(&truth["recipients"]));
            all += truth.len();
            right += truth.intersection(&found).count();
            extra += found.difference(&truth).count();
        }
        let mut missed = report("population-recipients.jsonl: rows", right, all, all);
        if extra > 0 {
            missed.push(format!("population-recipients.jsonl: {extra} rows too many"));
        }
        Ok(missed)
    }

    /// Checks `conglomerate.jsonl`: the messages that a digest combines into one line.
    fn bursts(&self) -> Result<Vec<String>> {
        let bursts = self.lines("conglomerate.jsonl")?;
        let mut right = 0;
        for burst in &bursts {
            // The corpus notes that these expectations are without aliases.
            let without_aliases = text(&burst["id"]).starts_with("TestPagureConglomeratorByOldStyleCommit");
            let mut options: Vec<String> = if without_aliases { Vec::new() } else { self.aliases().into() };
            if let Some(subject) = burst["subject"].as_str() {
                options.extend(["--subject".into(), subject.into()]);
            }
            let found: Vec<Value> =
                serde_json::from_str(&tidings(&["digest"], &options, burst["messages"].to_string())?)?;
            let expected = burst["expected"].as_array().context("a burst has an expectation")?;
            let all = found.len() == expected.len()
                && expected.iter().zip(&found).all(|(expected, found)| {
                    expected.as_object().is_some_and(|keys| keys.iter().all(|(key, value)| same(&found[key], value)))
                });
            right += usize::from(all);
        }
        Ok(report("conglomerate.jsonl: bursts with every line right", right, bursts.len(), BURSTS))
    }
}

/// Runs `tidings` with this input; returns its output. Fails if the command fails.
pub(crate) fn tidings(command: &[&str], options: &[String], input: String) -> Result<String> {
    let mut process = Command::new(paths::program("tidings")?)
        .args(command)
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting tidings {command:?}"))?;
    let mut stdin = process.stdin.take().context("the standard input of the process")?;
    // A thread writes the input, because the process blocks when nothing reads its output.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = process.wait_with_output()?;
    writer.join().map_err(|_| anyhow::anyhow!("the thread that writes the input panicked"))??;
    ensure!(output.status.success(), "tidings {command:?} ended with {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// Compares two values: lists without their order and with their elements as text (ids may be numbers or text), numbers to
/// the microsecond.
fn same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Array(found), Value::Array(expected)) => {
            let set = |list: &[Value]| list.iter().map(text).collect::<BTreeSet<String>>();
            set(found) == set(expected)
        }
        (Value::Number(found), Value::Number(expected)) => {
            found.as_f64().zip(expected.as_f64()).is_some_and(|(found, expected)| (found - expected).abs() < 1e-6)
        }
        (Value::Null, Value::Array(expected)) => expected.is_empty(),
        (Value::Null, Value::String(expected)) => expected.is_empty(),
        _ => found == expected,
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn topic_category(line: &Value) -> String {
    text(&line["topic"]).split('.').nth(3).unwrap_or("none").to_owned()
}

fn rows(recipients: &Value) -> BTreeSet<String> {
    recipients.as_array().into_iter().flatten().map(Value::to_string).collect()
}

fn report(what: &str, right: usize, all: usize, bar: usize) -> Vec<String> {
    println!("{what}: {right} of {all}");
    if right < bar { vec![format!("{what}: {right} of {all}, at least {bar}")] } else { Vec::new() }
}

fn print_table(file: &str, table: &BTreeMap<String, BTreeMap<&str, Score>>, bars: &[(&str, &str, f64)]) {
    print!("\n{file:<24}");
    bars.iter().for_each(|(name, ..)| print!(" {name:>14}"));
    for (group, row) in table {
        print!("\n{group:<24}");
        for (name, ..) in bars {
            let cell = row.get(name).map_or_else(|| "-".into(), |(right, all)| format!("{right}/{all}"));
            print!(" {cell:>14}");
        }
    }
    println!();
}

/// Prints the share of each fact and returns those below the required share.
fn below(file: &str, table: &BTreeMap<String, BTreeMap<&str, Score>>, bars: &[(&str, &str, f64)]) -> Vec<String> {
    let mut missed = Vec::new();
    for (name, _, bar) in bars {
        let scores = table.values().filter_map(|row| row.get(name));
        let (right, all) = scores.fold((0, 0), |sum, score| (sum.0 + score.0, sum.1 + score.1));
        let share = 100.0 * right as f64 / all.max(1) as f64;
        println!("{file} {name}: {right} of {all} ({share:.1} %, at least {bar} %)");
        if share < *bar {
            missed.push(format!("{file} {name}: {share:.1} % of {all}, at least {bar} %"));
        }
    }
    missed
}
