//! The types of the fields in a rules file. The error for a value of a wrong type shows how to write the value.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use bytesize::ByteSize;
use serde::de::value::MapAccessDeserializer;
use serde::de::value::StrDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use crate::error::without_variants;

/// A text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Text(String);

/// A text with a duration. A number without a unit is an error.
pub(super) struct DurationText(String);

/// A list. A single value without brackets is an error.
pub(super) struct List<T>(Vec<T>);

/// A list of texts, or a single text.
pub(super) struct TextOrList(pub(super) Vec<Text>);

/// A table with names that the user chooses.
pub(super) struct Table<T>(pub(super) BTreeMap<String, T>);

/// A table that a file contains once.
#[derive(Default)]
pub(super) struct OneTable<T>(pub(super) T);

/// `true` or `false`.
#[derive(Clone, Copy, Default)]
pub(super) struct Flag(pub(super) bool);

/// One of several names.
#[derive(Clone, Copy, Default)]
pub(super) struct Choice<T>(pub(super) T);

/// A number of bytes.
#[derive(Clone, Copy)]
pub(super) struct Size(pub(super) u64);

impl Text {
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

impl<T> List<T> {
    pub(super) fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl List<Text> {
    pub(super) fn texts(&self) -> Vec<String> {
        self.iter().map(|text| text.0.clone()).collect()
    }
}

impl<T: Copy> List<Choice<T>> {
    pub(super) fn choices(&self) -> Vec<T> {
        self.iter().map(|choice| choice.0).collect()
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Deref for DurationText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

/// Visits a value that must be written as a text. If `unit` is set, the error for another value shows it as a text, and a
/// number with this unit.
struct TextVisitor {
    expected: &'static str,
    unit: Option<&'static str>,
}

impl Visitor<'_> for TextVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
        match self.unit {
            Some(unit) => Err(E::custom(format_args!(
                "write the number as a text: \"{number}{unit}\""
            ))),
            None => Err(E::invalid_type(Unexpected::Signed(number), &self)),
        }
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<String, E> {
        match self.unit {
            Some("") => Err(E::custom(format_args!("write the value as a text: \"{value}\""))),
            _ => Err(E::invalid_type(Unexpected::Bool(value), &self)),
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = TextVisitor {
            expected: "a text in quotation marks",
            unit: Some(""),
        };
        deserializer.deserialize_str(visitor).map(Self)
    }
}

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = TextVisitor {
            expected: "a text with a number and a unit, such as \"5m\"",
            unit: Some("s"),
        };
        deserializer.deserialize_str(visitor).map(Self)
    }
}

struct ListVisitor<T> {
    accepts_one: bool,
    items: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list in brackets")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(list)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
        if self.accepts_one {
            return T::deserialize(StrDeserializer::new(text)).map(|item| vec![item]);
        }
        Err(E::custom(format_args!("write the value as a list: [{text:?}]")))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Vec<T>, E> {
        Err(E::custom(format_args!(
            "write the value as a list of texts: [\"{number}\"]"
        )))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Vec<T>, E> {
        Err(E::custom(format_args!(
            "write the value as a list of texts: [\"{value}\"]"
        )))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Vec<T>, A::Error> {
        Err(A::Error::custom(
            "write a list of values in brackets, and the name of a list of tables in double brackets, such as [[rule]]",
        ))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = ListVisitor {
            accepts_one: false,
            items: PhantomData,
        };
        deserializer.deserialize_any(visitor).map(Self)
    }
}

impl<'de> Deserialize<'de> for TextOrList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = ListVisitor {
            accepts_one: true,
            items: PhantomData,
        };
        deserializer.deserialize_any(visitor).map(Self)
    }
}

struct TableVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TableVisitor<T> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table in braces, such as { name = … }")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut table = BTreeMap::new();
        while let Some((name, value)) = entries.next_entry()? {
            table.insert(name, value);
        }
        Ok(table)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TableVisitor(PhantomData)).map(Self)
    }
}

struct OneTableVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneTableVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table in single brackets, such as [defaults]")
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(entries))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneTable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OneTableVisitor(PhantomData)).map(Self)
    }
}

struct FlagVisitor;

impl Visitor<'_> for FlagVisitor {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true or false, without quotation marks")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<bool, E> {
        Ok(value)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bool(FlagVisitor).map(Self)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Choice<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = TextVisitor {
            expected: "a name in quotation marks",
            unit: None,
        };
        let name = deserializer.deserialize_str(visitor)?;
        let value = T::deserialize(StrDeserializer::new(&name));
        value
            .map(Self)
            .map_err(|error: D::Error| D::Error::custom(without_variants(&error)))
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of bytes, or a text with a unit such as \"5GiB\"")
    }

    fn visit_i64<E: Error>(self, bytes: i64) -> Result<u64, E> {
        let is_negative = |_| E::custom("a size cannot be negative");
        bytes.try_into().map_err(is_negative)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        let size: Result<ByteSize, _> = text.parse();
        let invalid = |_| E::custom(format_args!("{text:?} is not a size; write a size such as \"5GiB\""));
        size.map(|size| size.as_u64()).map_err(invalid)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor).map(Self)
    }
}
