//! The followers of event streams, so that a new entry is shown at once. Only a hint: entries are in the store, and followers
//! also look by themselves.

pub(crate) mod limits;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use self::limits::{STREAM_FOLLOWERS, STREAM_FOLLOWERS_EACH};

/// A channel and an address.
type Key = (String, String);

/// All streams that are followed.
#[derive(Clone, Default)]
pub struct Streams {
    followed: Arc<Mutex<HashMap<Key, watch::Sender<()>>>>,
}

/// A follower of a stream, until it is dropped.
pub struct Follower {
    streams: Streams,
    key: Key,
    news: watch::Receiver<()>,
}

/// Why a stream cannot be followed: there are as many followers as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FollowerLimit {
    #[error("this stream is followed {STREAM_FOLLOWERS_EACH} times already; close another window")]
    Stream,
    #[error("{STREAM_FOLLOWERS} streams are followed already")]
    All,
}

impl Streams {
    /// Begins to follow a stream.
    pub fn follow(&self, channel: &str, address: &str) -> Result<Follower, FollowerLimit> {
        let key = (channel.to_owned(), address.to_owned());
        let mut followed = self.lock();
        if followed.values().map(watch::Sender::receiver_count).sum::<usize>() >= STREAM_FOLLOWERS {
            return Err(FollowerLimit::All);
        }
        let sender = followed.entry(key.clone()).or_default();
        if sender.receiver_count() >= STREAM_FOLLOWERS_EACH {
            return Err(FollowerLimit::Stream);
        }
        let news = sender.subscribe();
        drop(followed);
        Ok(Follower { streams: self.clone(), key, news })
    }

    /// Wakes the stream's followers: there is a new entry.
    pub fn wake(&self, channel: &str, address: &str) {
        if let Some(sender) = self.lock().get(&(channel.to_owned(), address.to_owned())) {
            sender.send_replace(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, watch::Sender<()>>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Follower {
    /// Waits for an entry that came after the last wait began.
    pub async fn news(&mut self) {
        // The sender lives at least as long as its last follower.
        let _ = self.news.changed().await;
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut followed = self.streams.lock();
        // This one still counts.
        if followed.get(&self.key).is_some_and(|sender| sender.receiver_count() <= 1) {
            followed.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_follower_is_woken_for_its_own_stream_alone_and_a_stream_without_followers_is_forgotten() {
        let streams = Streams::default();
        let mut ralph = streams.follow("browser", "ralph").expect("within the limit");
        let mut lmacken = streams.follow("browser", "lmacken").expect("within the limit");
        streams.wake("browser", "ralph");
        streams.wake("browser", "another");
        ralph.news().await;
        let short = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(short, lmacken.news()).await.is_err(), "it is another stream");
        drop((ralph, lmacken));
        assert!(streams.lock().is_empty());
    }

    #[test]
    fn followers_are_bounded_each_and_in_all() {
        let streams = Streams::default();
        let mut all: Vec<Follower> =
            (0..STREAM_FOLLOWERS_EACH).map(|_| streams.follow("browser", "ralph").expect("within the limit")).collect();
        assert_eq!(streams.follow("browser", "ralph").err(), Some(FollowerLimit::Stream));
        let others = STREAM_FOLLOWERS - STREAM_FOLLOWERS_EACH;
        all.extend((0..others).map(|n| streams.follow("browser", &n.to_string()).expect("within the limit")));
        assert_eq!(streams.follow("browser", "one more").err(), Some(FollowerLimit::All));
        all.pop();
        assert!(streams.follow("browser", "one more").is_ok());
    }
}
