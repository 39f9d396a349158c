//! The one use case behind every route: admission, validate, encode, publish, receipt; and the error table.
