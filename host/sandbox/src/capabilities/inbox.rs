//! `inbox`: hands a user's command to the daemon and returns the reply lines.

use tidings_domain::limits::ADDRESS_CHARS;

use crate::instance::ChannelContext;
use crate::limits;

impl ChannelContext {
    /// Cuts an address or a text beyond its limit; the reply answers what is left.
    pub(crate) async fn submit(&self, address: &str, text: &str) -> Vec<String> {
        let cut = |text: &str, max| text.chars().take(max).collect::<String>();
        let (address, text) = (cut(address, ADDRESS_CHARS), cut(text, limits::INBOX_CHARS));
        let _permit = self.store_rate.acquire().await;
        let mut lines = self.host.inbox(&self.channel, &address, &text).await;
        lines.truncate(limits::INBOX_LINES);
        lines
    }
}
