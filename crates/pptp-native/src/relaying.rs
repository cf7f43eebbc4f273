//! What everybody needs who stands between a client and a server.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::thread;

use pptp_io::gre_socket::{self, Calls};

const PORT: u16 = 1723;

/// A socket for all calls with `peer`.
///
/// # Errors
/// `local` is not this machine's address, or there is no way to `peer`.
pub fn gre(local: Ipv4Addr, peer: Ipv4Addr) -> io::Result<OwnedFd> {
    let socket = gre_socket::open(None)?;
    gre_socket::claim(socket.as_fd(), local, Calls::Matching { mask: 0, value: 0 })?;
    gre_socket::connect(socket.as_fd(), peer)?;
    Ok(socket)
}

/// Passes control connections with `local` on to `server`, as they are, for as long as the process lives.
///
/// # Errors
/// Somebody listens there.
pub fn pass_control_connections(local: Ipv4Addr, server: Ipv4Addr) -> io::Result<()> {
    let listener = TcpListener::bind((local, PORT))?;
    thread::spawn(move || listener.incoming().flatten().for_each(|client| pass_stream(client, server)));
    Ok(())
}

/// Both ways, until either end closes.
fn pass_stream(client: TcpStream, server: Ipv4Addr) {
    let Ok(server) = TcpStream::connect((server, PORT)) else { return };
    for (from, to) in [(&client, &server), (&server, &client)] {
        let Ok((mut from, mut to)) = from.try_clone().and_then(|from| Ok((from, to.try_clone()?))) else { return };
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Both);
            let _ = from.shutdown(std::net::Shutdown::Both);
        });
    }
}
