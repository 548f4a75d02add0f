//! A new master key for secrets that are there, and the way out when a key is lost.
//!
//! **Invariant:** at every instant, also one at which the process is killed, each secret's master key is in the key file: the
//! new key is there before anything is under it, and an old one goes when nothing is under it any more. Begun and not ended, a
//! rotation is simply done again.

use super::vault::{As, KeyError, Shut, Vault};
use crate::store::audit::Entry;
use crate::store::secrets::{self, Locked};
use crate::store::{self, Store, settings};
use domain::secret::{KeyRotation, SecretPlan, UnreadableSecret};
use domain::{PlanId, ProjectId, SecretId};
use futures::FutureExt;

/// Secrets put under the new key in one write.
const AT_ONCE: i64 = 100;

fn what(s: &Locked) -> As<'_> {
    As {
        project: s.project_id,
        plan: s.plan_id,
        name: &s.name,
        version: s.n,
    }
}

async fn unreadable(store: &Store, s: &Locked, why: &Shut) -> store::Result<UnreadableSecret> {
    let id = SecretId(s.id);
    let used_by = store
        .write(move |tx| async move { secrets::used_by(tx, id).await }.boxed())
        .await?;
    let plan = s.plan_id.zip(s.plan.clone());
    Ok(UnreadableSecret {
        id,
        name: s.name.clone(),
        plan: plan.map(|(id, name)| SecretPlan { id: PlanId(id), name }),
        why: why.to_string(),
        used_by,
    })
}

/// Makes a new master key, puts every secret under it and lets go of the keys that nothing is under any more; `noted` goes
/// into the audit log. What cannot be opened stays as it is, and so does its key.
///
/// # Errors
/// When the key file or the database cannot be written; whatever was done till then stands, and does no harm.
pub async fn rotate(store: &Store, vault: &Vault, noted: Entry) -> Result<KeyRotation, KeyError> {
    let _alone = vault.rotating().await;
    vault.add_key()?;
    failpoint::reached("server.key-added");
    let (newest, mut after) = (vault.key_id(), 0);
    let key = newest.clone();
    // From this commit on nothing is stored under another key, whoever has sealed it: what is found below is all there is.
    store
        .write(move |tx| {
            let (key, noted) = (key.clone(), noted.clone());
            async move {
                settings::put(tx, secrets::SEALING, &key).await?;
                tx.audit(noted).await
            }
            .boxed()
        })
        .await?;
    failpoint::reached("server.key-named");
    let mut done = KeyRotation::default();
    loop {
        let some = secrets::under_other_keys(store, &newest, after, AT_ONCE).await?;
        let Some(last) = some.last() else { break };
        after = last.id;
        let mut moves = Vec::new();
        for secret in some {
            let renewed = vault.renew(&mut rand::rng(), what(&secret), &secret.sealed);
            match renewed {
                Ok(Some(sealed)) => moves.push((secret, sealed)),
                Ok(None) => {}
                Err(why) => done.unreadable.push(unreadable(store, &secret, &why).await?),
            }
        }
        done.moved += store
            .write(move |tx| {
                let moves = moves.clone();
                async move {
                    let mut moved = 0;
                    for (from, sealed) in &moves {
                        // One that is gone or was set anew meanwhile is not under the old key either.
                        moved += u64::from(secrets::rewrap(tx, from, sealed).await?);
                    }
                    Ok(moved)
                }
                .boxed()
            })
            .await?;
        failpoint::reached("server.secrets-moved");
    }
    vault.keep(&secrets::keys(store).await?)?;
    failpoint::reached("server.key-dropped");
    Ok(done)
}

/// The secrets that do not open, and why.
///
/// # Errors
/// When the database fails.
pub async fn lost(store: &Store, vault: &Vault) -> store::Result<Vec<UnreadableSecret>> {
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        // Under any key at all.
        let some = secrets::under_other_keys(store, "", after, AT_ONCE).await?;
        let Some(last) = some.last() else { return Ok(found) };
        after = last.id;
        for secret in &some {
            if let Err(why) = vault.open_secret(what(secret), &secret.sealed) {
                found.push(unreadable(store, secret, &why).await?);
            }
        }
    }
}

/// Removes secrets, also from what uses them, each with an entry like `noted` in the audit log; for those that are [`lost`].
///
/// # Errors
/// When the database cannot be written; then none is removed.
pub async fn forget(store: &Store, those: &[UnreadableSecret], noted: Entry) -> store::Result<()> {
    let those: Vec<_> = those.iter().map(|s| s.id).collect();
    store
        .write(move |tx| {
            let (those, noted) = (those.clone(), noted.clone());
            async move {
                for id in those {
                    secrets::release(tx, id).await?;
                    let Some(name) = secrets::remove(tx, ProjectId::DEFAULT, id).await? else {
                        continue;
                    };
                    let entry = Entry {
                        object: Some("secret"),
                        object_id: Some(id.0),
                        after: Some(name),
                        ..noted.clone()
                    };
                    tx.audit(entry).await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await
}
