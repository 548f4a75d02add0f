//! Who may write in a workspace: containers run as users that the agent's machine does not know.
//!
//! **Invariant:** a step can write in its workspace whatever its image's user is; the agent can remove what it wrote.

use super::client::Engine;
use super::names::Owner;
use super::profile::{Container, Effective, Inside, WORKSPACE, body};
use super::reaper::Reaper;
use bollard::errors::Error;
use bollard::query_parameters as query;
use futures::StreamExt;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

/// Whether processes of an image's user need [`open_to_all`] to write in a workspace.
pub(super) fn foreign(user: &str) -> bool {
    !matches!(user.split(':').next().unwrap_or(""), "" | "0" | "root")
}

/// Lets every user write in the workspace: the folders above it let nobody but the agent through. Blocking.
///
/// # Errors
/// When the disk refuses.
pub(super) fn open_to_all(path: &Path) -> io::Result<()> {
    let meta = path.symlink_metadata()?;
    if meta.is_symlink() {
        return Ok(());
    }
    let mode = meta.permissions().mode();
    let runs = if meta.is_dir() || mode & 0o100 != 0 { 0o111 } else { 0 };
    if mode | 0o666 | runs != mode {
        std::fs::set_permissions(path, Permissions::from_mode(mode | 0o666 | runs))?;
    }
    if meta.is_dir() {
        for entry in std::fs::read_dir(path)? {
            open_to_all(&entry?.path())?;
        }
    }
    Ok(())
}

/// Gives all files of a workspace to a user, from inside a container of `image`, which must have `chown`.
pub(super) async fn give(
    engine: &Engine,
    reaper: &Arc<Reaper>,
    owner: &Owner,
    image: &str,
    workspace: &Path,
    (uid, gid): (u32, u32),
) -> Result<(), Error> {
    let name = format!(
        "{}-release-{}",
        owner.network(0),
        workspace.file_name().unwrap_or_default().to_string_lossy()
    );
    let body = body(Container {
        image,
        inside: Inside::Command {
            argv: ["chown", "-hR", &format!("{uid}:{gid}"), WORKSPACE]
                .map(Into::into)
                .to_vec(),
            env: Vec::new(),
            logged: false,
        },
        labels: owner.labels(0),
        network: "none",
        workspace,
        limits: Effective {
            nano_cpus: 1_000_000_000,
            memory: 256 << 20,
        },
        user: Some("0:0".into()),
    });
    reaper.expect(&name);
    let options = query::CreateContainerOptionsBuilder::default().name(&name).build();
    let ran = async {
        engine.api.create_container(Some(options), body).await?;
        engine.api.start_container(&name, None).await?;
        match engine
            .api
            .wait_container(&name, None::<query::WaitContainerOptions>)
            .next()
            .await
        {
            Some(Err(e)) => Err(e),
            _ => Ok(()),
        }
    };
    let ran = Box::pin(ran).await;
    reaper.remove(engine.clone(), name);
    ran
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_that_are_not_root_are_foreign() {
        for (user, is) in [
            ("", false),
            ("0", false),
            ("root:root", false),
            ("1000", true),
            ("node", true),
            ("0:5", false),
        ] {
            assert_eq!(foreign(user), is, "{user}");
        }
    }

    #[test]
    fn programs_stay_programs_and_texts_stay_texts() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |name: &str| std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
        for (name, before) in [("a.sh", 0o755), ("a.txt", 0o644)] {
            std::fs::write(dir.path().join(name), "x").unwrap();
            std::fs::set_permissions(dir.path().join(name), Permissions::from_mode(before)).unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link")).unwrap();
        open_to_all(dir.path()).unwrap();
        assert_eq!((mode("a.sh"), mode("a.txt"), mode(".")), (0o777, 0o666, 0o777));
        assert_eq!(mode("link"), 0o644, "a link is not followed");
    }
}
