//! Server functions of plans.
//!
//! **Invariant:** each gets the viewer, calls its ports and returns; a form that is refused without a script comes back
//! with everything that was typed.

#[cfg(feature = "ssr")]
use super::view::{Draft, RevisionRow, TaskRow};
use super::view::{EditView, PlanPage, PlansView};
use crate::error::Result;
use domain::PlanId;
use domain::plan::view::PlanCheck;
use leptos::prelude::*;

/// A page of plans.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "plans/list", protocol = crate::wire::Get)]
pub async fn list_plans(#[server(default)] q: String, #[server(default)] cursor: String) -> Result<PlansView> {
    use crate::context::{viewer, visit};
    let (visit, viewer) = (visit()?, viewer()?);
    // The number first: news that come between the two reads are then heard again, never missed.
    let seq = visit.ports.tasks.seq().await.map_err(crate::Error::respond)?;
    let page = domain::page::PageQuery {
        limit: None,
        cursor: Some(cursor).filter(|c| !c.is_empty()),
    };
    let q = Some(q).filter(|q| !q.trim().is_empty());
    let plans = visit
        .ports
        .plans
        .list(&viewer, q, page)
        .await
        .map_err(crate::Error::respond)?;
    Ok(PlansView {
        seq,
        now: visit.now,
        plans,
    })
}

/// One plan with a page of its tasks and the document of a revision; 0 is the current one.
///
/// # Errors
/// What the ports say.
#[server(prefix = "/ui", endpoint = "plans/get", protocol = crate::wire::Get)]
pub async fn get_plan(
    plan: PlanId,
    #[server(default)] revision: i64,
    #[server(default)] cursor: String,
) -> Result<PlanPage> {
    use crate::context::{viewer, visit};
    use domain::page::PageQuery;
    let (visit, viewer) = (visit()?, viewer()?);
    let ports = visit.ports;
    let seq = ports.tasks.seq().await.map_err(crate::Error::respond)?;
    let found = ports.plans.get(&viewer, plan).await.map_err(crate::Error::respond)?;
    let wanted = domain::task::TaskQuery {
        plan: vec![plan.to_string()],
        page: PageQuery {
            limit: Some(20),
            cursor: Some(cursor).filter(|c| !c.is_empty()),
        },
        ..Default::default()
    };
    let tasks = ports.tasks.list(&viewer, wanted).await.map_err(crate::Error::respond)?;
    let tasks = domain::page::Page {
        items: tasks.items.into_iter().map(row).collect(),
        next_cursor: tasks.next_cursor,
    };
    let newest = PageQuery {
        limit: Some(20),
        cursor: None,
    };
    let revisions = ports
        .plans
        .revisions(&viewer, plan, newest)
        .await
        .map_err(crate::Error::respond)?
        .items;
    let mut document = found.document;
    let shown = if revision > 0 { revision } else { found.summary.revision };
    if shown != found.summary.revision {
        let one = PageQuery {
            limit: Some(1),
            cursor: Some((shown + 1).to_string()),
        };
        let old = ports
            .plans
            .revisions(&viewer, plan, one)
            .await
            .map_err(crate::Error::respond)?
            .items;
        let old = old.into_iter().find(|r| r.number == shown);
        let absent = || crate::Error::respond(domain::Error::NotFound(format!("Revision {shown} of plan {plan}")));
        document = old.ok_or_else(absent)?.document;
    }
    let revisions = revisions
        .into_iter()
        .map(|r| RevisionRow {
            number: r.number,
            author: r.author,
            message: r.message,
            created_at: r.created_at,
        })
        .collect();
    Ok(PlanPage {
        seq,
        now: visit.now,
        plan: found.summary,
        tasks,
        revisions,
        shown,
        document,
    })
}

#[cfg(feature = "ssr")]
fn row(t: domain::task::TaskView) -> TaskRow {
    TaskRow {
        id: t.id,
        status: t.status,
        desired: t.desired,
        reason: t.reason,
        message: t
            .message
            .as_deref()
            .and_then(|m| m.lines().next())
            .unwrap_or_default()
            .to_owned(),
        revision: t.revision,
        branch: t.branch,
        cause: t.cause,
        created_at: t.created_at,
        started_at: t.started_at,
        finished_at: t.finished_at,
    }
}

/// The editor of a plan, as it stands or as it was refused (`draft` from the address; 0 is none).
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "plans/edit", protocol = crate::wire::Get)]
pub async fn get_edit(plan: PlanId, #[server(default)] draft: u64) -> Result<EditView> {
    use crate::context::{ports, viewer};
    let viewer = viewer()?;
    let found = ports()?.plans.get(&viewer, plan).await.map_err(crate::Error::respond)?;
    let (name, revision) = (found.summary.name.clone(), found.summary.revision);
    if let Some((mut draft, refused)) = super::drafts::take_up(viewer.user, &format!("/plans/{plan}/edit"), draft) {
        let stale = refused.status() == 409 && draft.version != found.summary.version;
        if stale {
            // The page says what has happened; whoever saves again does it over what stands there now.
            draft.version = found.summary.version;
        }
        return Ok(EditView {
            name,
            revision,
            draft,
            refused: Some(refused),
            stale,
        });
    }
    let draft = Draft {
        version: found.summary.version,
        document: found.document,
        description: found.summary.description,
        enabled: found.summary.enabled,
        message: String::new(),
    };
    Ok(EditView {
        name,
        revision,
        draft,
        refused: None,
        stale: false,
    })
}

/// The editor of a new plan, empty or as it was refused.
///
/// # Errors
/// `Unauthenticated`; `Forbidden` for those who may not write plans.
#[server(prefix = "/ui", endpoint = "plans/new", protocol = crate::wire::Get)]
pub async fn get_new(#[server(default)] draft: u64) -> Result<EditView> {
    use domain::auth::{Action, Scope, authorize};
    let viewer = crate::context::viewer()?;
    authorize(&viewer, Action::Write, Scope::default_project("the plans")).map_err(crate::Error::respond)?;
    let kept = super::drafts::take_up(viewer.user, "/plans/new", draft);
    let (draft, refused) = match kept {
        Some((draft, refused)) => (draft, Some(refused)),
        None => (
            Draft {
                document: super::drafts::FIRST.into(),
                enabled: true,
                ..Draft::default()
            },
            None,
        ),
    };
    Ok(EditView {
        name: String::new(),
        revision: 0,
        draft,
        refused,
        stale: false,
    })
}

/// Checks a document while it is written.
///
/// # Errors
/// What the port says; a wrong document is no error.
#[server(prefix = "/ui", endpoint = "plans/check", protocol = crate::wire::Post)]
pub async fn check_plan(document: String) -> Result<PlanCheck> {
    use crate::context::{ports, viewer};
    ports()?
        .plans
        .validate(&viewer()?, document, false)
        .await
        .map_err(crate::Error::respond)
}

/// Makes a plan and leads to it.
///
/// # Errors
/// What the port says. Without a script the editor comes back with what was typed.
#[server(prefix = "/ui", endpoint = "plans/create", protocol = crate::wire::Post)]
pub async fn create_plan(document: String, #[server(default)] description: String) -> Result<()> {
    use crate::context::{ports, viewer};
    let viewer = viewer()?;
    let document = document.replace("\r\n", "\n");
    let wish = domain::plan::view::NewPlan {
        name: None,
        description: Some(description.clone()),
        document: document.clone(),
        enabled: None,
    };
    match ports()?.plans.create(&viewer, wish).await {
        Ok(made) => {
            leptos_axum::redirect(&format!("/plans/{}", made.summary.id));
            Ok(())
        }
        Err(e) => {
            let draft = Draft {
                document,
                description,
                enabled: true,
                ..Draft::default()
            };
            super::drafts::refused(viewer.user, "/plans/new", draft, e)
        }
    }
}

/// Saves a plan and leads to it.
///
/// # Errors
/// What the port says: `Conflict` when the plan has changed since `version`. Without a script the editor comes back with
/// what was typed.
#[server(prefix = "/ui", endpoint = "plans/save", protocol = crate::wire::Post)]
pub async fn save_plan(
    plan: PlanId,
    version: i64,
    document: String,
    #[server(default)] description: String,
    #[server(default)] enabled: bool,
    #[server(default)] message: String,
) -> Result<()> {
    use crate::context::{ports, viewer};
    let viewer = viewer()?;
    // Browsers send line breaks of forms as CR LF.
    let document = document.replace("\r\n", "\n");
    let wish = domain::plan::view::SavePlan {
        version,
        name: None,
        description: Some(description.clone()),
        document: document.clone(),
        enabled: Some(enabled),
        message: Some(message.clone()),
    };
    match ports()?.plans.save(&viewer, plan, wish).await {
        Ok(_) => {
            leptos_axum::redirect(&format!("/plans/{plan}"));
            Ok(())
        }
        Err(e) => {
            let draft = Draft {
                version,
                document,
                description,
                enabled,
                message,
            };
            super::drafts::refused(viewer.user, &format!("/plans/{plan}/edit"), draft, e)
        }
    }
}

/// Takes a plan away and leads to the list.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "plans/delete", protocol = crate::wire::Post)]
pub async fn delete_plan(plan: PlanId) -> Result<()> {
    use crate::context::{ports, viewer};
    ports()?
        .plans
        .delete(&viewer()?, plan)
        .await
        .map_err(crate::Error::respond)?;
    leptos_axum::redirect("/plans");
    Ok(())
}

/// Runs a plan and leads to the task. An empty branch or revision leaves the choice to the plan.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "plans/run", protocol = crate::wire::Post)]
pub async fn run_plan(
    plan: PlanId,
    #[server(default)] branch: String,
    #[server(default)] revision: String,
    #[server(default)] priority: i64,
) -> Result<()> {
    use crate::context::{ports, viewer};
    let given = |s: String| Some(s.trim().to_owned()).filter(|s| !s.is_empty());
    let wish = domain::task::RunPlan {
        branch: given(branch),
        revision: given(revision),
        priority: Some(priority),
        ..Default::default()
    };
    let manual = domain::task::CauseKind::Manual;
    let task = ports()?
        .tasks
        .run(&viewer()?, plan, wish, manual)
        .await
        .map_err(crate::Error::respond)?;
    leptos_axum::redirect(&format!("/tasks/{}", task.id));
    Ok(())
}
