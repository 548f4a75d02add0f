//! Ids: issued by the database, never reused, plain integers on the wire.
//!
//! **Invariant:** an id of one noun cannot be passed where another noun's is wanted.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(pub i64);
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                s.parse().map(Self)
            }
        }
    )*};
}

ids! {
    /// A project: what plans, secrets, triggers and grants belong to.
    ProjectId,
    /// A plan.
    PlanId,
    /// A task: one execution of one plan.
    TaskId,
    /// A job of a task.
    JobId,
    /// The nth try of a job.
    AttemptId,
    /// A step of an attempt.
    StepId,
    /// An agent.
    AgentId,
    /// A user.
    UserId,
    /// An API token.
    TokenId,
    /// A token that registers agents.
    AgentTokenId,
    /// A secret.
    SecretId,
    /// A repository.
    RepositoryId,
    /// A hook: an address for deliveries.
    HookId,
    /// A delivery that a hook took.
    DeliveryId,
    /// A trigger.
    TriggerId,
    /// One evaluation of a trigger.
    FiringId,
}

impl ProjectId {
    /// The one project there is for now, `default`.
    pub const DEFAULT: Self = Self(1);
}
