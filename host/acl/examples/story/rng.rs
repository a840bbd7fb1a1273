//! Pseudo-random numbers from a seed, the same on every machine (splitmix64, as published by Steele, Lea and Flood).

pub struct SimulationRng(pub u64);

impl SimulationRng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in the range 0 to 1, without 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform below `n`.
    pub fn below(&mut self, n: u32) -> u32 {
        (self.unit() * f64::from(n)) as u32
    }

    /// Below `n`, with frequencies proportional to about r^-0.6: the distribution of packages over owners in Fedora.
    pub fn ranked(&mut self, n: u32) -> u32 {
        (self.unit().powf(2.5) * f64::from(n)) as u32
    }

    /// An exponentially distributed time with this mean.
    pub fn wait(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }
}
