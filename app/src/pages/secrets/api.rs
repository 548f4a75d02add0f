//! Server functions of secrets.
//!
//! **Invariant:** each gets the viewer, calls its ports and returns; none answers a value.

use crate::error::Result;
use domain::secret::{SecretPlan, SecretUser, SecretView};
use domain::{SecretId, Timestamp};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// Where secrets are listed.
pub const LIST: &str = "/admin/secrets";

/// All secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretsView {
    /// The instant it was read at.
    pub now: Timestamp,
    /// Those of the project and of its plans, by name.
    pub secrets: Vec<SecretView>,
}

/// All secrets, without their values.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "secrets/list", protocol = crate::wire::Get)]
pub async fn list_secrets() -> Result<SecretsView> {
    use crate::context::{viewer, visit};
    let (visit, viewer) = (visit()?, viewer()?);
    let secrets = visit.ports.secrets.list(&viewer).await;
    Ok(SecretsView {
        now: visit.now,
        secrets: secrets.map_err(crate::Error::respond)?,
    })
}

/// One secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretPage {
    /// The instant it was read at.
    pub now: Timestamp,
    /// The secret, without its value.
    pub secret: SecretView,
    /// What uses it.
    pub users: Vec<SecretUser>,
}

/// One secret, without its value.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "secrets/get", protocol = crate::wire::Get)]
pub async fn get_secret(secret: SecretId) -> Result<SecretPage> {
    use crate::context::{viewer, visit};
    let (visit, viewer) = (visit()?, viewer()?);
    let found = visit.ports.secrets.get(&viewer, secret).await;
    let users = visit.ports.secrets.users(&viewer, secret).await;
    Ok(SecretPage {
        now: visit.now,
        secret: found.map_err(crate::Error::respond)?,
        users: users.map_err(crate::Error::respond)?,
    })
}

/// The plans that a new secret can be for, by name.
///
/// # Errors
/// `Unauthenticated`; `Forbidden` for those who may not write secrets.
#[server(prefix = "/ui", endpoint = "secrets/new", protocol = crate::wire::Get)]
pub async fn get_new_secret() -> Result<Vec<SecretPlan>> {
    use crate::context::{ports, viewer};
    use domain::auth::{Action, Scope, authorize};
    use domain::page::PageQuery;
    let (ports, viewer) = (ports()?, viewer()?);
    authorize(&viewer, Action::Write, Scope::default_project("the secrets")).map_err(crate::Error::respond)?;
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let query = PageQuery {
            limit: Some(200),
            cursor,
        };
        let page = ports
            .plans
            .list(&viewer, None, query)
            .await
            .map_err(crate::Error::respond)?;
        let plan = |p: domain::plan::view::PlanSummary| SecretPlan { id: p.id, name: p.name };
        all.extend(page.items.into_iter().map(plan));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// A value as a form sends it. A text area has no line ends but LF, and a form sends them as CRLF, which would spoil a key.
#[cfg(feature = "ssr")]
fn typed(value: &str) -> domain::secret::SecretValue {
    let value = value.replace("\r\n", "\n");
    domain::secret::SecretValue(domain::secret::without_line_end(&value).to_owned())
}

/// Makes a secret and leads to the list; `plan` is a plan's id, or empty for the whole project.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "secrets/create", protocol = crate::wire::Post)]
pub async fn create_secret(
    name: String,
    #[server(default)] plan: String,
    #[server(default)] value: String,
) -> Result<()> {
    use crate::context::{ports, viewer};
    let plan_id = match plan.as_str() {
        "" => None,
        id => Some(id.parse().map_err(|_| {
            crate::Error::respond(domain::Error::invalid_field(
                "plan_id",
                "Choose a plan, or the whole project.",
            ))
        })?),
    };
    let wish = domain::secret::NewSecret {
        name: name.trim().to_owned(),
        plan_id,
        value: typed(&value),
    };
    ports()?
        .secrets
        .create(&viewer()?, wish)
        .await
        .map_err(crate::Error::respond)?;
    leptos_axum::redirect(LIST);
    Ok(())
}

/// Sets a secret anew and leads to the list.
///
/// # Errors
/// What the port says; `Conflict` when someone else has set it meanwhile.
#[server(prefix = "/ui", endpoint = "secrets/set", protocol = crate::wire::Post)]
pub async fn set_secret(secret: SecretId, version: i64, #[server(default)] value: String) -> Result<()> {
    use crate::context::{ports, viewer};
    let wish = domain::secret::SetSecret {
        version,
        value: typed(&value),
    };
    ports()?
        .secrets
        .set(&viewer()?, secret, wish)
        .await
        .map_err(crate::Error::respond)?;
    leptos_axum::redirect(LIST);
    Ok(())
}

/// Removes a secret and leads to the list.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "secrets/remove", protocol = crate::wire::Post)]
pub async fn remove_secret(secret: SecretId) -> Result<()> {
    use crate::context::{ports, viewer};
    ports()?
        .secrets
        .delete(&viewer()?, secret)
        .await
        .map_err(crate::Error::respond)?;
    leptos_axum::redirect(LIST);
    Ok(())
}
