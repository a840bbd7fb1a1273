//! The transaction of intake: messages seen, deliveries to their recipients, one-shot filters that fired, open digests,
//! and the books. Several messages share it; each is new, a duplicate or in conflict on its own.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use tidings_domain::delivery::{Acceptance, NewMessage, Recipient};

use super::digest_assembly::DigestAssemblies;
use super::oneshot::OneShotFilters;
use super::submission::PreparedMessage;
use super::{books, fair_queue};
use crate::sqlite::failure::WriteFailure;
use crate::sqlite::value::{millis, style_bits};

/// Rows in one statement, largest first. There are few sizes, so that the statements stay prepared: parsing one costs
/// as much as running it. Ten variables for each row, below SQLite's limit of 32,766.
const CHUNKS: [usize; 3] = [256, 16, 1];

/// The rows in chunks of these sizes.
fn chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = CHUNKS.into_iter().find(|size| *size <= rows.len())?;
        let (chunk, rest) = rows.split_at_checked(size)?;
        rows = rest;
        Some(chunk)
    })
}

/// A delivery to be written.
pub(crate) struct NewDelivery<'a> {
    pub(crate) message: i64,
    pub(crate) id: &'a [u8],
    pub(crate) recipient: &'a Recipient,
    pub(crate) accepted_at: i64,
    pub(crate) due_at: i64,
    /// Its position in the open digest that it joins.
    pub(crate) gathered: Option<i64>,
}

/// Accepts the messages; the answers are in their order.
pub(crate) async fn accept(
    connection: &mut SqliteConnection,
    prepared: &[PreparedMessage],
) -> Result<Vec<Acceptance>, WriteFailure> {
    let (seqs, mut answers) = insert_messages(connection, prepared).await?;
    let matched = prepared.iter().zip(&seqs).filter_map(|(prepared, seq)| Some((prepared, (*seq)?)));
    let matched: Vec<(&PreparedMessage, i64)> =
        matched.filter(|(prepared, _)| !prepared.message.recipients.is_empty()).collect();
    // New messages have the highest row numbers: `message >= first` selects exactly the rows that are written here.
    let Some(first) = matched.iter().map(|(_, seq)| *seq).min() else { return Ok(answers) };

    let mut oneshots = OneShotFilters::load(connection, &matched).await?;
    let mut digests = DigestAssemblies::load(connection, &matched).await?;
    let latest = matched.iter().map(|(prepared, _)| millis(prepared.now)).max().unwrap_or(0);
    let mut rows = Vec::new();
    for (prepared, message) in &matched {
        let accepted_at = millis(prepared.now);
        let mut filters = oneshots.message();
        for (recipient, id) in prepared.message.recipients.iter().zip(&prepared.ids) {
            if recipient.oneshot && !filters.fires(recipient) {
                continue;
            }
            let (due_at, gathered) = match recipient.digest {
                Some(options) => digests.join(recipient, options, accepted_at),
                None => (accepted_at, None),
            };
            rows.push(NewDelivery { message: *message, id, recipient, accepted_at, due_at, gathered });
        }
    }
    insert_deliveries(connection, &rows).await?;
    oneshots.save(connection, latest).await?;
    digests.save(connection).await?;
    fair_queue::enqueue(connection, first).await?;
    let counts = count(connection, first).await?;
    for (seq, answer) in seqs.iter().zip(&mut answers) {
        if let (Some(seq), Acceptance::New { deliveries }) = (seq, answer) {
            *deliveries = counts.get(seq).copied().unwrap_or(0);
        }
    }
    Ok(answers)
}

/// Writes the messages that are new. For each message the row's number where it was written, and the answer so far.
async fn insert_messages(
    connection: &mut SqliteConnection,
    prepared: &[PreparedMessage],
) -> Result<(Vec<Option<i64>>, Vec<Acceptance>), WriteFailure> {
    // The first of each id, as an id may come twice in one group.
    let mut first: HashMap<&str, usize> = HashMap::with_capacity(prepared.len());
    let mut rows = Vec::with_capacity(prepared.len());
    for (index, one) in prepared.iter().enumerate() {
        if let Entry::Vacant(entry) = first.entry(one.message.id.as_str()) {
            entry.insert(index);
            rows.push(one);
        }
    }
    let mut new: HashMap<String, i64> = HashMap::with_capacity(rows.len());
    for rows in chunks(&rows) {
        let mut query =
            QueryBuilder::<Sqlite>::new("INSERT INTO messages (id, topic, digest, seen_at, subtitle, event) ");
        query.push_values(rows, |mut row, prepared| {
            let NewMessage { id, topic, digest, event, .. } = &prepared.message;
            row.push_bind(id.as_str()).push_bind(topic.as_str()).push_bind(&digest[..]).push_bind(millis(prepared.now));
            let subtitle = event.as_ref().filter(|_| prepared.event.is_some()).map(|event| event.subtitle.as_str());
            row.push_bind(subtitle).push_bind(prepared.event.as_deref());
        });
        query.push(" ON CONFLICT (id) DO NOTHING RETURNING id, seq");
        new.extend(query.build_query_as::<(String, i64)>().fetch_all(&mut *connection).await?);
    }

    let known = first.keys().copied().filter(|id| !new.contains_key(*id)).collect::<Vec<_>>();
    let known = stored_digests(connection, &known).await?;
    let seqs = prepared.iter().enumerate().map(|(index, one)| {
        let id = one.message.id.as_str();
        (first.get(id) == Some(&index)).then(|| new.get(id).copied()).flatten()
    });
    let seqs: Vec<Option<i64>> = seqs.collect();
    let answers = prepared.iter().zip(&seqs).map(|(PreparedMessage { message, .. }, seq)| {
        let id = message.id.as_str();
        let before = match (known.get(id), first.get(id).and_then(|index| prepared.get(*index))) {
            (Some(digest), _) => digest.as_slice(),
            (None, Some(earlier)) => &earlier.message.digest[..],
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
async fn stored_digests(
    connection: &mut SqliteConnection,
    ids: &[&str],
) -> Result<HashMap<String, Vec<u8>>, WriteFailure> {
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

/// Writes the deliveries, except to a destination that left its subscription after the message was matched. Two users
/// with one address get one delivery.
async fn insert_deliveries(connection: &mut SqliteConnection, rows: &[NewDelivery<'_>]) -> Result<(), WriteFailure> {
    for rows in chunks(rows) {
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

/// Adds the new deliveries to the books, and returns how many each message has. It counts the rows in the table.
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
        books::add_accepted(connection, &channel, n).await?;
    }
    Ok(messages)
}
