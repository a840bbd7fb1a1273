//! Checks the output of `tidings` for the corpus of real messages; fails if a share is below the required one.

fn main() -> anyhow::Result<()> {
    tidings_tests::corpus::run()
}
