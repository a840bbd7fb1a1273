//! Deliveries to send, and a server that says what a test wants it to say.

// Each test file uses a part of it.
#![allow(dead_code)]

pub mod server;

use email::settings::Settings;
use tidings_plugin::{Confirmation, Content, Delivery, Digest, Event, Recipient};

/// 2026-11-24 12:00:00 UTC.
pub const NOON_MS: u64 = 1_795_521_600_000;

pub fn settings(more: &[(&str, &str)]) -> Settings {
    let least =
        [("host", "mx.example.org"), ("from", "Tidings <tidings@example.org>"), ("subject_prefix", "[tidings]")];
    let values: Vec<_> = least.iter().chain(more).collect();
    Settings::read(|name| values.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        .unwrap()
}

pub fn event() -> Event {
    Event {
        id: "2026-a1".into(),
        topic: "org.fedoraproject.prod.buildsys.build.state.change".into(),
        application: "buildsys".into(),
        timestamp_ms: NOON_MS - 60_000,
        title: "buildsys.build.state.change".into(),
        subtitle: "ralph's mutt-2.2.13-1.fc42 started building".into(),
        long_form: "Package:    mutt-2.2.13-1.fc42\nStatus:     started\nBuilt by:   ralph".into(),
        link: Some("https://koji.example.org/buildinfo?buildID=1".into()),
        icon: None,
        secondary_icon: None,
        agent: Some("ralph".into()),
        usernames: vec!["ralph".into()],
        packages: vec!["mutt".into()],
        objects: vec!["builds/mutt".into()],
        thread: Some("package:mutt".into()),
        body: "{}".into(),
        extra: Vec::new(),
    }
}

pub fn recipient() -> Recipient {
    Recipient {
        user: "toshio".into(),
        address: "toshio@example.com".into(),
        filter_name: Some("My packages".into()),
        settings_link: Some("https://tidings.example.org/toshio/email/1".into()),
        unsubscribe_link: Some("https://tidings.example.org/u/0123456789".into()),
        markup: false,
        triggered_by: true,
        verbose: false,
        extra: Vec::new(),
    }
}

pub fn delivery(number: u32, content: Content) -> Delivery {
    Delivery {
        id: format!("{number:032x}"),
        attempt: 1,
        accepted_ms: NOON_MS,
        recipient: recipient(),
        content,
        extra: Vec::new(),
    }
}

pub fn single(number: u32) -> Delivery {
    delivery(number, Content::Single(event()))
}

pub fn digest() -> Digest {
    let mut update = event();
    update.topic = "org.fedoraproject.prod.bodhi.update.comment".into();
    update.application = "bodhi".into();
    update.subtitle = "tosio commented on mutt-2.2.13-1.fc42 (karma: 1) 🎉".into();
    update.long_form = "It works.\n\n.\nFrom here on: zażółć gęślą jaźń.".into();
    update.usernames = vec!["ralph".into(), "toshio".into()];
    Digest {
        events: vec![event(), update],
        summary: vec!["ralph built mutt".into(), "toshio commented on mutt\r\n3. a forged line".into()],
        omitted: 3,
    }
}

pub fn confirmation() -> Confirmation {
    Confirmation {
        code: "K7QX-M2".into(),
        accept_link: "https://tidings.example.org/confirm/accept/K7QX-M2".into(),
        reject_link: "https://tidings.example.org/confirm/reject/K7QX-M2".into(),
        expires_ms: NOON_MS + 24 * 3600 * 1000,
    }
}
