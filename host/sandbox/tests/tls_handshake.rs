//! A guest that performs a TLS handshake. The host verifies certificates on the guest's stack, the smallest of the
//! program.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

mod common;

use std::sync::Arc;

use common::guest::plugin;
use common::{SandboxFixture, delivery, grant, requests};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::Capability;
use tidings_domain::outcome::{CrashKind, Outcome};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Connects to `127.0.0.1:{port}` over TLS with the server name `{name}`. Delivers if that succeeds, traps otherwise.
fn guest(port: u16, name: &str) -> Vec<u8> {
    let fields = format!(
        r#"(import "tidings:channel/net@1.0.0" "connect"
               (func $connect (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
           (data (i32.const 512) "127.0.0.1")
           (data (i32.const 600) "{name}")"#
    );
    let length = name.len();
    let body = format!(
        "(call $connect (i32.const 512) (i32.const 9) (i32.const {port})
            (i32.const 1) (i32.const 1) (i32.const 600) (i32.const {length}) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 3000))
         (if (i32.load8_u (i32.const 3000)) (then unreachable))
         (call $answer (local.get $count))"
    );
    plugin(&fields, &body)
}

#[tokio::test]
async fn the_servers_certificate_is_verified() {
    let made = rcgen::generate_simple_self_signed(vec!["mail.example.org".to_owned()]).expect("a certificate");
    let directory = tempfile::tempdir().expect("a directory");
    let ca_file = directory.path().join("ca.pem");
    std::fs::write(&ca_file, made.cert.pem()).expect("written");
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a server");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let server = tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            drop(acceptor.accept(tcp).await);
        }
    });

    let fixture = SandboxFixture::with(2, Some(ca_file));
    for (name, valid) in [("mail.example.org", true), ("other.example.org", false)] {
        let admitted = fixture.sandbox.admit(&guest(port, name)).await.expect("admitted");
        let grants = vec![grant(Capability::Net, port, true, false)];
        let plugin = fixture.plugin(&admitted, PluginLimits::default(), grants, port);
        let report = plugin.deliver(&requests(&[delivery("a@x")])).await;
        if valid {
            assert_eq!(report.outcomes, [Outcome::Delivered { receipt: None }], "{name}");
            assert!(report.stats.network_bytes > 500);
        } else {
            assert_eq!(report.crash.map(|(kind, _)| kind), Some(CrashKind::Trap), "{name}");
        }
    }
    server.abort();
}
