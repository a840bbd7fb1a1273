//! Intake's transaction: messages seen, everybody who is to be told, one-shot filters that fired, digests that gather,
//! and the books. Several messages share it; each is new, a duplicate or in conflict on its own.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use tidings_domain::delivery::{Acceptance, Accepted, DeliveryId, Recipient};

use super::failure::Failure;
use super::gather::Gatherings;
use super::oneshot::OneShots;
use super::turns;
use super::value::{id_bytes, millis, style_bits, to_json};
use super::writer::Intake;
use crate::StoreError;

/// Delivery rows in one statement: 12 variables each, below SQLite's 32,766.
const ROWS: usize = 1000;

/// A delivery to be written.
pub(super) struct NewDelivery<'a> {
    pub(super) message: i64,
    pub(super) id: DeliveryId,
    pub(super) recipient: &'a Recipient,
    pub(super) accepted_at: i64,
    pub(super) due_at: i64,
    /// Its place in the digest that gathers it.
    pub(super) gathered: Option<i64>,
}

/// Accepts the messages; the answers are in their order.
pub(super) async fn accept(connection: &mut SqliteConnection, intakes: &[Intake]) -> Result<Vec<Acceptance>, Failure> {
    let (seqs, mut answers) = insert_messages(connection, intakes).await?;
    let told = intakes.iter().zip(&seqs).filter_map(|(intake, seq)| Some((intake, (*seq)?)));
    let told: Vec<(&Intake, i64)> = told.filter(|(intake, _)| !intake.message.recipients.is_empty()).collect();
    // New messages have the highest numbers, so `message >= first` names exactly what is written here.
    let Some(first) = told.iter().map(|(_, seq)| *seq).min() else { return Ok(answers) };

    let mut oneshots = OneShots::load(connection, &told).await?;
    let mut gatherings = Gatherings::load(connection, &told).await?;
    let latest = told.iter().map(|(intake, _)| millis(intake.now)).max().unwrap_or(0);
    let mut rows = Vec::new();
    for (intake, message) in &told {
        let accepted_at = millis(intake.now);
        let mut firing = oneshots.message();
        for recipient in &intake.message.recipients {
            if recipient.oneshot && !firing.fires(recipient) {
                continue;
            }
            let (due_at, gathered) = match recipient.digest {
                Some(options) => gatherings.join(recipient, options, accepted_at),
                None => (accepted_at, None),
            };
            let id = DeliveryId::derive(&intake.message.id, &recipient.channel, &recipient.address);
            rows.push(NewDelivery { message: *message, id, recipient, accepted_at, due_at, gathered });
        }
    }
    insert_deliveries(connection, &rows).await?;
    oneshots.save(connection, latest).await?;
    gatherings.save(connection).await?;
    turns::enqueue(connection, first).await?;
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
    intakes: &[Intake],
) -> Result<(Vec<Option<i64>>, Vec<Acceptance>), Failure> {
    // The first of each id, as an id may come twice in one group.
    let mut first: HashMap<&str, usize> = HashMap::with_capacity(intakes.len());
    let mut rows = Vec::with_capacity(intakes.len());
    for (index, Intake { message, now }) in intakes.iter().enumerate() {
        if let Entry::Vacant(place) = first.entry(message.id.as_str()) {
            place.insert(index);
            rows.push((message, millis(*now), event_columns(message)?));
        }
    }
    let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO messages (id, topic, digest, seen_at, subtitle, event) ");
    query.push_values(rows, |mut row, (message, seen_at, event)| {
        let (subtitle, event) = event.unzip();
        row.push_bind(message.id.as_str()).push_bind(message.topic.as_str()).push_bind(&message.digest[..]);
        row.push_bind(seen_at).push_bind(subtitle).push_bind(event);
    });
    query.push(" ON CONFLICT (id) DO NOTHING RETURNING id, seq");
    let new: Vec<(String, i64)> = query.build_query_as().persistent(false).fetch_all(&mut *connection).await?;
    let new: HashMap<String, i64> = new.into_iter().collect();

    let known = first.keys().copied().filter(|id| !new.contains_key(*id)).collect::<Vec<_>>();
    let known = digests(connection, &known).await?;
    let seqs = intakes.iter().enumerate().map(|(index, intake)| {
        let id = intake.message.id.as_str();
        (first.get(id) == Some(&index)).then(|| new.get(id).copied()).flatten()
    });
    let seqs: Vec<Option<i64>> = seqs.collect();
    let answers = intakes.iter().zip(&seqs).map(|(Intake { message, .. }, seq)| {
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

/// Subtitle and text of a message that somebody receives.
fn event_columns(message: &Accepted) -> Result<Option<(&str, String)>, Failure> {
    match &message.event {
        _ if message.recipients.is_empty() => Ok(None),
        Some(event) => Ok(Some((event.subtitle.as_str(), to_json("event", &**event)?))),
        None => {
            let detail = format!("{} has recipients but no event", message.id);
            Err(StoreError::Refused { what: "message", detail }.into())
        }
    }
}

/// The digests of messages seen before.
async fn digests(connection: &mut SqliteConnection, ids: &[&str]) -> Result<HashMap<String, Vec<u8>>, Failure> {
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
async fn insert_deliveries(connection: &mut SqliteConnection, rows: &[NewDelivery<'_>]) -> Result<(), Failure> {
    for rows in rows.chunks(ROWS) {
        let ids = rows.iter().map(|row| id_bytes(&row.id)).collect::<Result<Vec<_>, _>>()?;
        let mut query = QueryBuilder::<Sqlite>::new(
            "WITH new (id, message, channel, user, address, filter, style, accepted_at, due_at, gathered) AS (",
        );
        query.push_values(rows.iter().zip(ids), |mut tuple, (row, id)| {
            let recipient = row.recipient;
            tuple.push_bind(id).push_bind(row.message).push_bind(&recipient.channel).push_bind(&recipient.user);
            tuple.push_bind(&recipient.address).push_bind(&recipient.filter).push_bind(style_bits(recipient.style));
            tuple.push_bind(row.accepted_at).push_bind(row.due_at).push_bind(row.gathered);
        });
        query.push(
            ") INSERT INTO deliveries (id, message, channel, user, address, filter, style, accepted_at, not_before, \
             due_at, updated_at, gathered, lead) \
             SELECT id, message, channel, user, address, filter, style, accepted_at, due_at, due_at, accepted_at, \
             gathered, gathered IS NULL FROM new WHERE NOT EXISTS ( \
             SELECT 1 FROM subscriptions s WHERE s.user = new.user AND s.channel = new.channel AND NOT ( \
             s.enabled AND EXISTS (SELECT 1 FROM json_each(s.addresses) a WHERE a.value = new.address))) \
             ON CONFLICT (message, channel, address) DO NOTHING",
        );
        query.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Bumps the counts of deliveries ever accepted and of those pending, and counts each message's.
async fn count(connection: &mut SqliteConnection, first: i64) -> Result<HashMap<i64, usize>, Failure> {
    for sql in [
        "INSERT INTO books_accepted (channel, n) \
         SELECT channel, count(*) FROM deliveries WHERE message >= ? GROUP BY channel \
         ON CONFLICT (channel) DO UPDATE SET n = n + excluded.n",
        "INSERT INTO books (channel, state, kept) \
         SELECT channel, 'pending', count(*) FROM deliveries WHERE message >= ? GROUP BY channel \
         ON CONFLICT (channel, state) DO UPDATE SET kept = kept + excluded.kept",
    ] {
        sqlx::query(sql).bind(first).execute(&mut *connection).await?;
    }
    let rows: Vec<(i64, i64)> =
        sqlx::query_as("SELECT message, count(*) FROM deliveries WHERE message >= ? GROUP BY message")
            .bind(first)
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().map(|(message, n)| (message, usize::try_from(n).unwrap_or(usize::MAX))).collect())
}
