//! Two things that end a call and are heard in the same turn, in either order.

use pptp_core::control::Event;
use pptp_core::wire::CallId;
use pptp_io::children::Ending;

use super::super::session::ClientId;
use super::office::{Deed, Office, config};
use crate::config::Config;
use crate::control::Target;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Pppd,
    Engine,
    /// The client clears the call.
    Clear,
    /// The client closes its connection.
    Leave,
    Operator,
    /// The server is to end.
    Drain,
}

const ALL: [End; 6] = [End::Pppd, End::Engine, End::Clear, End::Leave, End::Operator, End::Drain];

/// Nobody hears of it yet but the server.
fn end(office: &mut Office, (client, call): (ClientId, CallId), how: End) {
    let now = office.now;
    match how {
        End::Pppd => office.exchange.handle_process_end(1, Ending::Status(16), now),
        End::Engine => {
            office.exchange.lines().cut = Some(1);
            office.exchange.handle_cut(now);
        }
        End::Clear => {
            let connection = office.client(client);
            connection.clear_call(call, now).unwrap();
            while let Some(bytes) = office.client(client).poll_transmit() {
                office.exchange.handle_input(client, &bytes, now);
            }
        }
        End::Leave => office.exchange.handle_disconnect(client, now),
        End::Operator => {
            office.exchange.disconnect(&Target::Session(1), now);
        }
        End::Drain => office.exchange.drain(now),
    }
}

#[test]
fn whatever_ends_a_call_twice_ends_it_once_and_leaves_nothing() {
    for (first, second) in ALL.into_iter().flat_map(|first| ALL.map(|second| (first, second))) {
        if first == second {
            continue;
        }
        let mut office = Office::new(Config { max_sessions: Some(1), ..config() });
        let client = office.join("192.0.2.2:1");
        let call = office.dial(client);
        office.heard();
        office.deeds();
        for how in [first, second] {
            end(&mut office, (client, call), how);
        }
        office.pump();
        if ![first, second].contains(&End::Pppd) {
            office.end(1, 16);
        }
        let what = format!("{first:?}, {second:?}");
        let (deeds, heard) = (office.deeds(), office.heard());
        let count = |wanted: fn(&Deed) -> bool| deeds.iter().filter(|deed| wanted(deed)).count();
        assert!(count(|deed| matches!(deed, Deed::HangUp(_))) <= 1, "{what}: {deeds:?}");
        assert_eq!(count(|deed| matches!(deed, Deed::Close(_))), 1, "{what}: {deeds:?}");
        assert_eq!(count(|deed| matches!(deed, Deed::Terminate(_) | Deed::Kill(_))), 0, "{what}: {deeds:?}");
        let told = heard.iter().filter(|event| matches!(event, Event::CallEnded { .. })).count();
        assert!(told <= 1, "{what}: {heard:?}");
        assert_eq!(office.exchange.calls().len(), 0, "{what}");
        if ![first, second].contains(&End::Drain) {
            let next = office.join("192.0.2.3:1");
            office.dial(next);
            assert_eq!(office.started().len(), 1, "{what}: there is room");
        }
    }
}
