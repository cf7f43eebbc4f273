//! The route to a destination outside a tunnel, for as long as the tunnel is up: made, made again, or made another one when the
//! network changes.

use std::io;

use super::{Destination, HostRoute, Way};

/// Such a route; dropping it removes it.
#[derive(Debug)]
pub struct Keeper {
    destination: Destination,
    route: HostRoute,
    is_gone: bool,
}

/// What has become of it.
#[derive(Debug)]
pub enum News {
    /// It had gone, and is there again.
    Again,
    /// It had gone, and there is another way.
    Another,
    /// It has gone, for this reason, and there is none that does not lead into the tunnel.
    Gone(io::Error),
}

impl Keeper {
    /// Makes the route by which packets leave at this moment; `None`: the default route does not matter to them. `tunnel` is the
    /// number of the tunnel's interface, if there is one. Needs `CAP_NET_ADMIN`.
    ///
    /// # Errors
    /// There is no way but into the tunnel. `PermissionDenied`.
    pub fn hold(destination: Destination, tunnel: Option<u32>) -> io::Result<Option<Self>> {
        let way = Way::look_up(&destination)?;
        if !way.follows_default_route() {
            return Ok(None);
        }
        check(&way, tunnel)?;
        let route = HostRoute::make(destination.host, &way)?;
        Ok(Some(Self { destination, route, is_gone: false }))
    }

    /// Looks after it when something has changed.
    pub fn keep(&mut self, tunnel: Option<u32>) -> Option<News> {
        match self.route.renew() {
            Ok(was_gone) => (std::mem::take(&mut self.is_gone) || was_gone).then_some(News::Again),
            Err(error) => self.find_another(tunnel).or_else(|| {
                let was_gone = std::mem::replace(&mut self.is_gone, true);
                (!was_gone).then_some(News::Gone(error))
            }),
        }
    }

    fn find_another(&mut self, tunnel: Option<u32>) -> Option<News> {
        let way = Way::look_up(&self.destination).ok().filter(Way::follows_default_route)?;
        check(&way, tunnel).and_then(|()| self.route.change(self.destination.host, &way)).ok()?;
        self.is_gone = false;
        Some(News::Another)
    }

    /// Where it leads.
    pub fn destination(&self) -> Destination {
        self.destination
    }

    /// The route in words: the host, and by which router.
    pub fn text(&self) -> &str {
        self.route.text()
    }
}

/// That it does not lead into the tunnel.
fn check(way: &Way, tunnel: Option<u32>) -> io::Result<()> {
    if tunnel.is_some() && way.interface() == tunnel {
        return Err(io::ErrorKind::NetworkUnreachable.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::process::Command;

    use nix::net::if_::if_nametoindex;

    use super::*;

    const SERVER: Destination =
        Destination { host: Ipv4Addr::new(203, 0, 113, 1), mark: None, source: Some(Ipv4Addr::new(192, 0, 2, 2)) };

    /// In a network of its own, by a thread: the interfaces `cable` and `tunnel`, and a default route by the first.
    fn in_a_network(test: impl FnOnce() + Send + 'static) {
        let run = || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            ip("link add cable type veth peer name router");
            ip("link add tunnel type veth peer name end");
            for name in ["router", "tunnel", "end"] {
                ip(&format!("link set {name} up"));
            }
            plug_in("192.0.2.2");
            test();
        };
        std::thread::spawn(run).join().unwrap();
    }

    fn ip(arguments: &str) -> String {
        let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
        assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn plug_in(address: &str) {
        ip("link set cable up");
        ip(&format!("addr replace {address}/24 dev cable"));
        ip("route replace default via 192.0.2.1 dev cable metric 5");
    }

    fn unplug() {
        ip("addr flush dev cable");
        ip("link set cable down");
    }

    fn routes() -> String {
        ip("route show exact 203.0.113.1")
    }

    fn tunnel() -> Option<u32> {
        if_nametoindex("tunnel").ok()
    }

    #[test]
    fn this_machine_needs_no_route_to_itself() {
        let here = Destination { host: Ipv4Addr::LOCALHOST, mark: None, source: None };
        assert!(Keeper::hold(here, None).unwrap().is_none());
    }

    #[test]
    fn the_way_stays_when_the_default_route_goes_into_the_tunnel_and_nothing_is_left() {
        in_a_network(|| {
            let before = ip("route show table all");
            let mut kept = Keeper::hold(SERVER, None).unwrap().unwrap();
            assert_eq!(kept.text(), "203.0.113.1 by way of 192.0.2.1");
            ip("route add default dev tunnel");
            assert_eq!(Way::look_up(&SERVER).unwrap().interface(), if_nametoindex("cable").ok());
            assert!(kept.keep(tunnel()).is_none());
            ip("route del default dev tunnel");
            drop(kept);
            assert_eq!(ip("route show table all"), before);
        });
    }

    #[test]
    fn each_removes_its_own_and_none_that_was_there_before() {
        in_a_network(|| {
            ip("route add 203.0.113.1 via 192.0.2.1");
            let hold = || Keeper::hold(SERVER, None).unwrap().unwrap();
            let (first, second) = (hold(), hold());
            assert_eq!(routes().lines().count(), 3);
            drop(first);
            let third = hold();
            drop(second);
            assert_eq!(routes().lines().count(), 2);
            // Somebody has removed it already.
            ip("route del 203.0.113.1 metric 1");
            drop(third);
            assert_eq!(routes().trim(), "203.0.113.1 via 192.0.2.1 dev cable");
        });
    }

    #[test]
    fn what_goes_with_the_line_comes_back_with_it() {
        in_a_network(|| {
            let mut kept = Keeper::hold(SERVER, None).unwrap().unwrap();
            ip("route add default dev tunnel");
            unplug();
            assert!(matches!(kept.keep(tunnel()), Some(News::Gone(_))) && routes().is_empty());
            assert!(kept.keep(tunnel()).is_none());
            plug_in("192.0.2.2");
            assert!(matches!(kept.keep(tunnel()), Some(News::Again)) && kept.keep(tunnel()).is_none());
            assert_eq!(Way::look_up(&SERVER).unwrap().interface(), if_nametoindex("cable").ok());
            drop(kept);
            assert_eq!(routes(), "");
        });
    }

    #[test]
    fn another_way_is_taken_but_none_into_the_tunnel() {
        in_a_network(|| {
            let anywhere = Destination { source: None, ..SERVER };
            let mut kept = Keeper::hold(anywhere, None).unwrap().unwrap();
            ip("route add default dev tunnel metric 9");
            unplug();
            assert!(matches!(kept.keep(tunnel()), Some(News::Gone(_))));
            ip("addr add 192.0.3.2/24 dev cable");
            ip("link set cable up");
            assert!(kept.keep(tunnel()).is_none());
            ip("route add default via 192.0.3.1 metric 5");
            assert!(matches!(kept.keep(tunnel()), Some(News::Another)));
            assert_eq!(kept.text(), "203.0.113.1 by way of 192.0.3.1");
            drop(kept);
            ip("route del default metric 5");
            assert!(Keeper::hold(anywhere, tunnel()).is_err() && routes().is_empty());
        });
    }

    #[test]
    fn packets_with_a_table_of_their_own_need_no_route() {
        in_a_network(|| {
            ip("rule add fwmark 7 lookup 100");
            ip("route add default via 192.0.2.1 dev cable table 100");
            let marked = Destination { mark: Some(7), source: None, ..SERVER };
            assert!(Keeper::hold(marked, None).unwrap().is_none());
            assert!(Keeper::hold(SERVER, None).unwrap().is_some());
        });
    }

    #[test]
    fn a_neighbour_and_a_router_that_is_none_are_reached_as_before() {
        in_a_network(|| {
            let neighbour = Destination { host: Ipv4Addr::new(192, 0, 2, 9), ..SERVER };
            let kept = Keeper::hold(neighbour, None).unwrap().unwrap();
            assert_eq!(kept.text(), "192.0.2.9 without a router");
            ip("route replace default via 10.0.0.1 dev cable onlink metric 5");
            let kept = Keeper::hold(SERVER, None).unwrap().unwrap();
            assert_eq!(kept.text(), "203.0.113.1 by way of 10.0.0.1");
            assert!(routes().contains("onlink"), "{}", routes());
        });
    }

    #[test]
    fn the_same_way_is_another_when_its_router_is_no_neighbour_any_more() {
        in_a_network(|| {
            let anywhere = Destination { source: None, ..SERVER };
            let mut kept = Keeper::hold(anywhere, None).unwrap().unwrap();
            unplug();
            assert!(matches!(kept.keep(None), Some(News::Gone(_))));
            ip("link set cable up");
            ip("addr add 192.0.2.2/32 dev cable");
            ip("route replace default via 192.0.2.1 dev cable onlink metric 5");
            assert!(matches!(kept.keep(None), Some(News::Another)));
            assert!(routes().contains("onlink"), "{}", routes());
            assert!(kept.keep(None).is_none(), "it stays");
        });
    }
}
