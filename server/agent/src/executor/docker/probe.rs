//! Whether shims work on this engine: its containers must see this machine's folders and reach this agent's sockets. A
//! remote engine, one in a virtual machine or without root may not.
//!
//! **Invariant:** it is proved by a container, not guessed; the probe leaves neither container nor image.

use super::client::explain;
use super::image::Image;
use super::profile::{Container, Effective, Inside, body};
use super::vessel::Yard;
use bollard::query_parameters as query;
use futures::StreamExt;
use std::time::Duration;
use tokio::time::timeout;

/// How long the probe's shim may take to call.
const CALL: Duration = Duration::from_secs(10);
/// An empty archive (POSIX tar: two blocks of zeros), of which an engine makes an empty image.
const EMPTY: [u8; 1024] = [0; 1024];

/// Tries it.
///
/// # Errors
/// Why they do not work, in words.
pub(super) async fn probe(yard: &Yard) -> Result<(), String> {
    let image = empty_image(yard).await?;
    let tried = run(yard, &image).await;
    let options = query::RemoveImageOptionsBuilder::default().force(true).build();
    let _ = yard.engine.api.remove_image(&image.id, Some(options), None).await;
    tried
}

async fn run(yard: &Yard, image: &Image) -> Result<(), String> {
    let shim = yard
        .shims
        .make(true)
        .map_err(|e| format!("its folder could not be made: {e}"))?;
    let workspace = shim.door();
    let body = body(Container {
        image: &image.id,
        inside: Inside::Shim(&shim.door()),
        labels: yard.owner.labels(0),
        network: "none",
        workspace: &workspace,
        limits: Effective {
            nano_cpus: 1_000_000_000,
            memory: 64 << 20,
        },
        user: None,
    });
    let name = format!("{}-probe", yard.owner.network(0));
    yard.reaper.expect(&name);
    let ran = async {
        let options = query::CreateContainerOptionsBuilder::default().name(&name).build();
        yard.engine.api.create_container(Some(options), body).await?;
        yard.engine.api.start_container(&name, None).await
    };
    let called = match Box::pin(ran).await {
        Err(e) => Err(explain(&e)),
        Ok(()) => timeout(CALL, shim.met()).await.map_err(|_| {
            format!(
                "the container was started, but was not heard from within {} s",
                CALL.as_secs()
            )
        }),
    };
    shim.dismiss().await;
    yard.reaper.remove_now(&yard.engine, &name).await;
    called
}

async fn empty_image(yard: &Yard) -> Result<Image, String> {
    let options = query::CreateImageOptionsBuilder::default().from_src("-").build();
    let archive = bollard::body_full(EMPTY.to_vec().into());
    let mut events = std::pin::pin!(yard.engine.api.create_image(Some(options), Some(archive), None));
    let mut id = None;
    while let Some(event) = events.next().await {
        let event = event.map_err(|e| format!("an empty image could not be made: {}", explain(&e)))?;
        id = event.status.filter(|s| s.starts_with("sha256:")).or(id);
    }
    let id = id.ok_or("the engine made an empty image and did not say which")?;
    Ok(Image {
        name: id.clone(),
        id,
        user: String::new(),
    })
}
