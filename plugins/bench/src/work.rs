//! The work itself: a delivery becomes the text of a mail, and the text a number. It knows nothing of plugins, so that the
//! benchmark compiles the same file for the machine at hand and compares.

use std::fmt::Write as _;

/// What the text is made from.
pub struct Letter<'a> {
    pub id: &'a str,
    pub address: &'a str,
    pub topic: &'a str,
    pub subject: &'a str,
    pub text: &'a str,
    pub link: Option<&'a str>,
}

/// The mail's text as SMTP carries it: headers, an empty line, lines that end in CR LF, dots doubled (RFC 5321, 4.5.2).
pub fn render(letter: &Letter<'_>) -> String {
    let mut mail = String::with_capacity(letter.text.len() + 512);
    // Writing to a string does not fail.
    let _ = write!(
        mail,
        "From: Tidings <notifications@tidings.example>\r\nTo: <{}>\r\nSubject: {}\r\nMessage-ID: <{}@tidings.example>\r\n\
         X-Tidings-Topic: {}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
        letter.address, letter.subject, letter.id, letter.topic
    );
    for line in letter.text.lines().chain(letter.link) {
        if line.starts_with('.') {
            mail.push('.');
        }
        mail.push_str(line);
        mail.push_str("\r\n");
    }
    mail
}

/// FNV-1a with 64 bits.
pub fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// What is told as the receipt.
pub fn receipt(letter: &Letter<'_>) -> String {
    format!("{:016x}", hash(&render(letter)))
}
