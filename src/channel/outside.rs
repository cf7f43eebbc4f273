//! The way to the server outside the tunnel: a route to it alone, where the tunnel may take the default route
//! (`pptp_io::host_route`). It is made when the call is up and removed when it is over; with `demand`, where the default route is
//! the tunnel's before and between the calls, it stays until pppd ends.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use log::{debug, info, warn};
use nix::net::if_::if_nametoindex;
use pptp_io::host_route::{Changes, Destination, Keeper, News, Way};
use pptp_io::words;

use crate::options::{HostRoute, Settings};
use crate::waiting::{self, Place};
use crate::{ffi, pppd};

thread_local! {
    /// Never dropped by itself: a pppd that detaches goes on in a child, and leaves by exit(3) in the parent.
    static ROUTE: RefCell<ManuallyDrop<Option<Keeper>>> = const { RefCell::new(ManuallyDrop::new(None)) };
    static CHANGES: RefCell<Option<Changes>> = const { RefCell::new(None) };
}

/// pppd makes its interface, and takes the default route, before the first call.
pub(super) fn begin_on_demand(settings: &Settings) {
    let Some(server) = settings.server.as_ref().filter(|_| is_wanted(settings)) else { return };
    match server.parse() {
        Ok(host) => begin(settings, host),
        Err(_) if has_default_route() => {
            warn!("option demand: {server} is a name, so it has no route outside the tunnel before the first call");
        }
        Err(_) => {}
    }
}

/// There is a call to the server at this address.
pub(super) fn begin(settings: &Settings, host: Ipv4Addr) {
    if !is_wanted(settings) {
        return;
    }
    let destination = destination(settings, host);
    if ROUTE.with_borrow(|route| route.as_ref().is_some_and(|route| route.destination() == destination)) {
        return look();
    }
    release();
    match Keeper::hold(destination, tunnel()) {
        Ok(Some(route)) => {
            info!("a route outside the tunnel: {}", route.text());
            ROUTE.set(ManuallyDrop::new(Some(route)));
            watch();
        }
        Ok(None) => debug!("{host} needs no route outside the tunnel: the default route does not matter to it"),
        Err(error) => warn!("no route outside the tunnel to {host}: {}", words(&error)),
    }
}

/// The call is over.
pub(super) fn end() {
    if !pppd::is_on_demand() {
        release();
    }
}

/// No other call follows.
pub(super) fn release() {
    waiting::wait_for_nothing(Place::Routes);
    CHANGES.set(None);
    if let Some(route) = ManuallyDrop::into_inner(ROUTE.replace(ManuallyDrop::new(None))) {
        debug!("the route outside the tunnel to {} is removed", route.destination().host);
    }
}

/// IP is up, and scripts have had some time: whether the tunnel's packets go into the tunnel.
pub(super) fn check(settings: &Settings, host: Ipv4Addr) {
    let way = Way::look_up(&destination(settings, host));
    if tunnel().is_some() && way.is_ok_and(|way| way.interface() == tunnel()) {
        warn!(
            "the way to {host} leads into the tunnel itself, which cannot carry anything so: it needs a route outside (pptp_host_route on)"
        );
    }
}

fn is_wanted(settings: &Settings) -> bool {
    match settings.host_route {
        HostRoute::On => true,
        HostRoute::Off => false,
        HostRoute::Auto => has_default_route(),
    }
}

fn has_default_route() -> bool {
    ffi::wants_default_route() != 0
}

fn destination(settings: &Settings, host: Ipv4Addr) -> Destination {
    Destination { host, mark: settings.mark, source: settings.bind }
}

fn tunnel() -> Option<u32> {
    if_nametoindex(ffi::interface().as_str()).ok()
}

fn watch() {
    match Changes::watch() {
        Ok(changes) if waiting::wait_for(Place::Routes, changes.fd().as_raw_fd(), look) => CHANGES.set(Some(changes)),
        Ok(_) => debug!("the route outside the tunnel is not looked after: pppd does not wait for others"),
        Err(error) => debug!("the route outside the tunnel is not looked after: {}", words(&error)),
    }
}

/// Something about the network has changed, perhaps.
fn look() {
    CHANGES.with_borrow(|changes| changes.as_ref().map(Changes::forget));
    ROUTE.with_borrow_mut(|route| {
        let Some(route) = route.as_mut() else { return };
        let news = route.keep(tunnel());
        let host = route.destination().host;
        match news {
            None => {}
            Some(News::Again) => info!("the route outside the tunnel to {host} had gone, and is there again"),
            Some(News::Another) => info!("another route outside the tunnel: {}", route.text()),
            Some(News::Gone(error)) => {
                warn!(
                    "the route outside the tunnel to {host} has gone: {}; it is made again when that is possible",
                    words(&error)
                );
            }
        }
    });
}
