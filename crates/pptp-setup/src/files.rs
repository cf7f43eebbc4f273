//! The files: found below a root, locked against other runs, and replaced as a whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use zeroize::Zeroizing;

use crate::name::Name;
use crate::profile::Summary;

/// Who else may do what with these files: nobody, anything.
const PRIVATE: u32 = 0o600;

/// Where pppd has its files.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    root: PathBuf,
}

/// Held by the run that changes something. Not the folder's own lock, which whoever may read the folder can hold for ever.
const LOCK: &str = ".pptp-rs-setup.lock";

/// No other run changes anything meanwhile.
#[derive(Debug)]
pub(crate) struct Locked {
    path: PathBuf,
    _lock: Flock<File>,
}

/// Who may read a file, and whose it is.
struct Access {
    mode: u32,
    owner: Option<(u32, u32)>,
}

impl Store {
    /// Below this directory, in which etc/ppp is.
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn folder(&self) -> PathBuf {
        self.root.join("etc/ppp")
    }

    /// The file of a profile.
    pub(crate) fn peer(&self, name: &Name) -> PathBuf {
        self.folder().join("peers").join(name.as_str())
    }

    /// The file of secrets.
    pub(crate) fn secrets(&self) -> PathBuf {
        self.folder().join("chap-secrets")
    }

    /// Waits until no other run changes anything.
    ///
    /// # Errors
    /// There is no etc/ppp, or it is not ours to read; in words.
    pub(crate) fn lock(&self) -> Result<Locked, String> {
        let folder = self.folder();
        let path = folder.join(LOCK);
        loop {
            let file = open_lock(&path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => {
                    format!("there is no {}: is pppd (package ppp) installed?", folder.display())
                }
                _ => said(&path, "cannot open", &error),
            })?;
            let lock = Flock::lock(file, FlockArg::LockExclusive);
            let lock = lock.map_err(|(_, error)| said(&path, "cannot lock", &error.into()))?;
            // Whoever had it before has removed it, and another run may have made another.
            let links = lock.metadata().map_err(|error| said(&path, "cannot look at", &error))?.nlink();
            if links > 0 {
                return Ok(Locked { path, _lock: lock });
            }
        }
    }

    /// The text of a profile's file; `None`: there is none.
    ///
    /// # Errors
    /// It cannot be read; in words.
    pub(crate) fn read_peer(&self, name: &Name) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        read(&self.peer(name))
    }

    /// All profiles, whoever made them: files that name a server.
    ///
    /// # Errors
    /// The folder cannot be read; in words.
    pub(crate) fn profiles(&self) -> Result<Vec<(Name, Summary)>, String> {
        let folder = self.folder().join("peers");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(said(&folder, "cannot read", &error)),
        };
        let names = entries.flatten().filter_map(|entry| Name::new(entry.file_name().to_str()?).ok());
        let mut names: Vec<Name> = names.collect();
        names.sort();
        let mut profiles = Vec::new();
        for name in names {
            // A folder, or a file that is just being removed, is no profile.
            let Ok(Some(text)) = self.read_peer(&name) else { continue };
            let summary = Summary::read(&text);
            if summary.server.is_some() {
                profiles.push((name, summary));
            }
        }
        Ok(profiles)
    }

    /// The text of the file of secrets; nothing, if there is none.
    ///
    /// # Errors
    /// It cannot be read; in words.
    pub(crate) fn read_secrets(&self) -> Result<Zeroizing<Vec<u8>>, String> {
        read(&self.secrets()).map(Option::unwrap_or_default)
    }

    /// Makes, or replaces, a profile's file and the file of secrets: both, or none.
    ///
    /// # Errors
    /// Nothing has changed; why, in words.
    pub(crate) fn write(&self, _lock: &Locked, name: &Name, peer: &str, secrets: &[u8]) -> Result<(), String> {
        let folder = self.folder().join("peers");
        match DirBuilder::new().mode(0o755).create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(said(&folder, "cannot make", &error));
            }
            _ => {}
        }
        let peer = Staged::new(&self.peer(name), peer.as_bytes())?;
        self.change_secrets(secrets, || peer.commit())
    }

    /// Removes a profile's file, and makes `secrets` the file of secrets, if there is something to change in it: both, or none.
    ///
    /// # Errors
    /// Nothing has changed; why, in words.
    pub(crate) fn remove(&self, _lock: &Locked, name: &Name, secrets: Option<&[u8]>) -> Result<(), String> {
        let path = self.peer(name);
        let unlink = || {
            fs::remove_file(&path).map_err(|error| said(&path, "cannot remove", &error))?;
            settle(&path);
            Ok(())
        };
        match secrets {
            Some(secrets) => self.change_secrets(secrets, unlink),
            None => unlink(),
        }
    }

    /// Makes `secrets` the file of secrets and does `rest`; if that fails, the file is as before. An empty file is as good as none,
    /// and it is none then.
    fn change_secrets(&self, secrets: &[u8], rest: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
        let path = self.secrets();
        let before = read(&path)?;
        // All that can be missing, like room on the disk, is missing now.
        let back = before.as_deref().map(|before| Staged::spare(&path, before)).transpose()?;
        put(&path, secrets)?;
        rest().inspect_err(|_| {
            let restored = match back {
                Some(back) => back.commit(),
                None => fs::remove_file(&path).map_err(|error| error.to_string()),
            };
            // Then the entry is one that no profile uses.
            let _ = restored;
        })
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// For this user alone; another's cannot be opened by a link.
fn open_lock(path: &Path) -> io::Result<File> {
    let no_link = nix::fcntl::OFlag::O_NOFOLLOW.bits();
    OpenOptions::new().write(true).create(true).truncate(false).mode(PRIVATE).custom_flags(no_link).open(path)
}

/// Replaces a file of secrets, or removes it if nothing is in it.
fn put(path: &Path, secrets: &[u8]) -> Result<(), String> {
    if !secrets.is_empty() || path.is_symlink() {
        return Staged::new(path, secrets)?.commit();
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(said(path, "cannot remove", &error)),
        _ => {
            settle(path);
            Ok(())
        }
    }
}

/// A file that waits to take another's place. Dropping it removes it.
struct Staged {
    temporary: PathBuf,
    target: PathBuf,
}

impl Staged {
    /// What is to be in `path`, for its owner alone: never for more than before.
    fn new(path: &Path, text: &[u8]) -> Result<Self, String> {
        Self::beside(path, text, "new", PRIVATE)
    }

    /// What is in `path`, to go back to.
    fn spare(path: &Path, text: &[u8]) -> Result<Self, String> {
        Self::beside(path, text, "old", 0o7777)
    }

    /// Writes `text` onto the disk, beside the file that `path`, which may be a link, is about.
    fn beside(path: &Path, text: &[u8], suffix: &str, widest: u32) -> Result<Self, String> {
        let target = target(path)?;
        let access = Access::of(&target, widest)?;
        let (Some(folder), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(format!("{} is no file", target.display()));
        };
        let temporary = folder.join(format!(".{}.pptp-rs-setup-{suffix}", name.to_string_lossy()));
        // One that a run has left which was killed: no other run is at work now.
        let _ = fs::remove_file(&temporary);
        let staged = Self { temporary, target };
        staged.fill(text, &access).map_err(|error| said(path, "cannot write beside", &error))?;
        Ok(staged)
    }

    fn fill(&self, text: &[u8], access: &Access) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(access.mode).open(&self.temporary)?;
        // What the mask of this process has taken away is not to be missing.
        file.set_permissions(fs::Permissions::from_mode(access.mode))?;
        if let Some((user, group)) = access.owner {
            fchown(&file, Some(user), Some(group))?;
        }
        file.write_all(text)?;
        file.sync_all()
    }

    fn commit(self) -> Result<(), String> {
        fs::rename(&self.temporary, &self.target).map_err(|error| said(&self.target, "cannot replace", &error))?;
        settle(&self.target);
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.temporary);
    }
}

impl Access {
    /// That of what is in this place, but not wider than `widest`; of a new file, its owner's alone.
    fn of(target: &Path, widest: u32) -> Result<Self, String> {
        match fs::metadata(target) {
            Ok(data) if !data.is_file() => Err(format!("{} is not a file", target.display())),
            Ok(data) => Ok(Self { mode: data.mode() & widest & 0o7777, owner: Some((data.uid(), data.gid())) }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self { mode: PRIVATE, owner: ours() }),
            Err(error) => Err(said(target, "cannot look at", &error)),
        }
    }
}

/// Whose a new file is; an ordinary user has no choice.
fn ours() -> Option<(u32, u32)> {
    nix::unistd::geteuid().is_root().then_some((0, 0))
}

/// The file that a path is about, where it is a link.
fn target(path: &Path) -> Result<PathBuf, String> {
    match fs::symlink_metadata(path) {
        Ok(data) if data.is_symlink() => {
            fs::canonicalize(path).map_err(|error| said(path, "cannot follow the link", &error))
        }
        _ => Ok(path.to_owned()),
    }
}

fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    match read_file(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(said(path, "cannot read", &error)),
    }
}

/// Of a file, and of nothing that could keep this program waiting.
fn read_file(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let no_wait = nix::fcntl::OFlag::O_NONBLOCK.bits();
    let mut file = OpenOptions::new().read(true).custom_flags(no_wait).open(path)?;
    let data = file.metadata()?;
    if !data.is_file() && !data.is_dir() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    // Room for all of it: what is read is not copied to and fro.
    let mut text = Zeroizing::new(Vec::with_capacity(usize::try_from(data.len()).unwrap_or(0).saturating_add(1)));
    file.read_to_end(&mut text)?;
    Ok(text)
}

/// What has changed in a folder goes to the disk. Where that is not possible, as on some network drives, it has changed all the
/// same.
fn settle(path: &Path) {
    let folder = path.parent().and_then(|folder| File::open(folder).ok());
    let _ = folder.map(|folder| folder.sync_all());
}

fn said(path: &Path, what: &str, error: &io::Error) -> String {
    format!("{what} {}: {}", path.display(), pptp_io::words(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root with an etc/ppp, which goes when it is dropped.
    struct Root(PathBuf);

    impl Root {
        fn new(test: &str) -> Self {
            let root = std::env::temp_dir().join(format!("pptp-rs-setup-{}-{test}", std::process::id()));
            fs::create_dir_all(root.join("etc/ppp")).unwrap();
            Self(root)
        }

        fn store(&self) -> Store {
            Store::new(&self.0)
        }

        fn path(&self, path: &str) -> PathBuf {
            self.0.join("etc/ppp").join(path)
        }

        fn put(&self, path: &str, text: &str, mode: u32) {
            fs::write(self.path(path), text).unwrap();
            fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
        }

        /// Text and mode of a file; `None`: there is none.
        fn seen(&self, path: &str) -> Option<(String, u32)> {
            let data = fs::metadata(self.path(path)).ok()?;
            Some((fs::read_to_string(self.path(path)).unwrap(), data.mode() & 0o7777))
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(self.path("")).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.retain(|name| name != LOCK);
            names.sort();
            names
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn name() -> Name {
        Name::new("office").unwrap()
    }

    fn seen(text: &str, mode: u32) -> Option<(String, u32)> {
        Some((text.into(), mode))
    }

    #[test]
    fn new_files_are_their_owner_s_alone_and_go_again() {
        let root = Root::new("new");
        let store = root.store();
        let lock = store.lock().unwrap();
        assert_eq!(store.read_peer(&name()).unwrap(), None);
        assert!(store.read_secrets().unwrap().is_empty());
        store.write(&lock, &name(), "peer", b"secret").unwrap();
        assert_eq!(root.seen("peers/office"), seen("peer", 0o600));
        assert_eq!(root.seen("chap-secrets"), seen("secret", 0o600));
        assert_eq!(root.names(), ["chap-secrets", "peers"]);
        store.remove(&lock, &name(), Some(b"")).unwrap();
        assert_eq!((root.seen("peers/office"), root.names()), (None, vec!["peers".to_owned()]));
    }

    #[test]
    fn modes_become_narrower_and_never_wider() {
        for (before, after) in [(0o644, 0o600), (0o640, 0o600), (0o400, 0o400), (0o600, 0o600)] {
            let root = Root::new(&format!("modes-{before:o}"));
            root.put("chap-secrets", "old", before);
            let store = root.store();
            store.write(&store.lock().unwrap(), &name(), "peer", b"new").unwrap();
            assert_eq!(root.seen("chap-secrets"), seen("new", after));
        }
    }

    #[test]
    fn a_link_is_followed_and_stays() {
        let root = Root::new("link");
        fs::create_dir(root.path("elsewhere")).unwrap();
        root.put("elsewhere/secrets", "old", 0o600);
        std::os::unix::fs::symlink("elsewhere/secrets", root.path("chap-secrets")).unwrap();
        let store = root.store();
        let lock = store.lock().unwrap();
        store.write(&lock, &name(), "peer", b"new").unwrap();
        assert_eq!(root.seen("elsewhere/secrets"), seen("new", 0o600));
        store.remove(&lock, &name(), Some(b"")).unwrap();
        assert_eq!(root.seen("elsewhere/secrets"), seen("", 0o600));
        assert!(root.path("chap-secrets").is_symlink());
        fs::remove_file(root.path("elsewhere/secrets")).unwrap();
        let error = store.write(&lock, &name(), "peer", b"new").unwrap_err();
        assert!(error.contains("cannot follow the link"), "{error}");
        assert_eq!(root.seen("peers/office"), None);
    }

    #[test]
    fn a_step_that_fails_leaves_everything_as_it_was() {
        let root = Root::new("fails");
        root.put("chap-secrets", "old", 0o640);
        // Nothing can take the place of a folder.
        fs::create_dir_all(root.path("peers/office")).unwrap();
        let store = root.store();
        let lock = store.lock().unwrap();
        assert!(store.write(&lock, &name(), "peer", b"new").is_err());
        assert_eq!(root.seen("chap-secrets"), seen("old", 0o640));
        assert!(store.remove(&lock, &name(), Some(b"new")).is_err());
        assert_eq!(root.seen("chap-secrets"), seen("old", 0o640));
        fs::remove_file(root.path("chap-secrets")).unwrap();
        assert!(store.remove(&lock, &name(), Some(b"new")).is_err());
        assert_eq!(root.names(), ["peers"]);
        assert!(fs::read_dir(root.path("peers")).unwrap().count() == 1);
    }

    #[test]
    fn one_run_waits_for_the_other() {
        let root = Root::new("lock");
        let lock = root.store().lock().unwrap();
        let store = root.store();
        let (sender, receiver) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || {
            let _lock = store.lock().unwrap();
            sender.send(()).unwrap();
        });
        assert!(receiver.recv_timeout(std::time::Duration::from_millis(50)).is_err());
        drop(lock);
        receiver.recv().unwrap();
        other.join().unwrap();
    }

    #[test]
    fn whoever_may_read_the_folder_cannot_keep_a_run_waiting() {
        let root = Root::new("others");
        let _theirs = Flock::lock(File::open(root.path("")).unwrap(), FlockArg::LockExclusive).unwrap();
        let store = root.store();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || sender.send(store.lock()).unwrap());
        let lock = receiver.recv_timeout(std::time::Duration::from_secs(10)).unwrap().unwrap();
        assert_eq!(root.seen(LOCK), seen("", 0o600));
        drop(lock);
        assert_eq!(root.seen(LOCK), None);
    }

    #[test]
    fn of_runs_that_wait_one_goes_on_at_a_time() {
        let root = Root::new("turns");
        let at_work = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _lock = root.store().lock().unwrap();
                        assert_eq!(at_work.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                        std::thread::yield_now();
                        at_work.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(!root.path(LOCK).exists());
    }

    #[test]
    fn what_would_keep_a_reader_waiting_is_no_profile() {
        let root = Root::new("pipe");
        fs::create_dir(root.path("peers")).unwrap();
        nix::unistd::mkfifo(&root.path("peers/office"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(root.store().profiles(), Ok(Vec::new()));
        let error = root.store().read_peer(&name()).unwrap_err();
        assert!(error.ends_with("it is not a file"), "{error}");
    }

    #[test]
    fn profiles_are_files_that_name_a_server() {
        let root = Root::new("list");
        fs::create_dir_all(root.path("peers/folder")).unwrap();
        root.put("peers/b", "pptp_server two\n", 0o600);
        root.put("peers/a", "pptp_server one\nuser x\n", 0o600);
        root.put("peers/provider", "connect chat\n", 0o600);
        let profiles = root.store().profiles().unwrap();
        let names: Vec<_> = profiles.iter().map(|(name, summary)| (name.as_str(), summary.server.as_deref())).collect();
        assert_eq!(names, [("a", Some("one")), ("b", Some("two"))]);
    }
}
