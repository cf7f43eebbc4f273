//! `native-caller SERVER ID OPTIONS`: calls a PPTP server under this call id, with a pppd for the call, and ends when that ends.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use pptp_core::control::{CallParameters, Config, Connection, Event, OutgoingCall};
use pptp_datapath::command::{CallConfig, TransmitWindow};
use pptp_datapath::offer::{self, Gre};
use pptp_io::gre_socket::{self, Calls};
use pptp_io::{children, clock, seqpacket, tcp};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, id, options @ ..] = &arguments[..] else { return Err("SERVER ID OPTIONS".into()) };
    let (server, id): (Ipv4Addr, u16) = (server.parse()?, id.parse()?);
    let mut stream = TcpStream::connect((server, 1723))?;
    let local = tcp::ipv4(stream.local_addr()?).ok_or("no IPv4 address")?;
    // Before the server may send the first packet.
    let gre = gre_socket::open(None)?;
    gre_socket::claim(gre.as_fd(), local, Calls::Only(id))?;
    gre_socket::connect(gre.as_fd(), server)?;
    let parameters = call(&mut stream, id)?;
    let call = CallConfig {
        local,
        peer: server,
        call_id: id,
        peer_call_id: parameters.peer_call.0,
        peer_window: parameters.peer_receive_window,
        receive_window: OutgoingCall::default().receive_window,
        transmit_window: TransmitWindow::Off,
        reorder_time: Duration::ZERO,
        reorder_packets: 0,
    };
    let ((ours, pppds), (_life_line, engines)) = (seqpacket::pair()?, seqpacket::pair()?);
    offer::send(ours.as_fd(), &call, Gre::Socket(gre.as_fd()), engines.as_fd())?;
    drop((gre, engines));
    wait_for_pppd(&[options, &["pptp_client".into(), server.to_string(), "pptp_sock".into()]].concat(), pppds)
}

/// What the server says of a call under this id.
fn call(stream: &mut TcpStream, id: u16) -> Outcome<CallParameters> {
    let mut connection = Connection::originate(Config::default(), Box::new(move || u32::from(id)), clock::now());
    let call = connection.reserve_call_id()?;
    connection.place_call(call, OutgoingCall::default(), clock::now())?;
    let mut buffer = [0; 1024];
    loop {
        while let Some(message) = connection.poll_transmit() {
            stream.write_all(&message)?;
        }
        let count = stream.read(&mut buffer)?;
        connection.handle_input(buffer.get(..count).filter(|bytes| !bytes.is_empty()).ok_or("closed")?, clock::now());
        while let Some(event) = connection.poll_event() {
            match event {
                Event::CallConnected(parameters) => return Ok(parameters),
                Event::CallRefused { .. } | Event::Closed(_) => return Err(event.to_string().into()),
                _ => {}
            }
        }
    }
}

fn wait_for_pppd(options: &[String], inherited: OwnedFd) -> Outcome<()> {
    let socket = inherited.as_raw_fd().to_string();
    let options: Vec<&str> = options.iter().map(String::as_str).chain([socket.as_str(), "nodetach"]).collect();
    children::start("pppd".as_ref(), &options, &[inherited.as_fd()])?;
    drop(inherited);
    while children::reap().is_none() {
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
