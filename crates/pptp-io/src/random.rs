//! Random numbers from the kernel.

/// A random number, as unpredictable as the kernel can make it.
pub fn number() -> u32 {
    // getrandom(2) without flags fails on no kernel since 3.17; on an older one the clock has to do.
    getrandom::u32().unwrap_or_else(|_| crate::clock::now().since(Default::default()).subsec_nanos())
}
