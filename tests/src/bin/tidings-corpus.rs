//! Prints how the program does on the corpus of real messages; fails below the bar.

fn main() -> anyhow::Result<()> {
    tidings_tests::corpus::run()
}
