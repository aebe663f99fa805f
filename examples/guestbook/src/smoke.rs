//! A smoke test of a guestbook that runs: as a guest would, over HTTP, on the port that `PORT` names.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// What the test writes, and looks for later.
const WORDS: &str = "Signed by a smoke test.";

/// How long each answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Signs the book, with a gift.
pub fn write() -> Result<(), String> {
    let form = format!("name=Smoke&gift=1.25&words={}", WORDS.replace(' ', "+"));
    let length = form.len();
    let request = format!(
        "POST /sign HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {length}\r\n\r\n{form}"
    );
    let answer = ask(&request)?;
    match status(&answer) {
        Some("303") => Ok(()),
        _ => Err(format!("the book did not take the entry: {}", last_line(&answer))),
    }
}

/// Finds the entry on the page.
pub fn read() -> Result<(), String> {
    let answer = ask("GET / HTTP/1.0\r\n\r\n")?;
    match status(&answer) {
        Some("200") if answer.contains(WORDS) => Ok(()),
        Some("200") => Err("the page does not show what was written".to_owned()),
        _ => Err(format!("the page was not shown: {}", last_line(&answer))),
    }
}

fn ask(request: &str) -> Result<String, String> {
    let port = std::env::var("PORT").map_err(|_| "PORT is not set".to_owned())?;
    let port: u16 = port.parse().map_err(|_| format!("`{port}` is no port"))?;
    let answer = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    answer().map_err(|error| format!("port {port} does not answer: {error}"))
}

fn status(answer: &str) -> Option<&str> {
    answer.lines().next()?.split(' ').nth(1)
}

fn last_line(answer: &str) -> &str {
    answer.lines().last().unwrap_or("it said nothing")
}
