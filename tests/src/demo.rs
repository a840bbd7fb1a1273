//! The demonstration: a publisher, a daemon and a mail server on this machine, set up as an administrator would, and the
//! sample messages that go all the way. With `once` it is a test of the whole.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::signal;
use tokio::time::sleep;

use crate::channel;
use crate::client::TestClient;
use crate::daemon::{Daemon, Home};
use crate::expect::{self, Difference};
use crate::paths;
use crate::port;
use crate::samples::{self, Expected};
use crate::settings::DaemonSettings;
use crate::sink::MailSink;
use crate::source::PublisherProcess;
use crate::wait;
use tidings_api_types::{BooksInfo, MessageCounts};

/// From the daemon's start until its subscription stands.
const SUBSCRIBE_TIME: Duration = Duration::from_secs(60);
/// From the publication of the samples until the last mail.
const MAIL_TIME: Duration = Duration::from_secs(60);
/// After the last expected mail, for one that nobody expected.
const SURPLUS_TIME: Duration = Duration::from_secs(2);
/// Messages per second when they are published for a person to watch.
const WATCHED_RATE: f64 = 1.0;

/// How to run it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Publish the samples once, check what arrives, and stop. Else go on until Ctrl-C.
    pub once: bool,
    /// Where the page is to be; port 0 is any free one.
    pub page: SocketAddr,
    /// Where configuration, database and log are to be, and stay. Emptied first.
    pub dir: PathBuf,
}

/// Everything that runs.
struct Stage {
    home: Home,
    sink: MailSink,
    source: PublisherProcess,
    daemon: Daemon,
    client: TestClient,
    page: SocketAddr,
}

/// Runs the demonstration. An error says what is missing.
pub async fn run(options: Options) -> Result<()> {
    let stage = Stage::set(&options).await?;
    println!("\n  Queue and mail: http://{}/\n", stage.page);
    let result = tokio::select! {
        result = async { if options.once { stage.check().await } else { stage.play().await } } => result,
        _ = signal::ctrl_c() => {
            println!("stopping");
            if options.once { Err(anyhow::anyhow!("interrupted")) } else { Ok(()) }
        }
    };
    let log = stage.home.log();
    let stopped = stage.strike().await;
    result.and(stopped).with_context(|| format!("the daemon's log is {}", log.display()))
}

impl Stage {
    async fn set(options: &Options) -> Result<Stage> {
        let dir = &options.dir;
        make_empty(dir)?;
        let mut sink = MailSink::start(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        println!("mail server   {}", sink.smtp);
        let rate = (!options.once).then_some(WATCHED_RATE);
        let source =
            PublisherProcess::start(port::free()?, &paths::sample("messages.jsonl"), rate, !options.once).await?;
        println!("publisher     {}", source.endpoint());
        let home = Home::new(dir, DaemonSettings::new(dir, &[source.endpoint()])?)?;
        let token = home.token("demo").await?;
        let daemon = Daemon::start(&home, Some(&token)).await?;
        println!("daemon        http://{}/, configuration {}", home.settings.api.listen, home.config().display());
        let client = daemon.client().clone();
        channel::install_email(&client, sink.smtp).await?;
        let subscriptions = samples::subscriptions()?;
        for subscription in &subscriptions {
            channel::subscribe(&client, subscription).await?;
        }
        println!("set up        the channel email, {} subscriptions", subscriptions.len());
        let page = sink.show(options.page, Some(client.clone())).await?;
        daemon.subscribed(SUBSCRIBE_TIME).await?;
        Ok(Stage { home, sink, source, daemon, client, page })
    }

    /// Publishes until it is interrupted.
    async fn play(&self) -> Result<()> {
        self.source.go().await?;
        println!("The sample messages are published again and again. Ctrl-C stops everything.");
        self.source.ended().await
    }

    /// Publishes once and waits for every expected mail, an empty queue, and nothing more.
    async fn check(&self) -> Result<()> {
        let (messages, expected) = (samples::messages()?, samples::expected()?);
        self.source.go().await?;
        let missing = |mails: &[_]| expect::compare(&expected, mails).missing.is_empty().then_some(());
        let arrived = self.sink.mails.wait("every expected mail", MAIL_TIME, missing).await;
        if arrived.is_err() {
            bail!("{}", describe(&expect::compare(&expected, &self.sink.mails.all())));
        }
        let (seen, books) = self.settled(messages.len() as u64).await?;
        sleep(SURPLUS_TIME).await;
        let mails = self.sink.mails.all();
        let difference = expect::compare(&expected, &mails);
        if !difference.is_none() {
            bail!("{}", describe(&difference));
        }
        println!("messages in   {}", seen.received);
        println!("matched       {}", seen.matched);
        println!("delivered     {} in {} mails", books.delivered, mails.len());
        println!("queue         {}", books.pending);
        Ok(())
    }

    /// Waits until all is received and nothing is pending, and checks that nothing was given up.
    async fn settled(&self, published: u64) -> Result<(MessageCounts, BooksInfo)> {
        let client = &self.client;
        let (seen, books) = wait::until("an empty queue", MAIL_TIME, async || {
            let seen = client.status().await?.messages;
            let books = client.books().await?.remove("email").unwrap_or_default();
            Ok((seen.settled() >= published && books.pending == 0).then_some((seen, books)))
        })
        .await?;
        if seen.received != published || !books.balance() || books.accepted != books.delivered {
            bail!("{published} messages were published; the daemon says {seen:?} and {books:?}");
        }
        Ok((seen, books))
    }

    async fn strike(self) -> Result<()> {
        self.source.stop().await?;
        let status = self.daemon.terminate().await?;
        if !status.success() {
            bail!("the daemon ended with {status}");
        }
        Ok(())
    }
}

fn make_empty(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("removing {}", dir.display()))?;
    }
    fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))
}

fn describe(difference: &Difference<'_>) -> String {
    let missing = difference.missing.iter().map(|one| {
        let Expected { recipient, text, message, .. } = one;
        format!("missing: to {recipient}: {text:?} (message {message})")
    });
    let surplus = difference.surplus.iter().map(|mail| {
        format!("not expected: mail {} to {}: {:?}", mail.number, mail.recipients.join(", "), mail.subject)
    });
    missing.chain(surplus).collect::<Vec<_>>().join("\n")
}
