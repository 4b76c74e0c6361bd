//! `file:DIR`: every mail a file of its own, for whoever sends them on or only looks at them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::address::Sender;
use super::compose::{Reach, compose};
use super::{MailError, Mailer, Message};
use crate::time::UnixMillis;

/// Writes mails into a folder that others cannot read: they carry tokens.
pub(super) struct Folder {
    path: PathBuf,
    from: Sender,
}

impl Folder {
    /// Makes the folder where it is missing.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub(super) fn open(path: &Path, from: Sender) -> Result<Self, String> {
        make_folder(path).map_err(|error| format!("mail.url: file:{}: {error}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            from,
        })
    }

    /// Under another name first: whoever watches the folder for `.eml` sees whole mails, and only such as a power cut
    /// leaves whole.
    fn keep(&self, name: &str, mail: &[u8]) -> io::Result<()> {
        make_folder(&self.path)?;
        let temporary = self.path.join(format!(".{name}.new"));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&temporary)?;
        file.write_all(mail)?;
        file.sync_all()?;
        fs::rename(&temporary, self.path.join(name))?;
        File::open(&self.path)?.sync_all()
    }
}

impl Mailer for Folder {
    fn send(&self, now: UnixMillis, message: &Message) -> Result<(), MailError> {
        let mail = compose(now, &self.from, message, Reach::EightBit)?;
        // The time first, so that names sort by it; without colons, which some file systems do not take.
        let name = format!("{}-{}.eml", now.to_rfc3339().replace(':', ""), message.id);
        self.keep(&name.replace(['/', '\\'], "-"), &mail.formatted())
            .map_err(|error| MailError::NotNow(format!("{}: {error}", self.path.display())))
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
