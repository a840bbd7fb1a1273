//! The demonstration as an end-to-end test: each sample message causes its expected mails and no others.

use tidings_tests::demo::{self, Options};

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_delivers_every_expected_mail_and_no_other() {
    let home = tempfile::tempdir().unwrap();
    let options = Options { once: true, page: "127.0.0.1:0".parse().unwrap(), dir: home.path().join("demo") };
    if let Err(error) = demo::run(options).await {
        panic!("{error:#}");
    }
}
