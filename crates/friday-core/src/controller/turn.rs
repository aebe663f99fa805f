//! One turn: draft, append, commit. To be written.
