//! The demonstration: a publisher, a daemon and a mail server on this machine, set up as by an administrator, and the sample
//! messages from the bus to the mail server. With `once` it is an end-to-end test.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::signal;

use crate::channel;
use crate::client::TestClient;
use crate::daemon::{Daemon, Home};
use crate::expect::{self, Difference};
use crate::paths;
use crate::samples::{self, Expected};
use crate::settings::DaemonSettings;
use crate::sink::MailSink;
use crate::source::PublisherProcess;
use crate::wait;
use tidings_api_types::{BooksInfo, MessageCounts};

/// The time limit from the start of the daemon until it is subscribed to the bus.
const SUBSCRIBE_TIME: Duration = Duration::from_secs(60);
/// The time limit from the publication of the samples until the last mail.
const MAIL_TIME: Duration = Duration::from_secs(60);

/// Messages per second while a user watches the page.
const WATCHED_RATE: f64 = 1.0;

/// The options of the demonstration.
#[derive(Clone, Debug)]
pub struct Options {
    /// Publishes the samples once, checks the mails, and stops. Otherwise it publishes until Ctrl-C.
    pub once: bool,
    /// The address of the page; port 0 is any free one.
    pub page: SocketAddr,
    /// The directory of configuration, database and log. It is emptied at the start and kept at the end.
    pub dir: PathBuf,
}

/// The running parts.
struct Demo {
    home: Home,
    sink: MailSink,
    source: PublisherProcess,
    daemon: Daemon,
    client: TestClient,
    page: SocketAddr,
}

/// Runs the demonstration. The error names the missing and the unexpected mails.
pub async fn run(options: Options) -> Result<()> {
    let demo = Demo::start(&options).await?;
    println!("\n  Queue and mail: http://{}/\n", demo.page);
    let result = tokio::select! {
        result = async { if options.once { demo.check().await } else { demo.publish_endlessly().await } } => result,
        _ = signal::ctrl_c() => {
            println!("stopping");
            if options.once { Err(anyhow::anyhow!("interrupted by Ctrl-C")) } else { Ok(()) }
        }
    };
    let log = demo.home.log();
    let stopped = demo.stop().await;
    result.and(stopped).with_context(|| format!("the log of the daemon is in {}", log.display()))
}

impl Demo {
    async fn start(options: &Options) -> Result<Demo> {
        let dir = &options.dir;
        make_empty(dir)?;
        let mut sink = MailSink::start(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        println!("mail server   {}", sink.smtp);
        let rate = (!options.once).then_some(WATCHED_RATE);
        let source = PublisherProcess::start(&paths::sample("messages.jsonl"), rate, !options.once).await?;
        println!("publisher     {}", source.endpoint());
        let home = Home::new(dir, DaemonSettings::new(dir, &[source.endpoint()])?)?;
        let token = home.token("demo").await?;
        let daemon = Daemon::start(&home, Some(&token)).await?;
        println!("daemon        http://{}/, configuration {}", home.settings.api.listen, home.config().display());
        let client = daemon.client().clone();
        channel::install_email(&client, "email", sink.smtp).await?;
        let subscriptions = samples::subscriptions()?;
        for subscription in &subscriptions {
            channel::subscribe(&client, subscription).await?;
        }
        println!("set up        the channel email, {} subscriptions", subscriptions.len());
        let page = sink.show(options.page, Some(client.clone())).await?;
        daemon.subscribed(SUBSCRIBE_TIME).await?;
        Ok(Demo { home, sink, source, daemon, client, page })
    }

    /// Publishes the samples repeatedly, until the publisher ends.
    async fn publish_endlessly(&self) -> Result<()> {
        self.source.go().await?;
        println!("The sample messages are published repeatedly. Ctrl-C stops the demonstration.");
        self.source.ended().await
    }

    /// Publishes the samples once, and checks that each expected mail arrives, that no other does, and that the queue is
    /// empty.
    async fn check(&self) -> Result<()> {
        let (messages, expected) = (samples::messages()?, samples::expected()?);
        self.source.go().await?;
        let missing = |mails: &[_]| expect::compare(&expected, mails).missing.is_empty().then_some(());
        let arrived = self.sink.mails.wait("every expected mail", MAIL_TIME, missing).await;
        if arrived.is_err() {
            bail!("{}", describe(&expect::compare(&expected, &self.sink.mails.all())));
        }
        // The mail server has every mail once no delivery is pending.
        let (counts, books) = self.settled(messages.len() as u64).await?;
        let mails = self.sink.mails.all();
        let difference = expect::compare(&expected, &mails);
        if !difference.is_none() {
            bail!("{}", describe(&difference));
        }
        println!("messages in   {}", counts.received);
        println!("matched       {}", counts.matched);
        println!("delivered     {} in {} mails", books.delivered, mails.len());
        println!("queue         {}", books.pending);
        Ok(())
    }

    /// Waits until all messages are processed and no delivery is pending, and checks that each was delivered.
    async fn settled(&self, published: u64) -> Result<(MessageCounts, BooksInfo)> {
        let client = &self.client;
        let (counts, books) = wait::until("an empty queue", MAIL_TIME, async || {
            let counts = client.status().await?.messages;
            let books = client.books().await?.remove("email").unwrap_or_default();
            Ok((counts.settled() >= published && books.pending == 0).then_some((counts, books)))
        })
        .await?;
        if counts.received != published || !books.balance() || books.accepted != books.delivered {
            bail!("{published} messages were published; the daemon counts {counts:?} and {books:?}");
        }
        Ok((counts, books))
    }

    async fn stop(self) -> Result<()> {
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
    fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))
}

fn describe(difference: &Difference<'_>) -> String {
    let missing = difference.missing.iter().map(|one| {
        let Expected { recipient, text, message, .. } = one;
        format!("missing: to {recipient}: {text:?} (message {message})")
    });
    let surplus = difference
        .surplus
        .iter()
        .map(|mail| format!("unexpected: mail {} to {}: {:?}", mail.number, mail.recipients.join(", "), mail.subject));
    missing.chain(surplus).collect::<Vec<_>>().join("\n")
}
