//! Counter-based random numbers.

/// A stream of random numbers that is a function of its key alone: never of a thread or an order.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The stream of `key`: the seed first, then what the numbers are for.
    pub fn new(key: &[u64]) -> Self {
        Dice(key.iter().fold(0x5EED, |state, word| splitmix64(state ^ splitmix64(*word))))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        splitmix64(self.0)
    }

    /// Uniform from `low` up to, and without, `high`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.bits() >> 40) as f32 / (1 << 24) as f32)
    }

    /// Uniform from 0 up to, and without, `n`.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
pub(super) fn splitmix64(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
