//! Links that may stand in a header.

use tidings_plugin::text::HeaderSafe;

/// The link in angle brackets, if it is one that a mail client may follow and that cannot be taken for two.
pub fn bracketed(link: &str) -> Option<HeaderSafe> {
    let web = link.starts_with("https://") || link.starts_with("http://");
    let plain = link.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b','));
    if web && plain { HeaderSafe::refuse(&format!("<{link}>")).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_web_link_is_taken() {
        let taken = |link| bracketed(link).map(String::from);
        assert_eq!(taken("https://example.org/u?t=1"), Some("<https://example.org/u?t=1>".into()));
        for link in
            ["", "javascript:alert(1)", "https://a>,<mailto:x", "https://a\r\nBcc: x", "https://a b", "https://ü"]
        {
            assert_eq!(taken(link), None, "{link}");
        }
    }
}
