//! The ports of triggers, their firings, and hooks.
//!
//! **Invariant:** no method answers a secret but the one that has just made it.

use crate::auth::Viewer;
use crate::page::{Page, PageQuery};
use crate::trigger::{
    Checked, Counts, CronPreview, CronQuestion, Day, DeliveryView, FiringView, HookView, KnownFields, MadeTrigger,
    Neighbour, NewHook, NewTrigger, PutHook, PutTrigger, ReceivedView, RulesCheck, RulesQuestion, Tried, TriggerQuery,
    TriggerView, TryOut, Verdict,
};
use crate::{FiringId, HookId, Result, TriggerId};
use async_trait::async_trait;

/// Triggers.
#[async_trait]
pub trait Triggers: Send + Sync {
    /// A page of triggers, newest first.
    async fn list(&self, viewer: &Viewer, query: TriggerQuery, page: PageQuery) -> Result<Page<TriggerView>>;
    /// How many there are.
    async fn counts(&self, viewer: &Viewer) -> Result<Counts>;
    /// What these did on each of the last 30 days, in the order given.
    async fn days(&self, viewer: &Viewer, triggers: Vec<TriggerId>) -> Result<Vec<Vec<Day>>>;
    /// One.
    async fn get(&self, viewer: &Viewer, id: TriggerId) -> Result<TriggerView>;
    /// Makes one, with a hook of its own where it needs one; every problem at once.
    async fn create(&self, viewer: &Viewer, wish: NewTrigger) -> Result<MadeTrigger>;
    /// Saves one; `Conflict` when `version` is stale.
    async fn save(&self, viewer: &Viewer, id: TriggerId, wish: PutTrigger) -> Result<TriggerView>;
    /// Switches one on or off.
    async fn enable(&self, viewer: &Viewer, id: TriggerId, on: bool) -> Result<TriggerView>;
    /// Removes one with its firings, and the hook that was made with it when nothing else listens to it.
    async fn delete(&self, viewer: &Viewer, id: TriggerId) -> Result<()>;
    /// Fires one now, whatever its rules say.
    async fn fire(&self, viewer: &Viewer, id: TriggerId) -> Result<FiringView>;
    /// Looks at what a poll looks at, now; `Conflict` for other kinds, and while it is looked at.
    async fn check(&self, viewer: &Viewer, id: TriggerId) -> Result<Checked>;
    /// A page of firings, newest first; of one trigger where given.
    async fn firings(
        &self,
        viewer: &Viewer,
        trigger: Option<TriggerId>,
        verdicts: Vec<Verdict>,
        page: PageQuery,
    ) -> Result<Page<FiringView>>;
    /// One firing, with its delivery.
    async fn firing(&self, viewer: &Viewer, id: FiringId) -> Result<FiringView>;
    /// Decides again about what a firing was about, by the trigger as it is now.
    async fn replay(&self, viewer: &Viewer, id: FiringId) -> Result<FiringView>;
    /// What an expression of cron means, its next ten times, and who else fires then.
    async fn preview(&self, viewer: &Viewer, what: CronQuestion) -> Result<CronPreview>;
    /// Other schedules that are on, newest first, at most 200.
    async fn others(&self, viewer: &Viewer, but: Option<TriggerId>) -> Result<Vec<Neighbour>>;
    /// The fields that the last deliveries of a hook had.
    async fn known_fields(&self, viewer: &Viewer, hook: HookId) -> Result<KnownFields>;
    /// What is wrong with rules, and what is probably not meant.
    async fn check_rules(&self, viewer: &Viewer, what: RulesQuestion) -> Result<RulesCheck>;
    /// Says what would be decided; nothing is started or saved.
    async fn try_out(&self, viewer: &Viewer, what: TryOut) -> Result<Tried>;
}

/// Hooks.
#[async_trait]
pub trait Hooks: Send + Sync {
    /// All, newest first.
    async fn list(&self, viewer: &Viewer) -> Result<Vec<HookView>>;
    /// One.
    async fn get(&self, viewer: &Viewer, id: HookId) -> Result<HookView>;
    /// Makes one; its secret is in the answer when it was made here.
    async fn create(&self, viewer: &Viewer, wish: NewHook) -> Result<HookView>;
    /// Saves one; `Conflict` when `version` is stale.
    async fn save(&self, viewer: &Viewer, id: HookId, wish: PutHook) -> Result<HookView>;
    /// Removes one; `Conflict` while triggers listen to it.
    async fn delete(&self, viewer: &Viewer, id: HookId) -> Result<()>;
    /// Its newest deliveries whose payloads are kept, newest first, at most 50.
    async fn deliveries(&self, viewer: &Viewer, id: HookId) -> Result<Vec<DeliveryView>>;
    /// Its newest deliveries without their payloads, with what came of each, newest first, at most 50.
    async fn received(&self, viewer: &Viewer, id: HookId) -> Result<Vec<ReceivedView>>;
}
