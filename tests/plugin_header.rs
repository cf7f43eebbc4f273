//! The committed header of the callbacks is the one that the Rust code describes.

/// cbindgen writes it at every build; the shim is compiled with the committed one.
#[test]
fn the_committed_header_is_what_cbindgen_makes() {
    let made = include_str!(concat!(env!("OUT_DIR"), "/pptp_rs.h"));
    let committed = include_str!("../include/pptp_rs.h");
    let command = concat!("cp ", env!("OUT_DIR"), "/pptp_rs.h include/pptp_rs.h");
    assert!(made == committed, "include/pptp_rs.h is not what src/entry.rs and src/export.rs say: {command}");
}
