//! The words of the taxonomy in JSON: by name, checked when read.

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
use termination_common::{
    counters,
    engine::guard::Guarded,
    facts,
    taxonomy::{Answer, By, Cause, Ending, Evidence, Holder, Phase, Sequel, Verdict},
};

/// A vocabulary of `termination-common`.
pub trait Named: Copy {
    /// What its words are, for messages.
    const WHAT: &'static str;
    /// The word.
    fn name(self) -> &'static str;
    /// The value of a word.
    fn named(word: &str) -> Option<Self>;
}

macro_rules! named {
    ($($name:ty, $what:literal;)+) => { $(
        impl Named for $name {
            const WHAT: &'static str = $what;
            fn name(self) -> &'static str {
                <$name>::name(self)
            }
            fn named(word: &str) -> Option<Self> {
                <$name>::from_name(word)
            }
        }
    )+ };
}

named! {
    Ending, "ending";
    By, "party";
    Phase, "phase";
    Verdict, "verdict on an RST";
    Cause, "cause";
    Evidence, "kind of evidence";
    Holder, "holder of TIME_WAIT";
    Sequel, "sequel of TIME_WAIT";
    Answer, "answer to a SYN in TIME_WAIT";
    Guarded, "fate of an RST at a guard";
    counters::Event, "event";
    facts::EndState, "state of an end";
}

fn parse<T: Named, E: serde::de::Error>(word: &str) -> Result<T, E> {
    T::named(word).ok_or_else(|| E::custom(format_args!("no {} is called {word:?}", T::WHAT)))
}

/// `#[serde(with = "names::word")]`: a word.
pub mod word {
    use super::{Deserialize, Deserializer, Named, Serializer, parse};

    /// As its name.
    pub fn serialize<T: Named, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(value.name())
    }

    /// From its name.
    pub fn deserialize<'de, T: Named, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        parse(&String::deserialize(from)?)
    }
}

/// `#[serde(with = "names::word_or_null")]`: a word, or null where unknown.
pub mod word_or_null {
    use super::{Deserialize, Deserializer, Named, Serializer, parse};

    /// As its name or null.
    pub fn serialize<T: Named, S: Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.serialize_some(value.name()),
            None => to.serialize_none(),
        }
    }

    /// From its name or null.
    pub fn deserialize<'de, T: Named, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<T>, D::Error> {
        Option::<String>::deserialize(from)?
            .map(|word| parse(&word))
            .transpose()
    }
}

/// `#[serde(with = "names::words")]`: a word or null for each end.
pub mod words {
    use serde::Serialize as _;

    use super::{Deserialize, Deserializer, Named, Serializer, parse};
    use crate::report::Sides;

    /// As names or null.
    pub fn serialize<T: Named, S: Serializer>(
        value: &Sides<Option<T>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(|side| side.map(Named::name)).serialize(to)
    }

    /// From names or null.
    pub fn deserialize<'de, T: Named, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Sides<Option<T>>, D::Error> {
        let Sides {
            originator,
            responder,
        } = Sides::<Option<String>>::deserialize(from)?;
        Ok(Sides {
            originator: originator.map(|word| parse(&word)).transpose()?,
            responder: responder.map(|word| parse(&word)).transpose()?,
        })
    }
}

/// A set of names whose use in a message lists them all.
pub fn list(names: impl IntoIterator<Item = &'static str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// Reads anything that has a text form.
pub(super) fn from_text<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: core::str::FromStr<Err: core::fmt::Display>,
    D: Deserializer<'de>,
{
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}
