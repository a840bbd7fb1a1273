//! `random`: unpredictable bytes from a generator that the operating system seeds, one for each thread.

use rand::Rng as _;

use crate::instance::InstanceState;
use crate::limits;
use crate::violation::Violation;

impl InstanceState {
    pub(crate) fn random(&self, count: u32) -> Result<Vec<u8>, Violation> {
        if count > limits::RANDOM_BYTES {
            return Err(Violation::Random { asked: count });
        }
        let mut bytes = vec![0; count as usize];
        rand::rng().fill_bytes(&mut bytes);
        Ok(bytes)
    }
}
