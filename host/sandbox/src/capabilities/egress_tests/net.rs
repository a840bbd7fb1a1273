//! `net`: streams, TLS, the upgrade in place, and their limits.

use std::time::Instant;

use super::*;
use crate::instance::{Connection, TlsOptions};
use crate::network::NetworkError;

fn reaching(port: u16) -> InstanceState {
    limited(port, PluginLimits::default())
}

fn limited(port: u16, limits: PluginLimits) -> InstanceState {
    let reach = vec![grant(Capability::Net, "localhost", port), grant(Capability::Net, "127.0.0.1", port)];
    instance_state(Grants { reach, credentials: Vec::new() }, limits, trusting_tls())
}

fn tls(server_name: Option<&str>, verify: bool) -> Option<TlsOptions> {
    Some(TlsOptions { server_name: server_name.map(str::to_owned), verify, identity: None })
}

/// Sends `text` and reads until it has come back.
async fn round_trip(connection: &mut Connection, egress: &Egress, text: &str) -> Result<String, NetworkError> {
    connection.write(egress, text.as_bytes()).await?;
    let mut back = Vec::new();
    while back.len() < text.len() {
        match connection.read(egress, 1000).await? {
            part if part.is_empty() => break,
            part => back.extend(part),
        }
    }
    Ok(String::from_utf8_lossy(&back).into_owned())
}

#[tokio::test]
async fn bytes_go_out_and_come_back_and_the_end_is_empty() {
    let (listener, port) = listen().await;
    tokio::spawn(async move {
        let mut tcp = accept(&listener).await;
        let mut bytes = [0; 5];
        tcp.read_exact(&mut bytes).await.expect("five bytes");
        tcp.write_all(&bytes).await.expect("written");
    });
    let mut state = reaching(port);
    let mut connection = state.connect("LOCALHOST", port, None).await.expect("connected");
    connection.write(&state.egress, b"hello").await.expect("written");
    assert_eq!(connection.read(&state.egress, 2).await, Ok(b"he".to_vec()));
    assert_eq!(connection.read(&state.egress, 0).await, Ok(b"l".to_vec()), "at least one byte is read");
    assert_eq!(connection.read(&state.egress, u32::MAX).await, Ok(b"lo".to_vec()));
    assert_eq!(connection.read(&state.egress, 10).await, Ok(Vec::new()));
    assert_eq!(state.egress.bytes_used(), 10);
}

#[tokio::test]
async fn tls_is_verified_against_the_name_and_the_roots() {
    let (listener, port) = listen().await;
    tokio::spawn(async move {
        loop {
            let tcp = accept(&listener).await;
            tokio::spawn(async move {
                if let Ok(stream) = authority().acceptor.accept(tcp).await {
                    echo(stream).await;
                }
            });
        }
    });
    let system_tls = || Arc::new(Tls::new(None).expect("TLS"));
    for (host, options, tls, expected) in [
        ("localhost", tls(None, true), trusting_tls(), None),
        ("127.0.0.1", tls(Some("localhost"), true), trusting_tls(), None),
        ("127.0.0.1", tls(None, true), trusting_tls(), Some("not valid for name")),
        ("localhost", tls(Some("mail.example.org"), true), trusting_tls(), Some("not valid for name")),
        ("localhost", tls(Some("not a name"), true), trusting_tls(), Some("neither a host name nor an address")),
        ("localhost", tls(None, true), system_tls(), Some("UnknownIssuer")),
        ("localhost", tls(None, false), system_tls(), None),
        ("127.0.0.1", tls(None, false), system_tls(), None),
    ] {
        let mut state = reaching(port);
        state.egress = Egress::new(tls, &PluginLimits::default());
        let name = options.as_ref().and_then(|options| options.server_name.clone());
        let (answer, case) = (state.connect(host, port, options).await, format!("{host} as {name:?}"));
        match (answer, expected) {
            (Ok(mut connection), None) => {
                assert_eq!(
                    round_trip(&mut connection, &state.egress, "secret").await,
                    Ok("secret".to_owned()),
                    "{case}"
                );
            }
            (Err(NetworkError::Tls(why)), Some(expected)) => assert!(why.contains(expected), "{case}: {why}"),
            (answer, _) => panic!("{case}: unexpected {:?}", answer.err()),
        }
    }
}

#[tokio::test]
async fn a_plain_stream_becomes_tls_in_place() {
    let (listener, port) = listen().await;
    tokio::spawn(async move {
        let mut tcp = accept(&listener).await;
        tcp.write_all(b"220 go ahead\r\n").await.expect("written");
        echo(authority().acceptor.accept(tcp).await.expect("a handshake")).await;
    });
    let mut state = reaching(port);
    let mut connection = state.connect("localhost", port, None).await.expect("connected");
    assert_eq!(connection.read(&state.egress, 100).await, Ok(b"220 go ahead\r\n".to_vec()));
    let options = || TlsOptions { server_name: None, verify: true, identity: None };
    connection.start_tls(&state.context.grants, &state.egress, options()).await.expect("encrypted");
    assert_eq!(round_trip(&mut connection, &state.egress, "AUTH").await, Ok("AUTH".to_owned()));
    let twice = connection.start_tls(&state.context.grants, &state.egress, options()).await;
    assert_eq!(twice, Err(NetworkError::Tls("the stream is encrypted already".to_owned())));
    assert_eq!(round_trip(&mut connection, &state.egress, "still").await, Ok("still".to_owned()));
}

#[tokio::test]
async fn bytes_injected_before_the_handshake_are_an_error() {
    let (listener, port) = listen().await;
    let server = tokio::spawn(async move {
        let mut tcp = accept(&listener).await;
        tcp.write_all(b"220 go ahead\r\n250 injected\r\n").await.expect("written");
        let mut rest = Vec::new();
        let read = tcp.read_to_end(&mut rest).await;
        (read.is_ok(), rest)
    });
    let mut state = reaching(port);
    let mut connection = state.connect("localhost", port, None).await.expect("connected");
    assert_eq!(connection.read(&state.egress, 14).await, Ok(b"220 go ahead\r\n".to_vec()));
    let started = connection
        .start_tls(
            &state.context.grants,
            &state.egress,
            TlsOptions { server_name: None, verify: false, identity: None },
        )
        .await;
    assert_eq!(started, Err(NetworkError::Tls("bytes arrived in the clear before the handshake".to_owned())));
    let after = connection.write(&state.egress, b"AUTH PLAIN secret").await;
    assert!(matches!(after, Err(NetworkError::Failed(_))), "nothing is sent unencrypted afterwards");
    drop(connection);
    let (_, sent) = server.await.expect("ended");
    assert!(sent.is_empty(), "not one byte was sent: {sent:?}");
}

#[tokio::test]
async fn a_peer_without_tls_is_a_tls_error() {
    let (listener, port) = listen().await;
    tokio::spawn(async move {
        let mut tcp = accept(&listener).await;
        tcp.write_all(b"220 I speak plainly\r\n").await.expect("written");
        echo(tcp).await;
    });
    let answer = reaching(port).connect("localhost", port, tls(None, true)).await;
    assert!(matches!(answer.err(), Some(NetworkError::Tls(_))));
}

#[tokio::test]
async fn row_29_a_silent_peer_is_a_timeout_in_every_operation() {
    let (listener, port) = listen().await;
    let mut state = reaching(port);
    let mut connection = state.connect("localhost", port, None).await.expect("connected");
    let silent = accept(&listener).await;
    connection.set_timeout(50);
    let start = Instant::now();
    assert_eq!(connection.read(&state.egress, 1).await, Err(NetworkError::Timeout));
    assert_eq!(connection.read(&state.egress, 1).await, Err(NetworkError::Timeout), "a read may be tried again");
    let flood = connection.write(&state.egress, &vec![0; 64 * 1024 * 1024]).await;
    assert_eq!(flood, Err(NetworkError::Timeout));
    assert!(matches!(connection.write(&state.egress, b"x").await, Err(NetworkError::Failed(_))), "half of it is out");
    assert!(start.elapsed() < Duration::from_secs(10));
    drop(silent);

    let mut second = state.connect("localhost", port, None).await.expect("connected");
    let silent = accept(&listener).await;
    second.set_timeout(50);
    let handshake = second
        .start_tls(&state.context.grants, &state.egress, TlsOptions { server_name: None, verify: true, identity: None })
        .await;
    assert_eq!(handshake, Err(NetworkError::Timeout));
    drop(silent);
}

#[tokio::test]
async fn the_bytes_of_a_call_are_limited_over_all_its_connections() {
    let (listener, port) = listen().await;
    tokio::spawn(async move {
        loop {
            tokio::spawn(echo(accept(&listener).await));
        }
    });
    let mut state = limited(port, PluginLimits { network_bytes: 100, ..PluginLimits::default() });
    let limit = || Err(NetworkError::Limit("more than 100 bytes over the network in one call".to_owned()));
    let mut first = state.connect("localhost", port, None).await.expect("connected");
    assert_eq!(round_trip(&mut first, &state.egress, &"x".repeat(40)).await, Ok("x".repeat(40)));
    let mut second = state.connect("localhost", port, None).await.expect("connected");
    assert_eq!(second.write(&state.egress, &[0; 21]).await, limit());
    assert_eq!(first.read(&state.egress, 1).await.map(drop), limit().map(drop));
    assert_eq!(state.egress.bytes_used(), 100);
}

#[tokio::test]
async fn row_28_a_dropped_connection_releases_its_permit() {
    let (listener, port) = listen().await;
    tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            held.push(accept(&listener).await);
        }
    });
    let mut state = limited(port, PluginLimits { connections: 2, ..PluginLimits::default() });
    let first = state.connect("localhost", port, None).await.expect("connected");
    let _second = state.connect("localhost", port, None).await.expect("connected");
    let third = state.connect("localhost", port, None).await.err();
    assert_eq!(third, Some(NetworkError::Limit("more than 2 connections at a time".to_owned())));
    drop(first);
    state.connect("localhost", port, None).await.expect("a permit is free again");
}

#[tokio::test]
async fn failures_to_connect_are_distinguished() {
    let (listener, port) = listen().await;
    drop(listener);
    let mut state = reaching(port);
    let refused = state.connect("localhost", port, None).await.err();
    assert!(matches!(refused, Some(NetworkError::Failed(_))), "{refused:?}");
    let denied = state.connect("example.org", port, None).await.err();
    assert!(matches!(denied, Some(NetworkError::Denied(_))), "{denied:?}");
    assert_eq!(state.stats.egress_denials, 1);
}
