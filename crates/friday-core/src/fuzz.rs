//! What must hold for any bytes at all: called by fuzzers, and by the tests, which replay what fuzzers
//! found. Compiled for nobody else. A function here panics where something does not hold.

use crate::config;

/// The environments that are tried; the corpus has both.
const ENVIRONMENTS: [Option<&str>; 3] = [None, Some("staging"), Some("nowhere")];

/// A configuration: read, or told what is wrong with it, at places inside the text.
pub fn configuration(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    for env in ENVIRONMENTS {
        let Err(problems) = config::parse("friday.toml", text, env) else { continue };
        assert!(!problems.is_empty(), "refused, and nobody knows why");
        for problem in problems {
            assert!(text.get(problem.span.clone()).is_some(), "{problem:?} is outside the text");
            assert!(!problem.message.is_empty(), "{problem:?} says nothing");
            for said in [Some(&problem.message), Some(&problem.label), problem.hint.as_ref()] {
                let steers = said.is_some_and(|said| said.contains(char::is_control));
                assert!(!steers, "{problem:?} would steer a terminal");
            }
            let (line, column) = problem.position(text);
            assert!(line >= 1 && column >= 1);
        }
    }
}

#[cfg(test)]
mod tests;
