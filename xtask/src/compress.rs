//! Writes `.br` and `.gz` beside each file of the site that gets smaller by it.
//! It is done once, at build time and at the highest level, so that the server only chooses.
//!
//! **Invariant:** a compressed file exists only where it saves at least a tenth; the server falls back to the plain one.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow};
use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;

/// What is already compressed in itself.
const PACKED: [&str; 6] = ["woff2", "png", "jpg", "webp", "br", "gz"];

/// Compresses every file below `folder`.
pub fn tree(folder: &Path) -> Result<()> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    thread::scope(|scope| {
        let workers: Vec<_> = files.iter().map(|path| scope.spawn(|| file(path))).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().map_err(|_| anyhow!("a compressing thread panicked"))?)
    })
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if !path
            .extension()
            .is_some_and(|extension| PACKED.iter().any(|packed| extension == *packed))
        {
            files.push(path);
        }
    }
    Ok(())
}

fn file(path: &Path) -> Result<()> {
    let plain = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    keep_if_smaller(path, "br", &plain, &brotli(&plain)?)?;
    keep_if_smaller(path, "gz", &plain, &gzip(&plain)?)
}

fn brotli(plain: &[u8]) -> Result<Vec<u8>> {
    let mut packed = Vec::new();
    let parameters = BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        size_hint: plain.len(),
        ..Default::default()
    };
    brotli::BrotliCompress(&mut &plain[..], &mut packed, &parameters)?;
    Ok(packed)
}

fn gzip(plain: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain)?;
    Ok(encoder.finish()?)
}

fn keep_if_smaller(path: &Path, extension: &str, plain: &[u8], packed: &[u8]) -> Result<()> {
    if packed.len() * 10 > plain.len() * 9 {
        return Ok(());
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    fs::write(&name, packed).with_context(|| format!("writing {}", Path::new(&name).display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_gets_smaller_has_compressed_twins() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("pkg")).unwrap();
        fs::write(at("pkg/caracal.css"), "body { color: black }\n".repeat(100)).unwrap();
        fs::write(at("tiny.svg"), "<svg/>").unwrap();
        fs::write(at("font.woff2"), "a".repeat(1000)).unwrap();
        tree(dir.path()).unwrap();

        for (name, twins) in [("pkg/caracal.css", true), ("tiny.svg", false), ("font.woff2", false)] {
            for extension in ["br", "gz"] {
                assert_eq!(at(&format!("{name}.{extension}")).exists(), twins, "{name}.{extension}");
            }
        }
        let mut plain = Vec::new();
        brotli::BrotliDecompress(&mut &fs::read(at("pkg/caracal.css.br")).unwrap()[..], &mut plain).unwrap();
        assert_eq!(plain, fs::read(at("pkg/caracal.css")).unwrap());
    }
}
