//! Links in headers.

use tidings_plugin::text::HeaderSafe;

/// Returns the link in angle brackets, if it is an http or https URL without characters that separate links.
pub fn bracketed(link: &str) -> Option<HeaderSafe> {
    let web = link.starts_with("https://") || link.starts_with("http://");
    let plain = link.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b','));
    if web && plain { HeaderSafe::refuse(&format!("<{link}>")).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_web_link_is_accepted() {
        let accepted = |link| bracketed(link).map(String::from);
        assert_eq!(accepted("https://example.org/u?t=1"), Some("<https://example.org/u?t=1>".into()));
        for link in
            ["", "javascript:alert(1)", "https://a>,<mailto:x", "https://a\r\nBcc: x", "https://a b", "https://ü"]
        {
            assert_eq!(accepted(link), None, "{link}");
        }
    }
}
