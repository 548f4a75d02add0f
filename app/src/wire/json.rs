//! A JSON reader that is small when compiled: one pass, no positions, one kind of error, structs from objects alone.
//! `serde_json` reads for programs and people, who want to be told where they went wrong; this reads what our server wrote.
//!
//! **Invariant:** whatever `serde_json` writes is read to the same value that `serde_json` reads; it never panics.

use serde::de::{DeserializeOwned, DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};
use std::fmt;

/// The text was not what it had to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer could not be read")
    }
}

impl std::error::Error for Unreadable {}

// Every kind of error is the same, or each type would bring the sentences of its own.
impl Error for Unreadable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
    fn invalid_type(_: serde::de::Unexpected<'_>, _: &dyn serde::de::Expected) -> Self {
        Self
    }
    fn invalid_value(_: serde::de::Unexpected<'_>, _: &dyn serde::de::Expected) -> Self {
        Self
    }
    fn invalid_length(_: usize, _: &dyn serde::de::Expected) -> Self {
        Self
    }
    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        Self
    }
    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Self
    }
    fn missing_field(_: &'static str) -> Self {
        Self
    }
    fn duplicate_field(_: &'static str) -> Self {
        Self
    }
}

/// Result of reading.
pub type Result<T> = std::result::Result<T, Unreadable>;

/// Reads one value.
///
/// # Errors
/// When the text is no JSON or not of this shape.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    let mut reader = Reader {
        text,
        at: 0,
        first: false,
        scratch: String::new(),
    };
    let value = T::deserialize(&mut reader)?;
    if reader.peek().is_some() {
        Err(Unreadable)
    } else {
        Ok(value)
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Whether no item of the innermost open list or object has been read: the next needs no comma before it.
    first: bool,
    /// Holds a string that has escapes.
    scratch: String,
}

enum Number {
    Positive(u64),
    Negative(i64),
    Broken(f64),
}

impl<'a> Reader<'a> {
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        let blank = rest
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\n' | b'\r' | b'\t'))
            .count();
        self.at += blank;
        rest.get(blank).copied()
    }

    fn take(&mut self, wanted: u8) -> Result<()> {
        if self.peek() != Some(wanted) {
            return Err(Unreadable);
        }
        self.at += 1;
        Ok(())
    }

    fn word(&mut self, wanted: &str) -> Result<()> {
        self.peek();
        if !self.text[self.at..].starts_with(wanted) {
            return Err(Unreadable);
        }
        self.at += wanted.len();
        Ok(())
    }

    fn open(&mut self, bracket: u8) -> Result<()> {
        self.take(bracket)?;
        self.first = true;
        Ok(())
    }

    /// Whether another item follows; else the closing bracket has been read.
    fn more(&mut self, close: u8) -> Result<bool> {
        let first = std::mem::replace(&mut self.first, false);
        match self.peek() {
            Some(b) if b == close => {
                self.at += 1;
                Ok(false)
            }
            Some(b',') if !first => {
                self.at += 1;
                Ok(true)
            }
            Some(_) if first => Ok(true),
            _ => Err(Unreadable),
        }
    }

    fn string(&mut self) -> Result<&str> {
        self.take(b'"')?;
        let start = self.at;
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return self.text.get(start..self.at - 1).ok_or(Unreadable);
                }
                Some(b'\\') => return self.escaped(start),
                Some(0..0x20) | None => return Err(Unreadable),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escaped(&mut self, start: usize) -> Result<&str> {
        self.scratch.clear();
        self.scratch.push_str(self.text.get(start..self.at).ok_or(Unreadable)?);
        loop {
            let c = self.text[self.at..].chars().next().ok_or(Unreadable)?;
            self.at += c.len_utf8();
            let c = match c {
                '"' => return Ok(&self.scratch),
                '\\' => {
                    let kind = self.text.as_bytes().get(self.at).copied();
                    self.at += 1;
                    match kind {
                        Some(b'n') => '\n',
                        Some(b't') => '\t',
                        Some(b'r') => '\r',
                        Some(b'b') => '\u{8}',
                        Some(b'f') => '\u{c}',
                        Some(b @ (b'"' | b'\\' | b'/')) => char::from(b),
                        Some(b'u') => self.code_point()?,
                        _ => return Err(Unreadable),
                    }
                }
                '\0'..=' ' if c != ' ' => return Err(Unreadable),
                c => c,
            };
            self.scratch.push(c);
        }
    }

    fn code_point(&mut self) -> Result<char> {
        let high = self.unit()?;
        let code = if (0xd800..0xdc00).contains(&high) && self.text[self.at..].starts_with("\\u") {
            self.at += 2;
            let low = self.unit()?.wrapping_sub(0xdc00);
            if low >= 0x400 {
                return Err(Unreadable);
            }
            0x1_0000 + ((high - 0xd800) << 10) + low
        } else {
            high
        };
        char::from_u32(code).ok_or(Unreadable)
    }

    fn unit(&mut self) -> Result<u32> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(Unreadable)?;
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| Unreadable)
    }

    fn number(&mut self) -> Result<Number> {
        self.peek();
        let rest = &self.text[self.at..];
        let end = rest
            .find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'))
            .unwrap_or(rest.len());
        let digits = &rest[..end];
        self.at += end;
        if let Ok(n) = digits.parse() {
            return Ok(Number::Positive(n));
        }
        if let Ok(n) = digits.parse() {
            return Ok(Number::Negative(n));
        }
        digits.parse().map(Number::Broken).map_err(|_| Unreadable)
    }

    /// Steps over one value.
    fn skip(&mut self) -> Result<()> {
        match self.peek().ok_or(Unreadable)? {
            b'"' => self.string().map(drop),
            b'{' => {
                self.open(b'{')?;
                while self.more(b'}')? {
                    self.string()?;
                    self.take(b':')?;
                    self.skip()?;
                }
                Ok(())
            }
            b'[' => {
                self.open(b'[')?;
                while self.more(b']')? {
                    self.skip()?;
                }
                Ok(())
            }
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.number().map(drop),
        }
    }

    fn visit_number<'de, V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        match self.number()? {
            Number::Positive(n) => visitor.visit_u64(n),
            Number::Negative(n) => visitor.visit_i64(n),
            Number::Broken(n) => visitor.visit_f64(n),
        }
    }

    fn boolean(&mut self) -> Result<bool> {
        let yes = self.peek() == Some(b't');
        self.word(if yes { "true" } else { "false" })?;
        Ok(yes)
    }
}

macro_rules! all_as {
    ($as:ident: $($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            self.$as(visitor)
        }
    )*};
}

impl<'de> serde::Deserializer<'de> for &mut Reader<'_> {
    type Error = Unreadable;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.peek().ok_or(Unreadable)? {
            b'"' => visitor.visit_str(self.string()?),
            b'{' => self.deserialize_map(visitor),
            b'[' => self.deserialize_seq(visitor),
            b't' | b'f' => visitor.visit_bool(self.boolean()?),
            b'n' => self.deserialize_unit(visitor),
            _ => self.visit_number(visitor),
        }
    }

    all_as! { visit_number:
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32
        deserialize_u64 deserialize_f32 deserialize_f64
    }
    all_as! { deserialize_str: deserialize_char deserialize_string deserialize_identifier }
    all_as! { deserialize_any: deserialize_bytes deserialize_byte_buf }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_bool(self.boolean()?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_str(self.string()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.peek() == Some(b'n') {
            self.word("null")?;
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.word("null")?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.open(b'[')?;
        visitor.visit_seq(Items(self))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.open(b'[')?;
        let value = visitor.visit_seq(Items(self))?;
        // A tuple asks for as many as it has and leaves the bracket.
        if self.more(b']')? { Err(Unreadable) } else { Ok(value) }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, n: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_tuple(n, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.open(b'{')?;
        visitor.visit_map(Fields(self))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let whole = self.peek() == Some(b'{');
        if whole {
            self.at += 1;
        }
        let value = visitor.visit_enum(Variant { reader: self, whole })?;
        if whole {
            self.take(b'}')?;
        }
        Ok(value)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.skip()?;
        visitor.visit_unit()
    }
}

struct Items<'r, 'a>(&'r mut Reader<'a>);

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Unreadable;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if !self.0.more(b']')? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.0).map(Some)
    }
}

struct Fields<'r, 'a>(&'r mut Reader<'a>);

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = Unreadable;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if !self.0.more(b'}')? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.0).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        self.0.take(b':')?;
        seed.deserialize(&mut *self.0)
    }
}

struct Variant<'r, 'a> {
    reader: &'r mut Reader<'a>,
    /// Whether it stands in an object with its contents, not alone as a string.
    whole: bool,
}

impl<'de> EnumAccess<'de> for Variant<'_, '_> {
    type Error = Unreadable;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        let value = seed.deserialize(&mut *self.reader)?;
        if self.whole {
            self.reader.take(b':')?;
        }
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, '_> {
    type Error = Unreadable;

    fn unit_variant(self) -> Result<()> {
        if self.whole { self.reader.word("null") } else { Ok(()) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        if self.whole {
            seed.deserialize(self.reader)
        } else {
            Err(Unreadable)
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, n: usize, visitor: V) -> Result<V::Value> {
        if self.whole {
            serde::Deserializer::deserialize_tuple(self.reader, n, visitor)
        } else {
            Err(Unreadable)
        }
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value> {
        if self.whole {
            serde::Deserializer::deserialize_map(self.reader, visitor)
        } else {
            Err(Unreadable)
        }
    }
}

#[cfg(test)]
mod tests;
