//! Landlock: what of the machine a process step can see (DESIGN §10).
//!
//! **Invariant:** a step reads the system's programs and settings, writes its workspace and its scratch folder, and sees
//! nothing else, the agent's own data least of all. Where the kernel cannot, steps run unfenced, and the agent says so.

use landlock::{
    ABI, Access, AccessFs, BitFlags, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    make_bitflags, path_beneath_rules,
};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
use shim::wire::Fence;

/// The newest rules asked for; an older kernel enforces what it knows.
const NEWEST: ABI = ABI::V6;
/// Readable and executable for every step.
const SYSTEM: &[&str] = &[
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/dev", "/proc",
];
/// Writable for every step: devices that hold nothing.
const DEVICES: &[&str] = &[
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/pts",
];
/// Settings that some systems keep as links to a place outside `/etc`; names would not resolve without.
const LINKED: &[&str] = &["/etc/resolv.conf", "/etc/localtime", "/etc/hosts"];

/// Fences this thread and all it will start; answers whether the kernel took any of it.
pub(super) fn close(fence: &Fence) -> Result<bool, RulesetError> {
    let (read, all) = (AccessFs::from_read(NEWEST), AccessFs::from_all(NEWEST));
    let device: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | WriteFile | ReadDir | IoctlDev});
    let linked = LINKED.iter().filter_map(|l| std::fs::canonicalize(l).ok());
    let status = Ruleset::default()
        .handle_access(all)?
        .scope(Scope::Signal)?
        .create()?
        .add_rules(path_beneath_rules(SYSTEM, read))?
        .add_rules(path_beneath_rules(linked, read))?
        .add_rules(path_beneath_rules(&fence.readable, read))?
        .add_rules(path_beneath_rules(DEVICES, device))?
        .add_rules(path_beneath_rules(&fence.writable, all))?
        .restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

/// Takes from this thread's future programs every capability that steps in containers have not either. A root that kept
/// them could read the agent's environment: the kernel lets them pass Landlock there.
pub(super) fn lower() -> Result<(), Errno> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let kept = CapabilitySet::CHOWN
        | CapabilitySet::DAC_OVERRIDE
        | CapabilitySet::FOWNER
        | CapabilitySet::FSETID
        | CapabilitySet::KILL
        | CapabilitySet::SETGID
        | CapabilitySet::SETUID;
    for bit in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        if kept.contains(one) {
            continue;
        }
        match remove_capability_from_bounding_set(one) {
            // Beyond the last that this kernel knows.
            Err(Errno::INVAL) => return Ok(()),
            done => done?,
        }
    }
    Ok(())
}
