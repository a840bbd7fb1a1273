//! `inbox`: what a user says back, handed to the daemon, and the lines to answer with.

use crate::limits;

use crate::instance_state::ChannelContext;

impl ChannelContext {
    /// An address or a text beyond its bound is cut: whoever sends one gets an answer to what is left of it.
    pub(crate) async fn submit(&self, address: &str, text: &str) -> Vec<String> {
        let cut = |text: &str, max| text.chars().take(max).collect::<String>();
        let (address, text) = (cut(address, tidings_domain::limits::ADDRESS_CHARS), cut(text, limits::INBOX_CHARS));
        let _turn = self.pace.turn().await;
        let mut lines = self.host.inbox(&self.channel, &address, &text).await;
        lines.truncate(limits::INBOX_LINES);
        lines
    }
}
