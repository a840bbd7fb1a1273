//! Runs the benchmarks of the daemon, or those named in the arguments, and prints one JSON object a line.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tidings_tests::bench::run(&std::env::args().skip(1).collect::<Vec<_>>()).await
}
