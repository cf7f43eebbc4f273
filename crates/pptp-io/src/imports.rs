//! Functions that the main program imports, replaced by others (its global offset table is changed).
//!
//! Only calls of the main program itself go elsewhere: libraries, this one too, have tables of their own.

use std::ffi::CStr;
use std::io;

use crate::sys::imports::{self, Slot};

/// An imported function and what takes its place.
#[derive(Clone, Copy, Debug)]
pub struct Replacement {
    /// The symbol's name.
    pub name: &'static CStr,
    /// The function to call instead.
    pub function: *const (),
}

/// Replaces those functions that the main program imports, and says which by name.
///
/// # Safety
/// Each function behaves as C code expects of the one whose name it takes, also in its arguments' number and types, for
/// as long as the process lives. There is one thread.
///
/// # Errors
/// `Unsupported`: this machine's relocations are not known, or the program has no dynamic section. Others: mprotect(2).
pub unsafe fn replace(replacements: &[Replacement]) -> io::Result<Vec<&'static CStr>> {
    let slots = imports::slots()?;
    let mut replaced = Vec::new();
    for replacement in replacements {
        let of_this_name = slots.iter().filter(|slot| slot.name == replacement.name);
        for slot in of_this_name.copied() {
            // SAFETY: a slot of a function with this name; by this function's contract.
            unsafe { put(slot, replacement.function) }?;
            replaced.push(replacement.name);
        }
    }
    Ok(replaced)
}

/// # Safety
/// As [`replace`].
unsafe fn put(slot: Slot, function: *const ()) -> io::Result<()> {
    // SAFETY: by this function's contract.
    unsafe { imports::write(slot, function) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rust's own tests call the C library through the table of the test program.
    #[test]
    fn calls_of_this_program_go_where_they_are_sent() {
        extern "C" fn answer() -> libc::pid_t {
            4711
        }
        let replacement = Replacement { name: c"getpgrp", function: answer as *const () };
        let group = || nix::unistd::getpgrp().as_raw();
        let before = group();
        // SAFETY: a function without arguments that gives a pid; nothing else of this program asks for its group.
        let replaced = unsafe { replace(&[replacement]) }.unwrap();
        assert_eq!(replaced, [c"getpgrp"]);
        assert_ne!(before, 4711);
        assert_eq!(group(), 4711);
    }

    #[test]
    fn a_function_that_is_not_imported_is_not_replaced() {
        let replacement = Replacement { name: c"no_such_function", function: std::ptr::null() };
        // SAFETY: nothing is called.
        assert!(unsafe { replace(&[replacement]) }.unwrap().is_empty());
    }
}
