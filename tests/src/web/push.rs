//! An app behind a UnifiedPush endpoint: it gives its keys and reads what was encrypted for it (RFC 8291, RFC 8188), by
//! other code than the sender's.

use anyhow::{Context, Result, anyhow, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::rand::{SecureRandom as _, SystemRandom};

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
        ensure!(body.len() > 86 && body[20] == 65, "no header with a public key");
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
