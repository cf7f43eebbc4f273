//! A private directory in which processes find each other by named sockets.
//!
//! Whoever looks for a socket that several may want to make, makes one or removes one holds the directory's lock while it
//! does. A process that must not wait for a lock has a name of its own and puts its socket there in one step
//! ([`Directory::publish`]). The directory goes when its last socket does.

use std::fs::DirBuilder;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, Flock, FlockArg, OFlag};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, linkat, unlinkat};

use crate::confine::Account;
use crate::seqpacket;

/// How often the directory may vanish between opening and locking it before we give up.
const ATTEMPTS: usize = 100;

/// The directory, open.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    descriptor: OwnedFd,
}

/// The directory, locked against everyone else who follows the rules.
#[derive(Debug)]
pub struct Locked<'a> {
    directory: &'a Directory,
    _lock: Flock<OwnedFd>,
}

impl Directory {
    /// Opens the directory at `path`, which is made (mode 0700) when it is not there, and gives it to `owner`.
    ///
    /// # Errors
    /// It is a symbolic link or no directory, belongs to a stranger or is open to others.
    pub fn open(path: &Path, owner: Option<Account>) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            Self::make(path)?;
            match Self::open_made(path, owner) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => return result,
            }
        }
        Err(io::Error::new(io::ErrorKind::NotFound, format!("{}: it vanishes again and again", path.display())))
    }

    /// Opens the directory at `path`; `None`: it is not there.
    ///
    /// # Errors
    /// As [`Directory::open`].
    pub fn open_existing(path: &Path, owner: Option<Account>) -> io::Result<Option<Self>> {
        match Self::open_checked(path, owner) {
            Ok(directory) => Ok(Some(directory)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn make(path: &Path) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(named(path, error)),
            _ => Ok(()),
        }
    }

    fn open_made(path: &Path, owner: Option<Account>) -> io::Result<Self> {
        let directory = Self::open_checked(path, owner)?;
        if let Some(owner) = owner {
            let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
            let given = nix::unistd::fchown(&directory.descriptor, Some(uid), Some(gid));
            given.map_err(|error| named(path, error.into()))?;
        }
        Ok(directory)
    }

    fn open_checked(path: &Path, owner: Option<Account>) -> io::Result<Self> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let descriptor = nix::fcntl::open(path, flags, Mode::empty()).map_err(|error| named(path, error.into()))?;
        check_private(path, descriptor.as_fd(), owner)?;
        Ok(Self { path: path.to_owned(), descriptor })
    }

    /// Waits for the lock. `None`: the directory has been removed meanwhile and must be opened again.
    ///
    /// # Errors
    /// The file system has no locks.
    pub fn lock(&self) -> io::Result<Option<Locked<'_>>> {
        // A copy has the same lock: releasing it releases the directory's.
        let mut copy = self.descriptor.try_clone()?;
        let lock = loop {
            match Flock::lock(copy, FlockArg::LockExclusive) {
                Ok(lock) => break lock,
                Err((again, Errno::EINTR)) => copy = again,
                Err((_, error)) => return Err(named(&self.path, error.into())),
            }
        };
        let removed = fstat(&self.descriptor)?.st_nlink == 0;
        Ok((!removed).then_some(Locked { directory: self, _lock: lock }))
    }

    /// Listens as `name`, for this user alone (mode 0600), in the place of what has that name. Whoever finds the name can
    /// connect at once.
    ///
    /// # Errors
    /// `NotFound`: the directory has been removed meanwhile and must be opened again.
    pub fn publish(&self, name: &str) -> io::Result<OwnedFd> {
        let unseen = format!(".{name}");
        self.remove(&unseen)?;
        let listener = seqpacket::listen_privately(&self.path.join(&unseen))?;
        self.rename(&unseen, name)?;
        Ok(listener)
    }

    /// Gives the socket `from` the name `to`, in the place of what has that name. Who listens goes on listening.
    ///
    /// # Errors
    /// There is no such socket.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(nix::fcntl::renameat(&self.descriptor, from, &self.descriptor, to)?)
    }

    /// The names of all sockets, but those that are being made.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let entries = std::fs::read_dir(&self.path)?.collect::<io::Result<Vec<_>>>()?;
        let names = entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok());
        Ok(names.filter(|name| !name.starts_with('.')).collect())
    }

    /// A connection to the socket `name`, without blocking.
    ///
    /// # Errors
    /// As [`seqpacket::connect`].
    pub fn connect(&self, name: &str) -> io::Result<OwnedFd> {
        seqpacket::connect(&self.path.join(name))
    }

    /// Removes the socket `name`.
    ///
    /// # Errors
    /// No permission.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.descriptor, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the socket `name` if nobody listens there, also without the lock: who publishes one meanwhile keeps it.
    ///
    /// # Errors
    /// No permission.
    pub fn remove_abandoned(&self, name: &str) -> io::Result<()> {
        match self.connect(name) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                self.put_back(&self.put_aside(name)?, name)
            }
            _ => Ok(()),
        }
    }

    /// Takes the name away from what has it, which is found by nobody then: its new name.
    fn put_aside(&self, name: &str) -> io::Result<String> {
        let aside = format!(".{name}.{}", std::process::id());
        match self.rename(name, &aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(aside),
        }
    }

    /// Removes what was put aside, unless it is another than before, where somebody listens, and has not been followed by yet another.
    fn put_back(&self, aside: &str, name: &str) -> io::Result<()> {
        use io::ErrorKind::{ConnectionRefused, NotFound};

        if self.connect(aside).is_err_and(|error| matches!(error.kind(), ConnectionRefused | NotFound)) {
            return self.remove(aside);
        }
        match linkat(&self.descriptor, aside, &self.descriptor, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::EEXIST) => self.remove(aside),
            // A file system without links.
            Err(_) => self.rename(aside, name),
        }
    }

    /// Removes the directory if nothing is in it.
    pub fn remove_if_empty(&self) {
        let _ = std::fs::remove_dir(&self.path);
    }
}

impl Locked<'_> {
    /// A connection to the socket `name`; `None`: nobody listens there, and nothing has that name any more.
    ///
    /// # Errors
    /// Whoever listens does not accept connections fast enough, or must not be trusted.
    pub fn find(&self, name: &str) -> io::Result<Option<OwnedFd>> {
        match seqpacket::connect(&self.directory.path.join(name)) {
            Ok(socket) => Ok(Some(socket)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                self.remove(name)?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Makes the socket `name` and listens there.
    ///
    /// # Errors
    /// `AddrInUse`: it exists.
    pub fn listen(&self, name: &str) -> io::Result<OwnedFd> {
        seqpacket::listen(&self.directory.path.join(name))
    }

    /// Removes the socket `name`, and the directory if that was the last one.
    ///
    /// # Errors
    /// No permission.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        self.directory.remove(name)
    }

    /// Removes the directory if nothing is in it.
    pub fn remove_directory_if_empty(&self) {
        self.directory.remove_if_empty();
    }
}

fn check_private(path: &Path, descriptor: BorrowedFd<'_>, owner: Option<Account>) -> io::Result<()> {
    let status = fstat(descriptor)?;
    let trusted = [Some(nix::unistd::geteuid().as_raw()), owner.map(|owner| owner.uid)];
    if !trusted.contains(&Some(status.st_uid)) {
        let problem = format!("{} belongs to uid {}", path.display(), status.st_uid);
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
    }
    let mode = status.st_mode & 0o7777;
    if mode & 0o077 != 0 {
        let problem = format!("{} has mode {mode:04o} instead of 0700", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
    }
    Ok(())
}

fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("pptp-io-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn a_missing_parent_is_named() {
        let path = scratch("parent").join("child");
        let error = Directory::open(&path, None).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().contains("No such file"), "{error}");
    }

    #[test]
    fn the_directory_is_made_private_and_goes_with_its_last_socket() {
        let path = scratch("made");
        let directory = Directory::open(&path, None).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o700);
        let locked = directory.lock().unwrap().unwrap();
        let _listener = locked.listen("a").unwrap();
        locked.remove_directory_if_empty();
        assert!(locked.find("a").unwrap().is_some());
        locked.remove("a").unwrap();
        locked.remove("a").unwrap();
        locked.remove_directory_if_empty();
        assert!(!path.exists());
    }

    #[test]
    fn a_directory_removed_before_it_is_locked_is_noticed() {
        let path = scratch("vanished");
        let directory = Directory::open(&path, None).unwrap();
        fs::remove_dir(&path).unwrap();
        assert!(directory.lock().unwrap().is_none());
    }

    #[test]
    fn a_socket_whose_listener_died_is_removed() {
        let path = scratch("stale");
        let directory = Directory::open(&path, None).unwrap();
        let locked = directory.lock().unwrap().unwrap();
        drop(locked.listen("a").unwrap());
        assert_eq!(locked.listen("a").unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert!(locked.find("a").unwrap().is_none());
        drop(locked.listen("a").unwrap());
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn a_published_socket_takes_the_place_of_a_leftover_and_moves() {
        let path = scratch("published");
        let directory = Directory::open(&path, None).unwrap();
        drop(directory.publish("a").unwrap());
        let listener = directory.publish("a").unwrap();
        assert_eq!(fs::metadata(path.join("a")).unwrap().permissions().mode() & 0o777, 0o600);
        directory.rename("a", "b").unwrap();
        assert_eq!(directory.names().unwrap(), ["b"]);
        let _connected = directory.connect("b").unwrap();
        assert!(seqpacket::accept(listener.as_fd()).is_ok());
        directory.remove("b").unwrap();
        directory.remove_if_empty();
        assert_eq!(directory.publish("c").unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_is_abandoned_is_removed_and_nothing_else() {
        let path = scratch("abandoned");
        let directory = Directory::open(&path, None).unwrap();
        drop(directory.publish("dead").unwrap());
        let _living = directory.publish("living").unwrap();
        for name in ["dead", "living", "never"] {
            directory.remove_abandoned(name).unwrap();
        }
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
        assert!(directory.connect("living").is_ok());
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn who_publishes_while_a_leftover_is_removed_keeps_its_socket() {
        let path = scratch("meanwhile");
        let directory = Directory::open(&path, None).unwrap();
        // It has taken the leftover's place just before that was put aside.
        let _first = directory.publish("a").unwrap();
        let aside = directory.put_aside("a").unwrap();
        assert!(directory.names().unwrap().is_empty());
        directory.put_back(&aside, "a").unwrap();
        assert!(directory.connect("a").is_ok());
        // And another one just after.
        let aside = directory.put_aside("a").unwrap();
        let second = directory.publish("a").unwrap();
        directory.put_back(&aside, "a").unwrap();
        let _asker = directory.connect("a").unwrap();
        assert!(seqpacket::accept(second.as_fd()).is_ok());
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn a_directory_open_to_others_is_refused() {
        let path = scratch("open");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
        let error = Directory::open(&path, None).unwrap_err();
        assert!(error.to_string().contains("has mode 0750 instead of 0700"), "{error}");
        fs::remove_dir(&path).unwrap();
    }

    #[test]
    fn a_symbolic_link_is_refused() {
        let (path, target) = (scratch("link"), scratch("target"));
        let _ = fs::remove_file(&path);
        fs::create_dir(&target).unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o700)).unwrap();
        symlink(&target, &path).unwrap();
        assert!(Directory::open(&path, None).is_err());
        fs::remove_file(&path).unwrap();
        fs::remove_dir(&target).unwrap();
    }

    #[test]
    fn a_strangers_directory_is_refused() {
        assert!(nix::unistd::geteuid().is_root(), "this test has to run as root");
        let path = scratch("stranger");
        Directory::open(&path, None).unwrap();
        nix::unistd::chown(&path, Some(Uid::from_raw(65534)), None).unwrap();
        let error = Directory::open(&path, None).unwrap_err();
        assert!(error.to_string().contains("belongs to uid 65534"), "{error}");
        fs::remove_dir(&path).unwrap();
    }

    #[test]
    fn only_one_holds_the_lock() {
        let path = scratch("lock");
        let (first, second) = (Directory::open(&path, None).unwrap(), Directory::open(&path, None).unwrap());
        let locked = first.lock().unwrap().unwrap();
        let waiting = std::thread::spawn(move || second.lock().unwrap().is_some());
        std::thread::sleep(std::time::Duration::from_millis(30));
        assert!(!waiting.is_finished());
        drop(locked);
        assert!(waiting.join().unwrap());
        fs::remove_dir(&path).unwrap();
    }
}
