//! Images: found on the engine, else pulled, with a few lines of progress.
//!
//! **Invariant:** a session's steps all run the image that its name meant when the session was opened.

use super::client::{Engine, explain, fault, gone, status};
use super::pull::Meter;
use crate::executor::{ExecError, Progress};
use bollard::models::ImageInspect;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures::StreamExt;
use serde::{Deserialize, Serialize};

/// An image that is on the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Image {
    /// As the plan names it.
    pub name: String,
    /// What it is.
    pub id: String,
    /// Who its processes are, as `user[:group]`; empty for root.
    pub user: String,
}

/// Makes an image be there.
pub(super) async fn ensure(engine: &Engine, name: &str, progress: &dyn Progress) -> Result<Image, ExecError> {
    let (repository, tag) = reference(name)?;
    match engine.api.inspect_image(name).await {
        Ok(found) => return Ok(image(name, found)),
        Err(e) if status(&e) == Some(404) => {}
        Err(e) => return Err(fault(&format!("The image {name} could not be looked up"), &e)),
    }
    pull(engine, name, &repository, &tag, progress).await?;
    match engine.api.inspect_image(name).await {
        Ok(found) => Ok(image(name, found)),
        Err(e) => Err(fault(&format!("The image {name} was pulled but is not there"), &e)),
    }
}

/// An image that is on the engine already.
pub(super) async fn present(engine: &Engine, name: &str) -> Option<Image> {
    reference(name).ok()?;
    Some(image(name, engine.api.inspect_image(name).await.ok()?))
}

async fn pull(
    engine: &Engine,
    name: &str,
    repository: &str,
    tag: &str,
    progress: &dyn Progress,
) -> Result<(), ExecError> {
    progress.say(&format!("Pulling {name}\n"));
    let options = CreateImageOptionsBuilder::default()
        .from_image(repository)
        .tag(tag)
        .build();
    let mut events = std::pin::pin!(engine.api.create_image(Some(options), None, None));
    let mut meter = Meter::default();
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                if let Some(line) = meter.hear(&event) {
                    progress.say(&line);
                }
            }
            Err(e) => return Err(not_pulled(name, &e)),
        }
    }
    progress.say(&format!("Pulled {name}\n"));
    Ok(())
}

/// Registries and engines word "there is no such image" in many ways; the reason is theirs, the first words ours.
fn not_pulled(name: &str, e: &bollard::errors::Error) -> ExecError {
    let why = explain(e);
    let absent = [
        "does not exist",
        "not found",
        "manifest unknown",
        "access denied",
        "unauthorized",
    ];
    if gone(e) {
        fault(&format!("The image {name} could not be pulled"), e)
    } else if status(e) == Some(404) || absent.iter().any(|w| why.contains(w)) {
        ExecError::Refused(format!("The image {name} was not found: {why}."))
    } else if status(e) == Some(400) {
        ExecError::Refused(format!("The image {name} cannot be pulled: {why}."))
    } else {
        ExecError::Machine(format!("The image {name} could not be pulled: {why}."))
    }
}

fn image(name: &str, found: ImageInspect) -> Image {
    Image {
        name: name.into(),
        id: found.id.unwrap_or_else(|| name.into()),
        user: found.config.and_then(|c| c.user).unwrap_or_default(),
    }
}

/// Repository and tag (or digest) of a name. Without one it is `latest`: an engine that is given none pulls all.
fn reference(name: &str) -> Result<(String, String), ExecError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    if name.is_empty() || !name.chars().all(plain) || name.starts_with(['/', '.', '-', ':', '@']) || name.contains("..")
    {
        return Err(ExecError::Refused(format!("{name:?} is not the name of an image.")));
    }
    if let Some((repository, digest)) = name.split_once('@') {
        return Ok((repository.into(), digest.into()));
    }
    let last = name.rfind('/').map_or(0, |i| i + 1);
    Ok(match name[last..].rfind(':') {
        Some(i) => (name[..last + i].into(), name[last + i + 1..].into()),
        None => (name.into(), "latest".into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_as_engines_do() {
        for (name, repository, tag) in [
            ("debian", "debian", "latest"),
            ("debian:stable-slim", "debian", "stable-slim"),
            ("host:5000/a/b", "host:5000/a/b", "latest"),
            ("host:5000/a/b:1", "host:5000/a/b", "1"),
            ("a/b@sha256:00ff", "a/b", "sha256:00ff"),
        ] {
            assert_eq!(reference(name).unwrap(), (repository.into(), tag.into()), "{name}");
        }
    }

    #[test]
    fn what_is_no_name_never_reaches_the_engine() {
        for name in ["", "a b", "../secrets", "a?b=c", "/etc", "-x", "a\nb", "a/../b"] {
            assert!(matches!(reference(name), Err(ExecError::Refused(_))), "{name:?}");
        }
    }

    #[test]
    fn an_absent_image_and_a_registry_out_of_reach_are_told_apart() {
        let e = |status_code, message: &str| bollard::errors::Error::DockerResponseServerError {
            status_code,
            message: message.into(),
        };
        for (error, found) in [
            (e(404, "manifest for a:b not found: manifest unknown: x"), "Refused"),
            (e(500, "pull access denied for a, repository does not exist"), "Refused"),
            (e(500, "Get \"https://x/v2/\": dial tcp: no route to host"), "Machine"),
        ] {
            assert!(format!("{:?}", not_pulled("a:b", &error)).starts_with(found));
        }
    }
}
