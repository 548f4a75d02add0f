//! Takes functions out of the browser's module that stand in tables and are never called, which no linker can know.
//! Erased views carry pointers for lazy hydration and for templates; `hydrate_body` never follows them.
//!
//! **Invariant:** what is taken out traps when called, so that a wrong guess fails loudly in every browser test.

use std::collections::HashMap;

use anyhow::{Result, anyhow, bail};
use walrus::{ElementItems, FunctionBuilder, FunctionId, Module, ModuleConfig, TypeId};

/// Ends of mangled names, before the hash: the functions themselves and their state machines. No other closures of
/// theirs, whose bodies the compiler may have merged with those of useful ones.
const UNUSED: [&str; 3] = [
    "13hydrate_async",
    "13hydrate_async28_$u7b$$u7b$closure$u7d$$u7d$",
    "21hydrate_from_template",
];

/// The main module with every table entry that is of no use pointing at a trap; it must still have its names.
pub fn main(bytes: &[u8]) -> Result<Vec<u8>> {
    Ok(unused(bytes, &mut ModuleConfig::new(), true)?.emit_wasm())
}

/// The same for a chunk, which needs nothing but its code and data from here on.
pub fn chunk(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut module = unused(bytes, ModuleConfig::new().generate_name_section(false), false)?;
    walrus::passes::gc::run(&mut module);
    let customs: Vec<_> = module.customs.iter().map(|(id, _)| id).collect();
    for id in customs {
        module.customs.delete(id);
    }
    Ok(module.emit_wasm())
}

fn unused(bytes: &[u8], config: &mut ModuleConfig, required: bool) -> Result<Module> {
    let mut module = config
        .strict_validate(false)
        .generate_producers_section(false)
        .parse(bytes)
        .map_err(|e| anyhow!("reading the browser's module: {e:#}"))?;
    let useless: HashMap<FunctionId, TypeId> = module
        .funcs
        .iter()
        .filter(|f| f.name.as_deref().is_some_and(is_unused))
        .map(|f| (f.id(), f.ty()))
        .collect();
    if required && useless.is_empty() {
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
    Ok(module)
}

fn is_unused(name: &str) -> bool {
    // As `…13hydrate_async17h0123456789abcdefE`.
    let end = name.rfind("17h").unwrap_or_default();
    UNUSED.iter().any(|word| name[..end].ends_with(word))
}

fn trap(module: &mut Module, ty: TypeId) -> FunctionId {
    let (params, results) = module.types.params_results(ty);
    let (params, results) = (params.to_vec(), results.to_vec());
    let arguments = params.iter().map(|p| module.locals.add(*p)).collect();
    let mut builder = FunctionBuilder::new(&mut module.types, &params, &results);
    builder.func_body().unreachable();
    builder.finish(arguments, &mut module.funcs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_functions_of_the_tables_are_unused() {
        for (name, unused) in [
            (
                "_ZN53_$LT$T$u20$as$u20$IntoAny$GT$8into_any13hydrate_async17h14af1cf776078bc2E",
                true,
            ),
            (
                "_ZN5Thing13hydrate_async28_$u7b$$u7b$closure$u7d$$u7d$17h14af1cf776078bc2E",
                true,
            ),
            (
                "_ZN8IntoAttr13into_any_attr21hydrate_from_template17h14af1cf776078bc2E",
                true,
            ),
            (
                "_ZN5Thing13hydrate_async28_$u7b$$u7b$closure$u7d$$u7d$4prep17h2f1fab2643688a98E",
                false,
            ),
            (
                "_ZN53_$LT$T$u20$as$u20$IntoAny$GT$8into_any19hydrate_from_server17h14af1cf776078bc2E",
                false,
            ),
            ("hydrate", false),
        ] {
            assert_eq!(is_unused(name), unused, "{name}");
        }
    }
}
