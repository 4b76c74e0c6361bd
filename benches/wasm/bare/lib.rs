//! The floor under every size: `verify_strict` and SHA-256, and nothing else.
#![no_std]

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

/// What the host writes before a call: key (32 bytes), signature (64), message.
static mut INPUT: [u8; 8 * 1024] = [0; 8 * 1024];

/// Where the host writes.
// The attribute is unsafe because two symbols of one name would collide; the module has only these.
#[unsafe(no_mangle)]
pub extern "C" fn input() -> *mut u8 {
    (&raw mut INPUT).cast()
}

/// The first four bytes of the message's SHA-256 if the signature holds, else 0.
#[unsafe(no_mangle)]
pub extern "C" fn check(message_len: usize) -> u32 {
    let input = &raw const INPUT;
    // SAFETY: the module has one thread, and the host does not write during a call.
    let input = unsafe { &*input };
    checked(input, message_len).unwrap_or(0)
}

fn checked(input: &[u8], message_len: usize) -> Option<u32> {
    let (key, rest) = input.split_first_chunk::<32>()?;
    let (signature, rest) = rest.split_first_chunk::<64>()?;
    let message = rest.get(..message_len)?;
    let key = VerifyingKey::from_bytes(key).ok()?;
    let signature = Signature::from_bytes(signature);
    key.verify_strict(message, &signature).ok()?;
    let hash: [u8; 32] = Sha256::digest(message).into();
    hash.first_chunk().copied().map(u32::from_le_bytes)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    {
        unsafe extern "C" {
            safe fn abort() -> !;
        }
        abort()
    }
}
