//! Replaces a file in one go, and removes what killed processes left of trying.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// Writes a file so that whoever reads it, or is left with it after a power cut, has the old one or the new one: all is on the disk before
/// the name is given to it.
pub(crate) fn replace_with(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    // A link goes on pointing where it points; a device or a folder is no place for a file.
    let resolved = fs::canonicalize(path);
    let path = resolved.as_deref().unwrap_or(path);
    let refused = |source: io::Error| Error::Io { path: path.to_path_buf(), what: "cannot be written", source };
    if fs::metadata(path).is_ok_and(|known| !known.is_file()) {
        return Err(refused(io::Error::other("it exists and is no ordinary file")));
    }
    let Some(name) = path.file_name() else { return Err(refused(io::Error::other("not the name of a file"))) };
    let (name, folder) = (name.to_string_lossy(), folder_of(path));
    remove_stale(folder, &name);
    let (temporary, mut file) = temporary(folder, &name).map_err(refused)?;
    let written = write(&mut file).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&temporary, path));
    if let Err(source) = written {
        // The first error is the one to tell.
        let _ = fs::remove_file(&temporary);
        return Err(refused(source));
    }
    // The new name outlives a power cut only when the folder is on the disk too; not every system can do that.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A new file `.NAME.PROCESS.NUMBER.tmp`, locked for as long as it is open: who holds no lock has died.
fn temporary(folder: &Path, name: &str) -> io::Result<(PathBuf, File)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".{name}.{}.{number}.tmp", std::process::id()));
        let file = match OpenOptions::new().write(true).create_new(true).open(&path) {
            // Of a process of this number that is another: in a container, or on another machine.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            other => other?,
        };
        // A file system without locks does without.
        let _ = file.lock();
        // Another process may have taken it for stale just before it was locked.
        if path.exists() {
            return Ok((path, file));
        }
    }
}

/// Removes the temporaries of this name whose process is gone: those that nobody has locked. Where the file system has no locks they stay,
/// for whoever finds `.NAME.*.tmp` to remove.
fn remove_stale(folder: &Path, name: &str) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let prefix = format!(".{name}.");
    for entry in entries.flatten() {
        let known = entry.file_name();
        let numbers = known.to_str().and_then(|n| n.strip_prefix(&*prefix)?.strip_suffix(".tmp")?.split_once('.'));
        let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !numbers.is_some_and(|(process, count)| number(process) && number(count)) {
            continue;
        }
        let path = entry.path();
        let Ok(file) = OpenOptions::new().write(true).open(&path) else { continue };
        match file.try_lock() {
            // That it cannot be removed is no reason not to save.
            Ok(()) => drop(fs::remove_file(&path)),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
        replace_with(path, |file| file.write_all(bytes))
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_the_dead_left_is_removed_and_what_lives_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let id = std::process::id();
        // Of processes that are gone, and of one that had this process's number.
        for stale in [".net.pt.4194305.0.tmp".to_string(), format!(".net.pt.{id}.{}.tmp", u64::MAX)] {
            fs::write(at(&stale), b"cut off").unwrap();
        }
        // Of others: another name, no numbers, no temporary.
        let others = [".net.pt.bak.7.0.tmp", ".net.pt.7.tmp", ".net.pt.a.0.tmp", "net.pt.7.0.tmp", ".net.pt.7.0"];
        for other in others {
            fs::write(at(other), b"mine").unwrap();
        }
        let (alive, file) = temporary(folder.path(), "net.pt").unwrap();
        replace(&at("net.pt"), b"whole").unwrap();
        let mut expected: Vec<String> = others.iter().map(|o| o.to_string()).collect();
        expected.extend(["net.pt".to_string(), alive.file_name().unwrap().to_str().unwrap().to_string()]);
        expected.sort();
        assert_eq!(names(folder.path()), expected);
        assert_eq!(fs::read(at("net.pt")).unwrap(), b"whole");

        // Once it is closed, as the system does for a process that is killed, it is stale too.
        drop(file);
        replace(&at("net.pt"), b"again").unwrap();
        expected.retain(|name| *name != *alive.file_name().unwrap().to_str().unwrap());
        assert_eq!(names(folder.path()), expected);
    }

    #[test]
    fn many_threads_save_to_one_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.pt");
        std::thread::scope(|scope| {
            for thread in 0..8u8 {
                let path = &path;
                scope.spawn(move || (0..20).for_each(|_| replace(path, &[thread; 1000]).unwrap()));
            }
        });
        let bytes = fs::read(&path).unwrap();
        assert!(bytes.len() == 1000 && bytes.iter().all(|b| *b == bytes[0]));
        assert_eq!(names(folder.path()), ["net.pt"]);
    }
}
