//! `random`: unpredictable bytes from the operating system's generator, seeded once for each thread.

use crate::limits;
use rand::Rng as _;

use crate::instance_state::InstanceState;
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
