//! A small application for the tests: serves HTTP on `PORT`, and misbehaves as its words say.
//!
//! `/` answers with the file `version` beside it, `/env` with its environment, anything else 404.
//! `--daemon`: forks a child into a session of its own and ends; the child serves.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

fn main() -> std::io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--daemon") {
        Command::new("setsid")
            .arg(std::env::current_exe()?)
            .stdin(Stdio::null())
            .spawn()
            .map(drop)?;
        return Ok(());
    }
    let port = std::env::var("PORT").unwrap_or_default();
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    writeln!(std::io::stdout(), "listening on {port}")?;
    for stream in listener.incoming() {
        let mut stream = stream?;
        let mut request = [0_u8; 2_048];
        let got = stream.read(&mut request).unwrap_or(0);
        let line = String::from_utf8_lossy(&request[..got]);
        let (status, body) = match line.split_whitespace().nth(1) {
            Some("/") => ("200 OK", std::fs::read_to_string("version").unwrap_or_default()),
            Some("/env") => ("200 OK", environment()),
            _ => ("404 Not Found", String::new()),
        };
        let _ = write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
    }
    Ok(())
}

fn environment() -> String {
    std::env::vars().map(|(name, value)| format!("{name}={value}\n")).collect()
}
