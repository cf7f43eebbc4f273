mod cipher;
mod fast_paths;
mod harness;
mod options;
mod secrets;
mod stateful;
mod stateless;
mod vectors;
