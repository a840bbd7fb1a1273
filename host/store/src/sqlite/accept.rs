//! The transaction of intake: messages seen, everybody who is to be told, one-shot filters that fired, digests that gather,
//! and the books. Several messages share it; each is new, a duplicate or in conflict on its own.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use tidings_domain::delivery::{Acceptance, NewMessage, Recipient};

use super::digest_assembly::DigestAssemblies;
use super::failure::WriteFailure;
use super::fair_queue;
use super::oneshot::OneShots;
use super::value::{millis, style_bits};
use super::writer::PreparedMessage;

/// Rows in one statement, the most first: so few sizes that the statements stay prepared. Parsing one costs as much as
/// running it. Ten variables for each row, below SQLite's 32,766.
const RUNS: [usize; 3] = [256, 16, 1];

/// The rows in runs of these sizes.
fn runs<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = RUNS.into_iter().find(|size| *size <= rows.len())?;
        let (run, rest) = rows.split_at_checked(size)?;
        rows = rest;
        Some(run)
    })
}

/// A delivery to be written.
pub(super) struct NewDelivery<'a> {
    pub(super) message: i64,
    pub(super) id: &'a [u8],
    pub(super) recipient: &'a Recipient,
    pub(super) accepted_at: i64,
    pub(super) due_at: i64,
    /// Its place in the digest that gathers it.
    pub(super) gathered: Option<i64>,
}

/// Accepts the messages; the answers are in their order.
pub(super) async fn accept(
    connection: &mut SqliteConnection,
    intakes: &[PreparedMessage],
) -> Result<Vec<Acceptance>, WriteFailure> {
    let (seqs, mut answers) = insert_messages(connection, intakes).await?;
    let told = intakes.iter().zip(&seqs).filter_map(|(intake, seq)| Some((intake, (*seq)?)));
    let told: Vec<(&PreparedMessage, i64)> = told.filter(|(intake, _)| !intake.message.recipients.is_empty()).collect();
    // New messages have the highest numbers, so `message >= first` names exactly what is written here.
    let Some(first) = told.iter().map(|(_, seq)| *seq).min() else { return Ok(answers) };

    let mut oneshots = OneShots::load(connection, &told).await?;
    let mut gatherings = DigestAssemblies::load(connection, &told).await?;
    let latest = told.iter().map(|(intake, _)| millis(intake.now)).max().unwrap_or(0);
    let mut rows = Vec::new();
    for (intake, message) in &told {
        let accepted_at = millis(intake.now);
        let mut firing = oneshots.message();
        for (recipient, id) in intake.message.recipients.iter().zip(&intake.ids) {
            if recipient.oneshot && !firing.fires(recipient) {
                continue;
            }
            let (due_at, gathered) = match recipient.digest {
                Some(options) => gatherings.join(recipient, options, accepted_at),
                None => (accepted_at, None),
            };
            rows.push(NewDelivery { message: *message, id, recipient, accepted_at, due_at, gathered });
        }
    }
    insert_deliveries(connection, &rows).await?;
    oneshots.save(connection, latest).await?;
    gatherings.save(connection).await?;
    fair_queue::enqueue(connection, first).await?;
    let counts = count(connection, first).await?;
    for (seq, answer) in seqs.iter().zip(&mut answers) {
        if let (Some(seq), Acceptance::New { deliveries }) = (seq, answer) {
            *deliveries = counts.get(seq).copied().unwrap_or(0);
        }
    }
    Ok(answers)
}

/// Writes the messages that are new. For each intake the row's number where it was written, and the answer so far.
async fn insert_messages(
    connection: &mut SqliteConnection,
    intakes: &[PreparedMessage],
) -> Result<(Vec<Option<i64>>, Vec<Acceptance>), WriteFailure> {
    // The first of each id, as an id may come twice in one group.
    let mut first: HashMap<&str, usize> = HashMap::with_capacity(intakes.len());
    let mut rows = Vec::with_capacity(intakes.len());
    for (index, intake) in intakes.iter().enumerate() {
        if let Entry::Vacant(place) = first.entry(intake.message.id.as_str()) {
            place.insert(index);
            rows.push(intake);
        }
    }
    let mut new: HashMap<String, i64> = HashMap::with_capacity(rows.len());
    for rows in runs(&rows) {
        let mut query =
            QueryBuilder::<Sqlite>::new("INSERT INTO messages (id, topic, digest, seen_at, subtitle, event) ");
        query.push_values(rows, |mut row, intake| {
            let NewMessage { id, topic, digest, event, .. } = &intake.message;
            row.push_bind(id.as_str()).push_bind(topic.as_str()).push_bind(&digest[..]).push_bind(millis(intake.now));
            let subtitle = event.as_ref().filter(|_| intake.event.is_some()).map(|event| event.subtitle.as_str());
            row.push_bind(subtitle).push_bind(intake.event.as_deref());
        });
        query.push(" ON CONFLICT (id) DO NOTHING RETURNING id, seq");
        new.extend(query.build_query_as::<(String, i64)>().fetch_all(&mut *connection).await?);
    }

    let known = first.keys().copied().filter(|id| !new.contains_key(*id)).collect::<Vec<_>>();
    let known = digests(connection, &known).await?;
    let seqs = intakes.iter().enumerate().map(|(index, intake)| {
        let id = intake.message.id.as_str();
        (first.get(id) == Some(&index)).then(|| new.get(id).copied()).flatten()
    });
    let seqs: Vec<Option<i64>> = seqs.collect();
    let answers = intakes.iter().zip(&seqs).map(|(PreparedMessage { message, .. }, seq)| {
        let id = message.id.as_str();
        let before = match (known.get(id), first.get(id).and_then(|index| intakes.get(*index))) {
            (Some(digest), _) => digest.as_slice(),
            (None, Some(intake)) => &intake.message.digest[..],
            (None, None) => &message.digest[..],
        };
        match seq {
            Some(_) => Acceptance::New { deliveries: 0 },
            None if before == message.digest => Acceptance::Duplicate,
            None => Acceptance::Conflict,
        }
    });
    let answers = answers.collect();
    Ok((seqs, answers))
}

/// The digests of messages seen before.
async fn digests(connection: &mut SqliteConnection, ids: &[&str]) -> Result<HashMap<String, Vec<u8>>, WriteFailure> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let mut query = QueryBuilder::<Sqlite>::new("SELECT id, digest FROM messages WHERE id IN (");
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind(*id);
    }
    query.push(")");
    let rows: Vec<(String, Vec<u8>)> = query.build_query_as().persistent(false).fetch_all(connection).await?;
    Ok(rows.into_iter().collect())
}

/// Writes the deliveries, except to a destination that its owner gave up after the message was matched. Two users with
/// one address get one delivery.
async fn insert_deliveries(connection: &mut SqliteConnection, rows: &[NewDelivery<'_>]) -> Result<(), WriteFailure> {
    for rows in runs(rows) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "WITH new (id, message, channel, user, address, filter, style, accepted_at, due_at, gathered) AS (",
        );
        query.push_values(rows, |mut tuple, row| {
            let recipient = row.recipient;
            tuple.push_bind(row.id).push_bind(row.message).push_bind(&recipient.channel).push_bind(&recipient.user);
            tuple.push_bind(&recipient.address).push_bind(&recipient.filter).push_bind(style_bits(recipient.style));
            tuple.push_bind(row.accepted_at).push_bind(row.due_at).push_bind(row.gathered);
        });
        query.push(
            ") INSERT INTO deliveries (id, message, channel, user, address, filter, style, accepted_at, not_before, \
             due_at, updated_at, gathered, lead) \
             SELECT id, message, channel, user, address, filter, style, accepted_at, due_at, due_at, accepted_at, \
             gathered, gathered IS NULL FROM new WHERE NOT EXISTS ( \
             SELECT 1 FROM subscriptions s WHERE s.user = new.user AND s.channel = new.channel AND NOT ( \
             s.enabled AND (s.addresses = json_array(new.address) \
             OR EXISTS (SELECT 1 FROM json_each(s.addresses) a WHERE a.value = new.address)))) \
             ON CONFLICT (message, channel, address) DO NOTHING",
        );
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Bumps the counts of deliveries ever accepted and of those pending, and counts each message's. Counted are the rows as
/// they are in the table.
async fn count(connection: &mut SqliteConnection, first: i64) -> Result<HashMap<i64, usize>, WriteFailure> {
    let rows: Vec<(i64, String, i64)> = sqlx::query_as(
        "SELECT message, channel, count(*) FROM deliveries WHERE message >= ? GROUP BY message, channel",
    )
    .bind(first)
    .fetch_all(&mut *connection)
    .await?;
    let (mut messages, mut channels) = (HashMap::<i64, usize>::new(), BTreeMap::<String, i64>::new());
    for (message, channel, n) in rows {
        *messages.entry(message).or_default() += usize::try_from(n).unwrap_or(usize::MAX);
        *channels.entry(channel).or_default() += n;
    }
    for (channel, n) in channels {
        for sql in [
            "INSERT INTO books_accepted (channel, n) VALUES (?, ?) \
             ON CONFLICT (channel) DO UPDATE SET n = n + excluded.n",
            "INSERT INTO books (channel, state, kept) VALUES (?, 'pending', ?) \
             ON CONFLICT (channel, state) DO UPDATE SET kept = kept + excluded.kept",
        ] {
            sqlx::query(sql).bind(&channel).bind(n).execute(&mut *connection).await?;
        }
    }
    Ok(messages)
}
