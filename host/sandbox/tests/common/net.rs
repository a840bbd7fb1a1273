//! Names that lead where a test says, and peers that answer by a script.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidings_sandbox::Resolver;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A resolver that gives the next answer of a name's list each time it is asked; the last one stays.
#[derive(Debug, Default)]
pub struct Names {
    answers: Mutex<BTreeMap<String, VecDeque<Vec<IpAddr>>>>,
    pub asked: AtomicUsize,
}

impl Names {
    /// From now on `name` leads there: answers separated by `;`, addresses in one by spaces.
    pub fn set(&self, name: &str, answers: &str) {
        let addresses = |text: &str| text.split_whitespace().map(|one| one.parse().expect(one)).collect();
        let answers = answers.split(';').map(addresses).collect();
        self.answers.lock().expect("a lock").insert(name.to_owned(), answers);
    }
}

impl Resolver for Names {
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut names = self.answers.lock().expect("a lock");
        let answers = names.get_mut(host).ok_or_else(|| io::Error::other("no such name"))?;
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Ok(answer.unwrap_or_default().into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }
}

/// What a peer does with each connection.
#[derive(Clone, Debug)]
pub enum Peer {
    /// Takes it and says nothing.
    Silent,
    /// A byte every 20 ms, for ever.
    Drip,
    /// Reads the head of a request, sends these bytes and closes.
    Says(Vec<u8>),
    /// The same, and then that part again and again, for ever.
    Endless(Vec<u8>, Vec<u8>),
}

/// Starts a peer on loopback; its port.
pub async fn peer(behaves: Peer) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, behaves.clone()));
        }
    });
    port
}

/// How many connections a peer has now, and had in all.
#[derive(Clone, Default)]
pub struct Open(Arc<(AtomicUsize, AtomicUsize)>);

impl Open {
    pub fn now(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    pub fn ever(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

/// Starts a silent peer that counts; its port.
pub async fn counted() -> (u16, Open) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let open = Open::default();
    let counts = open.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counts.0.0.fetch_add(1, Ordering::SeqCst);
            counts.0.1.fetch_add(1, Ordering::SeqCst);
            let counts = counts.clone();
            tokio::spawn(async move {
                drop(serve(stream, Peer::Silent).await);
                counts.0.0.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    (port, open)
}

async fn serve(mut stream: TcpStream, behaves: Peer) -> io::Result<()> {
    match behaves {
        Peer::Silent => drop(stream.read_to_end(&mut Vec::new()).await?),
        Peer::Drip => loop {
            stream.write_all(b"x").await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        },
        Peer::Says(bytes) => {
            head(&mut stream).await?;
            stream.write_all(&bytes).await?;
            stream.shutdown().await?;
        }
        Peer::Endless(first, again) => {
            head(&mut stream).await?;
            stream.write_all(&first).await?;
            loop {
                stream.write_all(&again).await?;
            }
        }
    }
    Ok(())
}

async fn head(stream: &mut TcpStream) -> io::Result<()> {
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
