//! A fake UnifiedPush server, after RFC 8030 and the UnifiedPush specification, and an app with keys that decrypts messages
//! (RFC 8291, RFC 8188). It must not use code of the channel, so that it checks the encryption independently.

use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, anyhow, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::{RecordedRequest, Reply, WebServer, lock};

/// The path of an expired endpoint.
pub const EXPIRED: &str = "/expired";
/// The largest body, in bytes: every push server must accept it (RFC 8030, 7.2); this one accepts no more.
const BODY_BYTES: usize = 4096;

/// The running server.
pub struct Push {
    pub web: WebServer,
    messages: Arc<Mutex<Vec<PushMessage>>>,
}

/// A message that the server stores for its app.
#[derive(Clone, Debug)]
pub struct PushMessage {
    pub endpoint: String,
    pub topic: String,
    /// In seconds.
    pub ttl: u32,
    pub urgency: String,
    /// Whether the body is encrypted (RFC 8188).
    pub encrypted: bool,
    pub body: Vec<u8>,
}

impl Push {
    /// Starts a server with these endpoints and the endpoint [`EXPIRED`].
    pub async fn start(endpoints: &[&str]) -> Result<Push> {
        let endpoints: Vec<String> = endpoints.iter().map(|&path| path.to_owned()).collect();
        let messages = Arc::new(Mutex::new(Vec::new()));
        let shared = messages.clone();
        let web = WebServer::start(move |request| take(request, &endpoints, &mut lock(&shared))).await?;
        Ok(Push { web, messages })
    }

    /// The stored messages of an endpoint, in order of arrival.
    pub fn messages(&self, endpoint: &str) -> Vec<PushMessage> {
        lock(&self.messages).iter().filter(|one| one.endpoint == endpoint).cloned().collect()
    }
}

fn take(request: &RecordedRequest, endpoints: &[String], messages: &mut Vec<PushMessage>) -> Reply {
    if request.target == EXPIRED {
        return Reply::status(410);
    }
    if !endpoints.contains(&request.target) {
        return Reply::status(404);
    }
    if request.method != "POST" {
        return Reply::status(405);
    }
    if request.body.len() > BODY_BYTES {
        return Reply::status(413);
    }
    match read(request) {
        None => Reply::status(400),
        Some(message) => {
            // A message replaces the one with the same topic (RFC 8030, 5.4).
            let replaces = |one: &PushMessage| one.endpoint == message.endpoint && one.topic == message.topic;
            messages.retain(|one| message.topic.is_empty() || !replaces(one));
            messages.push(message);
            Reply::status(201).with("location", format!("/m/{}", messages.len()))
        }
    }
}

/// Parses a request; `None` if a header is missing or invalid (RFC 8030, 5.2 to 5.4), or if the body has not the format of
/// its content encoding.
fn read(request: &RecordedRequest) -> Option<PushMessage> {
    let (topic, urgency) = (request.header("topic"), request.header("urgency"));
    let named = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let encrypted = match request.header("content-encoding") {
        "" => false,
        "aes128gcm" => true,
        _ => return None,
    };
    let valid = topic.len() <= 32
        && topic.bytes().all(named)
        && matches!(urgency, "" | "very-low" | "low" | "normal" | "high")
        && (!encrypted || has_header(&request.body));
    valid.then_some(())?;
    Some(PushMessage {
        endpoint: request.target.clone(),
        topic: topic.to_owned(),
        ttl: request.header("ttl").parse().ok()?,
        urgency: urgency.to_owned(),
        encrypted,
        body: request.body.to_vec(),
    })
}

/// Whether the body has a header with a public key before a record (RFC 8188, 2.1; RFC 8291, 4).
fn has_header(body: &[u8]) -> bool {
    body.len() > 86 && body[20] == 65 && body[21] == 4
}

/// The keys of an app, for one message.
pub struct App {
    private: EphemeralPrivateKey,
    public: Vec<u8>,
    auth: [u8; 16],
}

/// A length of key material, in octets.
struct Octets(usize);

impl KeyType for Octets {
    fn len(&self) -> usize {
        self.0
    }
}

impl App {
    pub fn new() -> Result<App> {
        let random = SystemRandom::new();
        let failed = |_| anyhow!("the keys cannot be generated");
        let private = EphemeralPrivateKey::generate(&ECDH_P256, &random).map_err(failed)?;
        let public = private.compute_public_key().map_err(failed)?.as_ref().to_vec();
        let mut auth = [0; 16];
        random.fill(&mut auth).map_err(failed)?;
        Ok(App { private, public, auth })
    }

    /// The fragment for the URL of the endpoint.
    pub fn fragment(&self) -> String {
        let encode = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
        format!("#p256dh={}&auth={}", encode(&self.public), encode(&self.auth))
    }

    /// Decrypts a body of one record.
    pub fn decrypt(self, body: &[u8]) -> Result<Vec<u8>> {
        ensure!(has_header(body), "the body has no header with a public key");
        let (salt, sender, record) = (&body[..16], &body[21..86], &body[86..]);
        let info = [b"WebPush: info\0", &self.public[..], sender].concat();
        let key = UnparsedPublicKey::new(&ECDH_P256, sender);
        let auth = self.auth;
        let shared = agree_ephemeral(self.private, &key, |secret| derive(&auth, secret, &info, 32));
        let ikm = shared.map_err(|_| anyhow!("the key agreement failed"))??;
        let key = derive(salt, &ikm, b"Content-Encoding: aes128gcm\0", 16)?;
        let nonce = derive(salt, &ikm, b"Content-Encoding: nonce\0", 12)?;
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).map_err(|_| anyhow!("the key is invalid"))?);
        let nonce = Nonce::try_assume_unique_for_key(&nonce).map_err(|_| anyhow!("the nonce is invalid"))?;
        let mut record = record.to_vec();
        let plain = key
            .open_in_place(nonce, Aad::empty(), &mut record)
            .map_err(|_| anyhow!("the body is not encrypted for this app"))?;
        let end = plain.iter().rposition(|octet| *octet != 0).context("the record has only padding")?;
        ensure!(plain[end] == 2, "the record is not the last one");
        Ok(plain[..end].to_vec())
    }
}

fn derive(salt: &[u8], secret: &[u8], info: &[u8], length: usize) -> Result<Vec<u8>> {
    let mut octets = vec![0; length];
    let expanded = Salt::new(HKDF_SHA256, salt).extract(secret);
    let info = [info];
    let okm = expanded.expand(&info, Octets(length)).map_err(|_| anyhow!("the key cannot be derived"))?;
    okm.fill(&mut octets).map_err(|_| anyhow!("the key cannot be derived"))?;
    Ok(octets)
}
