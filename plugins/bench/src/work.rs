//! The work of the benchmark: renders a mail and hashes its text. It must not depend on the contract: the benchmark also
//! compiles this file natively, to compare both.

use std::fmt::Write as _;

/// The input of a mail.
pub struct MailInput<'a> {
    pub id: &'a str,
    pub address: &'a str,
    pub topic: &'a str,
    pub subject: &'a str,
    pub text: &'a str,
    pub link: Option<&'a str>,
}

/// Renders a mail for SMTP: headers, an empty line, lines that end in CR LF, and doubled dots (RFC 5321, 4.5.2).
pub fn render(input: &MailInput<'_>) -> String {
    let mut mail = String::with_capacity(input.text.len() + 512);
    // Writing to a string cannot fail.
    let _ = write!(
        mail,
        "From: Tidings <notifications@tidings.example>\r\nTo: <{}>\r\nSubject: {}\r\nMessage-ID: <{}@tidings.example>\r\n\
         X-Tidings-Topic: {}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
        input.address, input.subject, input.id, input.topic
    );
    for line in input.text.lines().chain(input.link) {
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

/// The receipt: the hash of the rendered mail.
pub fn receipt(input: &MailInput<'_>) -> String {
    format!("{:016x}", hash(&render(input)))
}
