//! Prints the benchmarks of the whole daemon, one JSON object a line; with arguments only those.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tidings_tests::bench::run(&std::env::args().skip(1).collect::<Vec<_>>()).await
}
