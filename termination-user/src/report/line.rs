//! Objects as lines of JSON: byte for byte what serde_json writes, in half the time.
//!
//! A line has some 160 names and values, most of them words and small numbers. The
//! names are those of our fields and need no escapes, so they are copied whole; text
//! is looked through for escapes at once, not byte by byte. What is rarer is
//! serde_json's: floating point, text with escapes, and whole objects with sequences
//! in them.

use std::fmt::{self, Write as _};

use serde::{
    Serialize,
    ser::{self, Impossible, SerializeMap, SerializeStruct, Serializer},
};

/// Adds `object` and the end of the line.
///
/// # Errors
///
/// What serde_json says of an object that it cannot write; then nothing is added.
pub fn push(to: &mut Vec<u8>, object: &impl Serialize) -> serde_json::Result<()> {
    let start = to.len();
    if object.serialize(Value(to)).is_err() {
        to.truncate(start);
        if let Err(error) = serde_json::to_writer(&mut *to, object) {
            to.truncate(start);
            return Err(error);
        }
    }
    to.push(b'\n');
    Ok(())
}

/// The object has something in it that is left to serde_json.
#[derive(Debug, thiserror::Error)]
#[error("left to serde_json")]
struct Unfit;

impl ser::Error for Unfit {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

type Outcome<T = ()> = Result<T, Unfit>;

/// Where the next value goes.
struct Value<'a>(&'a mut Vec<u8>);

/// An object that has begun.
struct Fields<'a> {
    to: &'a mut Vec<u8>,
    empty: bool,
}

/// As serde_json writes it.
fn others(to: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) -> Outcome {
    serde_json::to_writer(to, value).map_err(|_| Unfit)
}

/// Nothing in a text has to be escaped (RFC 8259 section 7). Without a way out of
/// the loop, so that many bytes are looked at at once.
fn is_plain(text: &[u8]) -> bool {
    let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    !text
        .iter()
        .fold(false, |found, &byte| found | special(byte))
}

/// Text that is formatted to its place.
struct Text<'a>(&'a mut Vec<u8>);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

macro_rules! numbers {
    ($($name:ident: $of:ty),+) => { $(
        #[inline]
        fn $name(self, value: $of) -> Outcome {
            others(self.0, &value)
        }
    )+ };
}

impl<'a> Serializer for Value<'a> {
    type Ok = ();
    type Error = Unfit;
    type SerializeSeq = Impossible<(), Unfit>;
    type SerializeTuple = Impossible<(), Unfit>;
    type SerializeTupleStruct = Impossible<(), Unfit>;
    type SerializeTupleVariant = Impossible<(), Unfit>;
    type SerializeMap = Fields<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Impossible<(), Unfit>;

    numbers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_f32: f32, serialize_f64: f64, serialize_char: char
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Outcome {
        let word: &[u8] = if value { b"true" } else { b"false" };
        self.0.extend_from_slice(word);
        Ok(())
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Outcome {
        if !is_plain(text.as_bytes()) {
            return others(self.0, text);
        }
        self.0.reserve(text.len() + 2);
        self.0.push(b'"');
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(b'"');
        Ok(())
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Outcome {
        let Self(to) = self;
        let start = to.len();
        to.push(b'"');
        write!(Text(to), "{value}").map_err(|_| Unfit)?;
        if is_plain(&to[start + 1..]) {
            to.push(b'"');
            return Ok(());
        }
        let text = String::from_utf8(to.split_off(start + 1)).map_err(|_| Unfit)?;
        to.truncate(start);
        others(to, &text)
    }

    #[inline]
    fn serialize_none(self) -> Outcome {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Outcome {
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Outcome {
        self.0.extend_from_slice(b"null");
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(self, _: &str, _: u32, name: &str) -> Outcome {
        self.serialize_str(name)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &str, value: &T) -> Outcome {
        value.serialize(self)
    }

    #[inline]
    fn serialize_map(self, _: Option<usize>) -> Outcome<Fields<'a>> {
        Ok(Fields {
            to: self.0,
            empty: true,
        })
    }

    #[inline]
    fn serialize_struct(self, _: &str, _: usize) -> Outcome<Fields<'a>> {
        self.serialize_map(None)
    }

    fn serialize_bytes(self, _: &[u8]) -> Outcome {
        Err(Unfit)
    }

    fn serialize_unit_struct(self, _: &str) -> Outcome {
        Err(Unfit)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &str,
        _: u32,
        _: &str,
        _: &T,
    ) -> Outcome {
        Err(Unfit)
    }

    fn serialize_seq(self, _: Option<usize>) -> Outcome<Impossible<(), Unfit>> {
        Err(Unfit)
    }

    fn serialize_tuple(self, _: usize) -> Outcome<Impossible<(), Unfit>> {
        Err(Unfit)
    }

    fn serialize_tuple_struct(self, _: &str, _: usize) -> Outcome<Impossible<(), Unfit>> {
        Err(Unfit)
    }

    fn serialize_tuple_variant(
        self,
        _: &str,
        _: u32,
        _: &str,
        _: usize,
    ) -> Outcome<Impossible<(), Unfit>> {
        Err(Unfit)
    }

    fn serialize_struct_variant(
        self,
        _: &str,
        _: u32,
        _: &str,
        _: usize,
    ) -> Outcome<Impossible<(), Unfit>> {
        Err(Unfit)
    }
}

impl Fields<'_> {
    /// What precedes the next name.
    #[inline]
    fn next(&mut self) {
        self.to.push(if self.empty { b'{' } else { b',' });
        self.empty = false;
    }

    #[inline]
    fn finish(self) -> Outcome {
        if self.empty {
            self.to.push(b'{');
        }
        self.to.push(b'}');
        Ok(())
    }
}

impl SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Unfit;

    /// Inlined always: there the length of the name is known, and its copy is a move
    /// or two.
    #[inline(always)]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Outcome {
        debug_assert!(is_plain(name.as_bytes()), "{name}");
        self.to.reserve(name.len() + 4);
        self.next();
        self.to.push(b'"');
        self.to.extend_from_slice(name.as_bytes());
        self.to.extend_from_slice(b"\":");
        value.serialize(Value(self.to))
    }

    fn end(self) -> Outcome {
        self.finish()
    }
}

/// What is flattened into another object, and maps; their keys are text.
impl SerializeMap for Fields<'_> {
    type Ok = ();
    type Error = Unfit;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Outcome {
        self.next();
        let start = self.to.len();
        key.serialize(Value(self.to))?;
        if self.to.get(start) == Some(&b'"') {
            Ok(())
        } else {
            // A number would have to be made text.
            Err(Unfit)
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Outcome {
        self.to.push(b':');
        value.serialize(Value(self.to))
    }

    fn end(self) -> Outcome {
        self.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, net::IpAddr};

    use proptest::prelude::*;

    use super::*;

    fn written(object: &impl Serialize) -> String {
        let mut line = b"before\n".to_vec();
        push(&mut line, object).unwrap();
        String::from_utf8(line).unwrap()
    }

    fn expected(object: &impl Serialize) -> String {
        format!("before\n{}\n", serde_json::to_string(object).unwrap())
    }

    #[derive(Serialize)]
    struct Inner {
        text: Option<String>,
        at: IpAddr,
        share: f64,
    }

    #[derive(Serialize)]
    struct Flat {
        signed: i64,
        nothing: (),
    }

    #[derive(Serialize)]
    enum Word {
        One,
    }

    #[derive(Serialize)]
    struct Object {
        number: u64,
        yes: bool,
        word: Word,
        letter: char,
        inner: Option<Inner>,
        #[serde(flatten)]
        flat: Flat,
        map: BTreeMap<String, u8>,
        list: Vec<u8>,
    }

    #[derive(Serialize)]
    struct Empty {}

    proptest! {
        #[test]
        fn it_is_what_serde_json_writes(
            number: u64, yes: bool, letter: char, text: Option<String>, at: u128,
            share: f64, signed: i64, keys: Vec<String>, list: Vec<u8>,
        ) {
            let inner = Inner { text, at: IpAddr::from(at.to_be_bytes()), share };
            prop_assert_eq!(written(&inner), expected(&inner));
            let object = Object {
                number, yes, word: Word::One, letter, inner: Some(inner),
                flat: Flat { signed, nothing: () },
                map: keys.into_iter().zip(0..).collect(),
                list,
            };
            prop_assert_eq!(written(&object), expected(&object));
        }
    }

    #[test]
    fn what_is_left_to_serde_json_leaves_no_trace() {
        let numbered = BTreeMap::from([(1, "one")]);
        assert_eq!(written(&numbered), expected(&numbered));
        assert_eq!(written(&[1, 2]), expected(&[1, 2]));
        assert_eq!(written(&Empty {}), "before\n{}\n");
        assert_eq!(written(&f64::NAN), "before\nnull\n");
        // A key that is none in JSON.
        let never = BTreeMap::from([(vec![1], 1)]);
        let mut line = b"before\n".to_vec();
        assert!(push(&mut line, &never).is_err());
        assert_eq!(line, b"before\n");
    }
}
