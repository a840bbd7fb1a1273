//! Settings and deliveries of the tests, and a scripted server.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod server;

use email::settings::Settings;
use tidings_plugin::testing::{self, NOW_MS};
use tidings_plugin::{Confirmation, Content, Delivery, Digest, Event, Recipient};

pub fn settings(more: &[(&str, &str)]) -> Settings {
    let least =
        [("host", "mx.example.org"), ("from", "Tidings <tidings@example.org>"), ("subject_prefix", "[tidings]")];
    let values: Vec<_> = least.iter().chain(more).copied().collect();
    Settings::read(testing::config(&values)).unwrap()
}

pub fn event() -> Event {
    let long_form = "Package:    mutt-2.2.13-1.fc42\nStatus:     started\nBuilt by:   ralph";
    Event {
        topic: "org.fedoraproject.prod.buildsys.build.state.change".into(),
        application: "buildsys".into(),
        timestamp_ms: NOW_MS - 60_000,
        title: "buildsys.build.state.change".into(),
        link: Some("https://koji.example.org/buildinfo?buildID=1".into()),
        agent: Some("ralph".into()),
        usernames: vec!["ralph".into()],
        packages: vec!["mutt".into()],
        objects: vec!["builds/mutt".into()],
        thread: Some("package:mutt".into()),
        ..testing::event("ralph's mutt-2.2.13-1.fc42 started building", long_form)
    }
}

pub fn delivery(number: u32, content: Content) -> Delivery {
    let delivery = testing::delivery("toshio@example.com", content);
    let recipient = Recipient {
        user: "toshio".into(),
        filter_name: Some("My packages".into()),
        settings_link: Some("https://tidings.example.org/toshio/email/1".into()),
        unsubscribe_link: Some("https://tidings.example.org/u/0123456789".into()),
        triggered_by: true,
        ..delivery.recipient
    };
    Delivery { id: format!("{number:032x}"), recipient, ..delivery }
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
        expires_ms: NOW_MS + 24 * 3600 * 1000,
    }
}
