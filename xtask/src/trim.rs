//! Takes functions out of the browser's module that stand in tables and are never called, which no linker can know.
//! Erased views carry pointers for lazy hydration and for templates; `hydrate_body` never follows them.
//!
//! **Invariant:** what is taken out traps when called, so that a wrong guess fails loudly in every browser test.

use std::collections::HashMap;

use anyhow::{Result, anyhow, bail};
use walrus::{ElementItems, FunctionBuilder, FunctionId, Module, TypeId};

/// Words of a mangled name that only functions of no use here have.
const UNUSED: [&str; 2] = ["hydrate_async", "hydrate_from_template"];

/// The module with every table entry that is of no use pointing at a trap; it must still have its names.
pub fn unused(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut module = Module::from_buffer(bytes).map_err(|e| anyhow!("reading the browser's module: {e:#}"))?;
    let useless: HashMap<FunctionId, TypeId> = module
        .funcs
        .iter()
        .filter(|f| f.name.as_deref().is_some_and(is_unused))
        .map(|f| (f.id(), f.ty()))
        .collect();
    if useless.is_empty() {
        bail!("the browser's module has no names, or Leptos calls its functions otherwise now: see xtask/src/trim.rs");
    }
    let mut traps = HashMap::new();
    for ty in useless.values() {
        if !traps.contains_key(ty) {
            let trap = trap(&mut module, *ty);
            traps.insert(*ty, trap);
        }
    }
    for element in module.elements.iter_mut() {
        if let ElementItems::Functions(items) = &mut element.items {
            for item in items {
                if let Some(trap) = useless.get(item).and_then(|ty| traps.get(ty)) {
                    *item = *trap;
                }
            }
        }
    }
    Ok(module.emit_wasm())
}

fn is_unused(name: &str) -> bool {
    UNUSED.iter().any(|word| name.contains(word))
}

fn trap(module: &mut Module, ty: TypeId) -> FunctionId {
    let (params, results) = module.types.params_results(ty);
    let (params, results) = (params.to_vec(), results.to_vec());
    let arguments = params.iter().map(|p| module.locals.add(*p)).collect();
    let mut builder = FunctionBuilder::new(&mut module.types, &params, &results);
    builder.func_body().unreachable();
    builder.finish(arguments, &mut module.funcs)
}
