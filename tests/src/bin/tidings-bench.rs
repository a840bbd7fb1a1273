//! Prints the benchmarks of the whole daemon, one JSON object a line.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tidings_tests::bench::run().await
}
