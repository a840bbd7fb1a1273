//! A UnifiedPush server as RFC 8030 and the UnifiedPush specification describe it, as far as publishing goes; and an app
//! behind it, which gives its keys and reads what was encrypted for it (RFC 8291, RFC 8188), by other code than the
//! sender's.

use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, anyhow, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::{Reply, SeenRequest, WebServer, lock};

/// The endpoint that expired.
pub const EXPIRED: &str = "/expired";
/// What every push server has to take (RFC 8030, 7.2), in bytes; this one takes no more.
const BODY_BYTES: usize = 4096;

/// The server; messages that it took and still has are in `kept`.
pub struct Push {
    pub web: WebServer,
    kept: Arc<Mutex<Vec<Kept>>>,
}

/// A message that waits for its app.
#[derive(Clone, Debug)]
pub struct Kept {
    pub endpoint: String,
    pub topic: String,
    /// Seconds.
    pub ttl: u32,
    pub urgency: String,
    /// It is encrypted (RFC 8188).
    pub encrypted: bool,
    pub body: Vec<u8>,
}

impl Push {
    /// A server that has these endpoints, and had [`EXPIRED`].
    pub async fn start(endpoints: &[&str]) -> Result<Push> {
        let endpoints: Vec<String> = endpoints.iter().map(|&path| path.to_owned()).collect();
        let kept = Arc::new(Mutex::new(Vec::new()));
        let shared = kept.clone();
        let web = WebServer::start(move |seen| take(seen, &endpoints, &mut lock(&shared))).await?;
        Ok(Push { web, kept })
    }

    /// What waits at an endpoint, in the order in which it came.
    pub fn kept(&self, endpoint: &str) -> Vec<Kept> {
        lock(&self.kept).iter().filter(|one| one.endpoint == endpoint).cloned().collect()
    }
}

fn take(seen: &SeenRequest, endpoints: &[String], kept: &mut Vec<Kept>) -> Reply {
    if seen.target == EXPIRED {
        return Reply::status(410);
    }
    if !endpoints.contains(&seen.target) {
        return Reply::status(404);
    }
    if seen.method != "POST" {
        return Reply::status(405);
    }
    if seen.body.len() > BODY_BYTES {
        return Reply::status(413);
    }
    match read(seen) {
        None => Reply::status(400),
        Some(message) => {
            // A message takes the place of the one with its topic (RFC 8030, 5.4).
            let replaces = |one: &Kept| one.endpoint == message.endpoint && one.topic == message.topic;
            kept.retain(|one| message.topic.is_empty() || !replaces(one));
            kept.push(message);
            Reply::status(201).with("location", format!("/m/{}", kept.len()))
        }
    }
}

/// The message of a request; none where a header is missing or is no such header (RFC 8030, 5.2 to 5.4), or where what is
/// said to be encrypted has not the form of that.
fn read(seen: &SeenRequest) -> Option<Kept> {
    let (topic, urgency) = (seen.header("topic"), seen.header("urgency"));
    let named = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let encrypted = match seen.header("content-encoding") {
        "" => false,
        "aes128gcm" => true,
        _ => return None,
    };
    let good = topic.len() <= 32
        && topic.bytes().all(named)
        && matches!(urgency, "" | "very-low" | "low" | "normal" | "high")
        && (!encrypted || has_header(&seen.body));
    good.then_some(())?;
    Some(Kept {
        endpoint: seen.target.clone(),
        topic: topic.to_owned(),
        ttl: seen.header("ttl").parse().ok()?,
        urgency: urgency.to_owned(),
        encrypted,
        body: seen.body.to_vec(),
    })
}

/// Whether there is a header with a public key before a record (RFC 8188, 2.1; RFC 8291, 4).
fn has_header(body: &[u8]) -> bool {
    body.len() > 86 && body[20] == 65 && body[21] == 4
}

/// The keys of an app, for one message.
pub struct App {
    private: EphemeralPrivateKey,
    public: Vec<u8>,
    auth: [u8; 16],
}

/// So many octets of key material.
struct Octets(usize);

impl KeyType for Octets {
    fn len(&self) -> usize {
        self.0
    }
}

impl App {
    pub fn new() -> Result<App> {
        let random = SystemRandom::new();
        let failed = |_| anyhow!("no keys");
        let private = EphemeralPrivateKey::generate(&ECDH_P256, &random).map_err(failed)?;
        let public = private.compute_public_key().map_err(failed)?.as_ref().to_vec();
        let mut auth = [0; 16];
        random.fill(&mut auth).map_err(failed)?;
        Ok(App { private, public, auth })
    }

    /// What is appended to the endpoint's URL.
    pub fn fragment(&self) -> String {
        let encode = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
        format!("#p256dh={}&auth={}", encode(&self.public), encode(&self.auth))
    }

    /// The message in a body of one record.
    pub fn decrypt(self, body: &[u8]) -> Result<Vec<u8>> {
        ensure!(has_header(body), "no header with a public key");
        let (salt, sender, record) = (&body[..16], &body[21..86], &body[86..]);
        let info = [b"WebPush: info\0", &self.public[..], sender].concat();
        let key = UnparsedPublicKey::new(&ECDH_P256, sender);
        let auth = self.auth;
        let shared = agree_ephemeral(self.private, &key, |secret| derive(&auth, secret, &info, 32));
        let ikm = shared.map_err(|_| anyhow!("no agreement"))??;
        let key = derive(salt, &ikm, b"Content-Encoding: aes128gcm\0", 16)?;
        let nonce = derive(salt, &ikm, b"Content-Encoding: nonce\0", 12)?;
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).map_err(|_| anyhow!("no key"))?);
        let nonce = Nonce::try_assume_unique_for_key(&nonce).map_err(|_| anyhow!("no nonce"))?;
        let mut record = record.to_vec();
        let plain = key.open_in_place(nonce, Aad::empty(), &mut record).map_err(|_| anyhow!("not for this app"))?;
        let end = plain.iter().rposition(|octet| *octet != 0).context("only padding")?;
        ensure!(plain[end] == 2, "not the last record");
        Ok(plain[..end].to_vec())
    }
}

fn derive(salt: &[u8], secret: &[u8], info: &[u8], length: usize) -> Result<Vec<u8>> {
    let mut octets = vec![0; length];
    let expanded = Salt::new(HKDF_SHA256, salt).extract(secret);
    let info = [info];
    let okm = expanded.expand(&info, Octets(length)).map_err(|_| anyhow!("no key material"))?;
    okm.fill(&mut octets).map_err(|_| anyhow!("no key material"))?;
    Ok(octets)
}
