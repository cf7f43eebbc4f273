//! The main program's dynamic section (System V ABI, "Dynamic Linking"), read where the loader has put it.

use std::ffi::{CStr, c_int, c_void};
use std::io;

#[cfg(target_pointer_width = "32")]
use libc::{Elf32_Phdr as ProgramHeader, Elf32_Sym as Symbol};
#[cfg(target_pointer_width = "64")]
use libc::{Elf64_Phdr as ProgramHeader, Elf64_Sym as Symbol};

const DT_PLTRELSZ: usize = 2;
const DT_STRTAB: usize = 5;
const DT_SYMTAB: usize = 6;
const DT_RELA: usize = 7;
const DT_RELASZ: usize = 8;
const DT_REL: usize = 17;
const DT_RELSZ: usize = 18;
const DT_PLTREL: usize = 20;
const DT_JMPREL: usize = 23;
/// The tags above are below this one.
const TAGS: usize = 24;

/// Relocation types of a pointer to an imported function: of the procedure linkage table, and of the offset table.
#[cfg(target_arch = "x86_64")]
const FUNCTION_TYPES: &[usize] = &[7, 6];
#[cfg(target_arch = "x86")]
const FUNCTION_TYPES: &[usize] = &[7, 6];
#[cfg(target_arch = "aarch64")]
const FUNCTION_TYPES: &[usize] = &[1026, 1025];
#[cfg(target_arch = "arm")]
const FUNCTION_TYPES: &[usize] = &[22, 21];
#[cfg(target_arch = "riscv64")]
const FUNCTION_TYPES: &[usize] = &[5, 2];
#[cfg(target_arch = "riscv32")]
const FUNCTION_TYPES: &[usize] = &[5, 1];
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "x86",
    target_arch = "aarch64",
    target_arch = "arm",
    target_arch = "riscv64",
    target_arch = "riscv32"
)))]
const FUNCTION_TYPES: &[usize] = &[];

/// How far a symbol's index is shifted in a relocation's `r_info`, and what is left is the type.
#[cfg(target_pointer_width = "64")]
const INDEX_SHIFT: u32 = 32;
#[cfg(target_pointer_width = "32")]
const INDEX_SHIFT: u32 = 8;

/// A place in which the main program finds the address of a function that it imports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) name: &'static CStr,
    address: *mut *const (),
    /// Whether the loader has made it read-only (RELRO).
    is_read_only: bool,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct DynamicEntry {
    tag: usize,
    value: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Relocation {
    offset: usize,
    info: usize,
}

/// What is needed of the main program.
#[derive(Clone, Copy, Default)]
struct Program {
    /// What the loader has added to the addresses of the file.
    base: usize,
    dynamic: usize,
    read_only: (usize, usize),
}

/// All of the main program's slots for functions.
pub(crate) fn slots() -> io::Result<Vec<Slot>> {
    let program = main_program().filter(|program| program.dynamic != 0 && !FUNCTION_TYPES.is_empty());
    let program = program.ok_or(io::ErrorKind::Unsupported)?;
    let table = read_dynamic(program);
    let (Some(strings), Some(symbols)) = (table[DT_STRTAB], table[DT_SYMTAB]) else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    let with_addend = table[DT_PLTREL] != Some(DT_REL);
    let lists = [
        (table[DT_JMPREL], table[DT_PLTRELSZ], with_addend),
        (table[DT_RELA], table[DT_RELASZ], true),
        (table[DT_REL], table[DT_RELSZ], false),
    ];
    let mut slots = Vec::new();
    for (start, length, with_addend) in lists {
        let (Some(start), Some(length)) = (start, length) else { continue };
        let size = size_of::<Relocation>() + if with_addend { size_of::<usize>() } else { 0 };
        for place in (0..length / size).map(|index| absolute(program, start) + index * size) {
            // SAFETY: within a list of relocations that the loader has used, of whose length the program told.
            let relocation = unsafe { *(place as *const Relocation) };
            if !FUNCTION_TYPES.contains(&(relocation.info & ((1 << INDEX_SHIFT) - 1))) {
                continue;
            }
            let symbol = absolute(program, symbols) + (relocation.info >> INDEX_SHIFT) * size_of::<Symbol>();
            // SAFETY: a relocation's index is that of a symbol of the table.
            let name = unsafe { (*(symbol as *const Symbol)).st_name };
            let text = absolute(program, strings).wrapping_add(usize::try_from(name).unwrap_or(0));
            // SAFETY: a symbol's name is a terminated text in the string table, which lives as long as the program.
            let name = unsafe { CStr::from_ptr(text as *const _) };
            let address = program.base.wrapping_add(relocation.offset);
            let is_read_only = (program.read_only.0..program.read_only.1).contains(&address);
            slots.push(Slot { name, address: address as *mut *const (), is_read_only });
        }
    }
    Ok(slots)
}

/// Changes what is in a slot.
///
/// # Safety
/// `function` can be called as the one with the slot's name. No other thread runs.
pub(crate) unsafe fn write(slot: Slot, function: *const ()) -> io::Result<()> {
    if slot.is_read_only {
        protect(slot.address, libc::PROT_READ | libc::PROT_WRITE)?;
    }
    // SAFETY: an aligned pointer of the program's, writable now; what it points to may be called by this function's
    // contract. Volatile: the program reads it behind the compiler's back.
    unsafe { slot.address.write_volatile(function) };
    if slot.is_read_only {
        protect(slot.address, libc::PROT_READ)?;
    }
    Ok(())
}

fn protect(address: *mut *const (), protection: c_int) -> io::Result<()> {
    let page = page_length();
    let start = address as usize & !(page - 1);
    // SAFETY: the page of the offset table that the slot is in stays readable; nobody writes there but `write`.
    super::check(unsafe { libc::mprotect(start as *mut c_void, page, protection) })?;
    Ok(())
}

fn page_length() -> usize {
    // SAFETY: sysconf(3) takes no pointers.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// What the loader makes read-only of a part of the program: whole pages. Where pages are larger than the linker had in
/// mind, the last may hold variables too, and stays writable.
const fn whole_pages(start: usize, length: usize, page: usize) -> (usize, usize) {
    (start & !(page - 1), start.wrapping_add(length) & !(page - 1))
}

/// Some loaders leave addresses as they are in the file, others add the base.
fn absolute(program: Program, value: usize) -> usize {
    if value < program.base { program.base + value } else { value }
}

fn read_dynamic(program: Program) -> [Option<usize>; TAGS] {
    let mut table = [None; TAGS];
    let mut next = program.dynamic as *const DynamicEntry;
    loop {
        // SAFETY: an entry of the program's dynamic section, which ends with a tag of 0.
        let DynamicEntry { tag, value } = unsafe { *next };
        if tag == 0 {
            return table;
        }
        if let Some(place) = table.get_mut(tag) {
            *place = Some(value);
        }
        next = next.wrapping_add(1);
    }
}

fn main_program() -> Option<Program> {
    let mut found = None;
    // SAFETY: the callback takes the pointer that goes with it for what it is, and does not panic.
    unsafe { libc::dl_iterate_phdr(Some(take_first), (&raw mut found).cast()) };
    found
}

/// The first object is the main program.
unsafe extern "C" fn take_first(info: *mut libc::dl_phdr_info, _size: usize, found: *mut c_void) -> c_int {
    // SAFETY: the loader passes a live description.
    let info = unsafe { &*info };
    let mut program = Program { base: usize::try_from(info.dlpi_addr).unwrap_or(0), ..Program::default() };
    for index in 0..usize::from(info.dlpi_phnum) {
        let header = info.dlpi_phdr.wrapping_add(index);
        // SAFETY: one of as many headers as the loader says.
        let header: &ProgramHeader = unsafe { &*header };
        let start = program.base.wrapping_add(usize::try_from(header.p_vaddr).unwrap_or(0));
        match header.p_type {
            libc::PT_DYNAMIC => program.dynamic = start,
            libc::PT_GNU_RELRO => {
                let length = usize::try_from(header.p_memsz).unwrap_or(0);
                program.read_only = whole_pages(start, length, page_length());
            }
            _ => {}
        }
    }
    // SAFETY: `main_program` passes a pointer to its variable.
    unsafe { found.cast::<Option<Program>>().write(Some(program)) };
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_read_only_in_part_stays_writable() {
        assert_eq!(whole_pages(0x1_f000, 0x1000, 0x1000), (0x1_f000, 0x2_0000));
        assert_eq!(whole_pages(0x1_fd00, 0x300, 0x1000), (0x1_f000, 0x2_0000));
        // A program that was linked for pages of 4 KiB, on a kernel with 64 KiB.
        assert_eq!(whole_pages(0x1_f000, 0x1000, 0x1_0000), (0x1_0000, 0x2_0000));
        assert_eq!(whole_pages(0x1_e000, 0x1000, 0x1_0000), (0x1_0000, 0x1_0000));
    }
}
