//! Masking: secrets in a stream of output are found, however they were encoded or cut, and a mark stands in their place.
//!
//! [`Secret`] is a value that can be masked, [`Masks`] the search for all secrets of a build, [`Masker`] replaces them in one stream
//! by `[secret:NAME]`, [`Cover`] by `*` where lengths must stay. Names are no secrets; the mark tells people which value was hidden, and
//! nothing about it. All of this is pure: bytes in, bytes out.
//!
//! # What is found
//!
//! The value without white space around it, and of a value with lines each line of 8 bytes or more, in these forms:
//!
//! * as it is, with `\n` or `\r\n` between lines;
//! * base64 and base64url, with and without padding, wherever in a longer encoded text it begins (three alignments), also of its UTF-16LE as PowerShell
//!   takes it; up to 4 bits of its first and of its last byte stay in the characters that they share with their neighbours;
//! * hex in lower or upper case;
//! * base64 and hex also wrapped to lines of at least 32 characters, with any end of line and indentation;
//! * UTF-16 of either byte order;
//! * percent-encoded, with either case of digits, with `+` or `%20` for a space, once or twice;
//! * escaped with backslashes, once or twice: JSON, string literals of most languages, `\x41`, octal, `$'…'` and `\ ` of shells;
//! * within single quotes of a shell (`'\''`, `'"'"'`), with doubled quotes (SQL, CSV, YAML, PowerShell), with entities (XML, HTML);
//! * with ANSI sequences, NUL or carriage returns anywhere in it, also within JSON;
//! * all of the escapes also around base64 and hex, and with only a part of the value escaped.
//!
//! # What is not found
//!
//! * values of fewer than 8 bytes (they cannot become a [`Secret`]) and shorter lines of longer values, when they stand alone;
//! * parts of a value, changes of case, other separators (`de:ad`, `d e`), reversed text, a value that is spread over other text or over two streams;
//! * base32, quoted-printable, hex dumps with addresses, base64 or hex of a base64 or hex text, base64 of a percent-encoded value;
//! * `\xe9` for the character é, as Python's `ascii()` writes it (found is the byte);
//! * anything compressed, encrypted or hashed.

mod escape;
mod forms;
mod found;
mod glance;
mod masker;
mod patterns;
mod reading;
mod scanner;
mod secret;
mod stage;

pub use masker::{Cover, InvalidMasks, MAX_SECRETS_BYTES, Masker, Masks};
pub use secret::{
    InvalidSecret, MAX_SECRET_BYTES, MAX_SECRET_NAME_BYTES, MIN_SECRET_BYTES, Secret,
};
