//! Whether this kernel can fence steps off (Landlock, DESIGN §10); the shim does it.
//!
//! **Invariant:** it says what the shim will find: both ask the same kernel for the same first rules.

use landlock::{ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr};

/// Whether this kernel has Landlock and it is on.
#[must_use]
pub fn available() -> bool {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))
        .and_then(Ruleset::create)
        .is_ok()
}
