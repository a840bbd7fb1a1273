//! A resolver with the answers of a test, and servers that follow a script.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidings_sandbox::Resolver;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A resolver that returns the next answer of a name's list for each lookup; the last one stays.
#[derive(Debug, Default)]
pub struct ScriptedResolver {
    answers: Mutex<BTreeMap<String, VecDeque<Vec<IpAddr>>>>,
    pub lookups: AtomicUsize,
}

impl ScriptedResolver {
    /// Sets the answers for `name`: answers separated by `;`, the addresses of one by spaces.
    pub fn set(&self, name: &str, answers: &str) {
        let addresses = |text: &str| text.split_whitespace().map(|one| one.parse().expect(one)).collect();
        let answers = answers.split(';').map(addresses).collect();
        self.answers.lock().expect("a lock").insert(name.to_owned(), answers);
    }
}

impl Resolver for ScriptedResolver {
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        let mut names = self.answers.lock().expect("a lock");
        let answers = names.get_mut(host).ok_or_else(|| io::Error::other("no such name"))?;
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Ok(answer.unwrap_or_default().into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }
}

/// What a server does with each connection.
#[derive(Clone, Debug)]
pub enum ServerScript {
    /// Accepts it and sends nothing.
    Silent,
    /// Sends a byte every 20 ms, without end.
    Drip,
    /// Reads the head of a request, sends these bytes and closes.
    Reply(Vec<u8>),
    /// The same, then sends the second part repeatedly, without end.
    Endless(Vec<u8>, Vec<u8>),
}

/// Starts a server on loopback; returns its port.
pub async fn scripted_server(script: ServerScript) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, script.clone()));
        }
    });
    port
}

/// How many connections a server has now, and had in total.
#[derive(Clone, Default)]
pub struct ConnectionCounts(Arc<(AtomicUsize, AtomicUsize)>);

impl ConnectionCounts {
    pub fn now(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    pub fn total(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

/// Starts a silent server that counts its connections; returns its port.
pub async fn counting_server() -> (u16, ConnectionCounts) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let shared = ConnectionCounts::default();
    let counts = shared.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counts.0.0.fetch_add(1, Ordering::SeqCst);
            counts.0.1.fetch_add(1, Ordering::SeqCst);
            let counts = counts.clone();
            tokio::spawn(async move {
                drop(serve(stream, ServerScript::Silent).await);
                counts.0.0.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    (port, shared)
}

async fn serve(mut stream: TcpStream, script: ServerScript) -> io::Result<()> {
    match script {
        ServerScript::Silent => drop(stream.read_to_end(&mut Vec::new()).await?),
        ServerScript::Drip => loop {
            stream.write_all(b"x").await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        },
        ServerScript::Reply(bytes) => {
            read_head(&mut stream).await?;
            stream.write_all(&bytes).await?;
            stream.shutdown().await?;
        }
        ServerScript::Endless(first, again) => {
            read_head(&mut stream).await?;
            stream.write_all(&first).await?;
            loop {
                stream.write_all(&again).await?;
            }
        }
    }
    Ok(())
}

async fn read_head(stream: &mut TcpStream) -> io::Result<()> {
    let mut request = Vec::<u8>::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut part = [0; 4096];
        match stream.read(&mut part).await? {
            0 => break,
            read => request.extend(&part[..read]),
        }
    }
    Ok(())
}
