//! Texts, bytes and variables that are pppd's, as its C code passes them.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int};

/// A copy of a text of pppd's, which is in whatever encoding the user wrote.
///
/// # Safety
/// Null, or a NUL-terminated text that nobody changes during the call.
pub(crate) unsafe fn text(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: by this function's contract.
    let text = unsafe { CStr::from_ptr(text) };
    Some(text.to_string_lossy().into_owned())
}

/// The bytes of a text of pppd's.
///
/// # Safety
/// Null, or a NUL-terminated text that nobody changes while the result lives.
pub(crate) unsafe fn bytes_of_text<'a>(text: *const c_char) -> &'a [u8] {
    if text.is_null() {
        return &[];
    }
    // SAFETY: by this function's contract.
    unsafe { CStr::from_ptr(text) }.to_bytes()
}

/// So many bytes of pppd's.
///
/// # Safety
/// Null, or `length` bytes that nobody changes while the result lives.
pub(crate) unsafe fn bytes<'a>(start: *const u8, length: c_int) -> &'a [u8] {
    let length = usize::try_from(length).unwrap_or(0);
    if start.is_null() || length == 0 {
        return &[];
    }
    // SAFETY: by this function's contract.
    unsafe { std::slice::from_raw_parts(start, length) }
}

/// Bytes with their number in a byte before them.
///
/// # Safety
/// Null, or such bytes, which nobody changes while the result lives.
pub(crate) unsafe fn counted<'a>(start: *const u8) -> &'a [u8] {
    if start.is_null() {
        return &[];
    }
    // SAFETY: by this function's contract.
    let length = unsafe { start.read() };
    // SAFETY: by this function's contract.
    unsafe { bytes(start.wrapping_add(1), length.into()) }
}

/// Writes bytes with their number in a byte before them.
///
/// # Safety
/// Null, or room for that.
pub(crate) unsafe fn put_counted(start: *mut u8, bytes: &[u8]) {
    let Ok(length) = u8::try_from(bytes.len()) else { return };
    if start.is_null() {
        return;
    }
    // SAFETY: by this function's contract.
    unsafe { start.write(length) };
    // SAFETY: by this function's contract; the plugin's bytes are elsewhere.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), start.wrapping_add(1), bytes.len()) };
}

/// Writes a text, cut to the room there is.
///
/// # Safety
/// Null, or room for `room` bytes.
pub(crate) unsafe fn put_text(start: *mut c_char, room: c_int, text: &str) {
    let Some(most) = usize::try_from(room).ok().and_then(|room| room.checked_sub(1)) else { return };
    if start.is_null() {
        return;
    }
    let length = text.len().min(most);
    // SAFETY: by this function's contract; the text is elsewhere.
    unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), start.cast(), length) };
    // SAFETY: there is one byte more than `most`.
    unsafe { start.wrapping_add(length).write(0) };
}

/// A variable of pppd's.
///
/// # Safety
/// Points to an initialised variable that lives as long as pppd.
pub(super) unsafe fn cell(variable: *mut c_int) -> &'static Cell<c_int> {
    // SAFETY: by this function's contract. A Cell has the layout of what it holds and may be changed behind our back
    // by the same thread.
    unsafe { &*variable.cast::<Cell<c_int>>() }
}
