//! Finds pppd's headers and their version, compiles the C shim against them and binds it to Rust.
//!
//! - `PPPD_INCLUDE_DIR`: the directory that contains `pppd/pppd.h` (default: /usr/include).
//! - `OUT_DIR/pppd_shim.rs`: bindgen's view of `include/pppd_shim.h`.
//! - `OUT_DIR/pptp_rs.h`: cbindgen's view of the callbacks. The one in `include/` is what the shim is compiled with;
//!   `tests/plugin_header.rs` compares the two.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const SHIM: &str = "c-shim/pppd_shim.c";
const SHIM_HEADER: &str = "include/pppd_shim.h";
const VERSION_PROBE: &str = "c-shim/version_probe.c";

/// What the shim includes; every pppd that it can be compiled against has them.
const NEEDED_HEADERS: [&str; 3] = ["pppd.h", "fsm.h", "lcp.h"];

/// Rust files with what C sees.
const CALLED_FROM_C: [&str; 2] = ["src/entry.rs", "src/export.rs"];

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let Err(error) = build() else { return ExitCode::SUCCESS };
    eprintln!("\n{error}\n");
    ExitCode::FAILURE
}

fn build() -> Result<()> {
    for input in ["build.rs", "c-shim", "include"].iter().chain(&CALLED_FROM_C) {
        println!("cargo::rerun-if-changed={input}");
    }
    println!("cargo::rerun-if-env-changed=PPPD_INCLUDE_DIR");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let headers = pppd_headers(&out)?;
    let version = pppd_version(&headers)?;
    println!("cargo::rustc-env=PPPD_VERSION={version}");
    println!("cargo::rustc-env=PPPD_HEADERS={}", headers.display());
    // First, so that it is there to be copied when the shim cannot be compiled with an old one.
    describe_callbacks(&out)?;
    compile_shim(&headers)?;
    bind_shim(&out)
}

/// A directory with nothing in it but `pppd`, a link to pppd's headers: the directory that they lie in may hold a
/// whole other system's headers, which must not come before this one's.
fn pppd_headers(out: &Path) -> Result<PathBuf> {
    let given = env::var("PPPD_INCLUDE_DIR").unwrap_or_else(|_| String::from("/usr/include"));
    let found = Path::new(&given).join("pppd");
    for header in NEEDED_HEADERS {
        if !found.join(header).is_file() {
            return Err(explain_missing_headers(&found.join(header)).into());
        }
    }
    for header in fs::read_dir(&found)? {
        println!("cargo::rerun-if-changed={}", header?.path().display());
    }
    let headers = out.join("headers");
    let link = headers.join("pppd");
    fs::create_dir_all(&headers)?;
    if fs::symlink_metadata(&link).is_ok() {
        fs::remove_file(&link)?;
    }
    std::os::unix::fs::symlink(fs::canonicalize(found)?, link)?;
    Ok(headers)
}

fn explain_missing_headers(missing: &Path) -> String {
    format!(
        "pppd's headers are not installed: there is no {}.
The plugin is built for one version of pppd, whose headers (2.4.9 or 2.5.x) it needs:
    Debian, Ubuntu:  apt install ppp-dev
    Fedora:          dnf install ppp-devel
Headers elsewhere: PPPD_INCLUDE_DIR=DIR cargo build, where DIR contains pppd/pppd.h.",
        missing.display()
    )
}

fn pppd_version(headers: &Path) -> Result<String> {
    let preprocessed = String::from_utf8(cc::Build::new().file(VERSION_PROBE).include(headers).try_expand()?)?;
    let line = preprocessed.lines().find_map(|line| line.strip_prefix("PPTP_RS_PROBE "));
    let version = line.and_then(|line| line.trim().strip_prefix('"')?.strip_suffix('"'));
    let version = version.ok_or("pppd's headers do not tell their version")?;
    if version != "2.4.9" && !version.starts_with("2.5.") {
        println!("cargo::warning=pppd {version} is not one of those that pptp-rs is tested with (2.4.9 and 2.5.x)");
    }
    Ok(String::from(version))
}

fn compile_shim(headers: &Path) -> Result<()> {
    cc::Build::new()
        .file(SHIM)
        .include("include")
        .include(headers)
        .std("gnu11")
        .warnings(true)
        // pppd 2.4.9 and 2.5.x both declare functions without prototypes.
        .flag_if_supported("-Wno-strict-prototypes")
        .try_compile("pppd_shim")?;
    Ok(())
}

fn bind_shim(out: &Path) -> Result<()> {
    let bind = || {
        bindgen::Builder::default()
            .header(SHIM_HEADER)
            .allowlist_file(".*pppd_shim\\.h")
            .blocklist_type("pptp_callbacks")
            .raw_line("use crate::entry::Callbacks as pptp_callbacks;")
            .default_enum_style(bindgen::EnumVariation::ModuleConsts)
            .rust_target(bindgen::RustTarget::stable(85, 0).unwrap_or_default())
            .rust_edition(bindgen::RustEdition::Edition2024)
            .formatter(bindgen::Formatter::None)
            .generate()
    };
    // Without libclang bindgen panics.
    std::panic::set_hook(Box::new(|_| {}));
    let bindings = std::panic::catch_unwind(bind);
    drop(std::panic::take_hook());
    bindings.map_err(explain_panic)??.write_to_file(out.join("pppd_shim.rs"))?;
    Ok(())
}

fn explain_panic(panic: Box<dyn std::any::Any + Send>) -> String {
    let why = panic.downcast_ref::<String>().map_or("bindgen failed", String::as_str);
    format!(
        "libclang, with which bindgen reads C headers, cannot be used: {why}
    Debian, Ubuntu:  apt install libclang-dev
    Fedora:          dnf install clang-devel
Elsewhere installed: LIBCLANG_PATH=DIR cargo build, where DIR contains libclang.so."
    )
}

fn describe_callbacks(out: &Path) -> Result<()> {
    let mut config = cbindgen::Config {
        language: cbindgen::Language::C,
        style: cbindgen::Style::Tag,
        cpp_compat: false,
        documentation: true,
        line_length: 120,
        include_guard: Some(String::from("PPTP_RS_H")),
        no_includes: true,
        header: Some(String::from(
            "/*\n * What pppd finds in the plugin, and what the shim is given to call.\n * \
             Made by cbindgen (build.rs) from src/entry.rs and src/export.rs: change those.\n */",
        )),
        ..cbindgen::Config::default()
    };
    config.export.include.push(String::from("Callbacks"));
    for (rust, c) in [("Callbacks", "pptp_callbacks"), ("Digest", "pptp_digest"), ("Compression", "pptp_compression")] {
        config.export.rename.insert(String::from(rust), String::from(c));
    }
    let builder = CALLED_FROM_C.iter().fold(cbindgen::Builder::new().with_config(config), cbindgen::Builder::with_src);
    builder.generate()?.write_to_file(out.join("pptp_rs.h"));
    Ok(())
}
