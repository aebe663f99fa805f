//! The web server: a few threads, three addresses.
//!
//! `/` the page, `POST /sign` a new entry, `/healthz` whether the database works. SIGTERM ends the
//! process as the system does by default; the database makes that safe at any moment.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tiny_http::{Header, Method, Request, Response, Server, StatusCode};

use crate::book::{Book, Entry};
use crate::form::{self, BODY_LEN_MAX};
use crate::look::Look;
use crate::page;

/// Threads that answer. The database has one writer anyway; four keep one slow guest from blocking all.
const WORKERS: usize = 4;

/// The longest name and message, characters.
const NAME_LEN_MAX: usize = 60;
const WORDS_LEN_MAX: usize = 500;

/// The longest gift as it is written, characters: no more than a jar can hold.
const GIFT_LEN_MAX: usize = 9;

type Reply = Response<std::io::Cursor<Vec<u8>>>;

struct Guestbook {
    book: Mutex<Book>,
    look: Look,
    served: AtomicU64,
}

/// Answers requests for ever.
pub fn serve(listen: &str, book: Book, look: Look) -> Result<(), Box<dyn std::error::Error>> {
    let server =
        Server::http(listen).map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let (server, guestbook) = (
        Arc::new(server),
        Arc::new(Guestbook { book: Mutex::new(book), look, served: AtomicU64::new(0) }),
    );
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (server, guestbook) = (Arc::clone(&server), Arc::clone(&guestbook));
            thread::spawn(move || {
                for mut request in server.incoming_requests() {
                    let reply = guestbook.answer(&mut request);
                    // A guest who hung up does not need the answer.
                    let _ = request.respond(reply);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().map_err(|_| "a worker ended")?;
    }
    Ok(())
}

impl Guestbook {
    fn answer(&self, request: &mut Request) -> Reply {
        let path = request.url().split('?').next().unwrap_or_default().to_owned();
        match (request.method(), path.as_str()) {
            (Method::Get | Method::Head, "/") => self.page(),
            (Method::Get | Method::Head, "/healthz") => self.health(),
            (Method::Post, "/sign") => self.sign(request),
            _ => text(404, "There is nothing here."),
        }
    }

    fn page(&self) -> Reply {
        let served = self.served.fetch_add(1, Ordering::Relaxed) + 1;
        if self.look.page_fails_after.is_some_and(|limit| served > limit) {
            return text(500, "The page could not be drawn: out of memory for guests.");
        }
        match self.with_book(Book::shown) {
            Ok(shown) => {
                let body = page::render(&self.look, &shown, served);
                Response::from_string(body)
                    .with_header(header("Content-Type", "text/html; charset=utf-8"))
            }
            Err(error) => text(500, &format!("The book cannot be read: {error}")),
        }
    }

    fn health(&self) -> Reply {
        match self.with_book(Book::check) {
            Ok(()) => text(200, "ok"),
            Err(error) => text(503, &format!("database: {error}")),
        }
    }

    fn sign(&self, request: &mut Request) -> Reply {
        let mut body = String::new();
        let limit = BODY_LEN_MAX as u64 + 1;
        if request.as_reader().take(limit).read_to_string(&mut body).is_err() {
            return text(400, "The form could not be read.");
        }
        if body.len() > BODY_LEN_MAX {
            return text(413, "That is too long.");
        }
        let name = trimmed(&body, "name", NAME_LEN_MAX);
        let words = trimmed(&body, "words", WORDS_LEN_MAX);
        if name.is_empty() || words.is_empty() {
            return text(400, "Please give a name and a few words.");
        }
        let place = trimmed(&body, "place", NAME_LEN_MAX);
        let Some(gift) = form::cents(&trimmed(&body, "gift", GIFT_LEN_MAX)) else {
            return text(400, "Please give as you would write it: 12 or 12.50.");
        };
        let entry = Entry { name, words, place, gift, at: String::new() };
        match self.with_book(|book| book.sign(&entry)) {
            Ok(()) => text(303, "Thank you.").with_header(header("Location", "/")),
            Err(error) => text(500, &format!("The book cannot be written: {error}")),
        }
    }

    fn with_book<T>(&self, act: impl FnOnce(&mut Book) -> T) -> T {
        // The database undoes what a thread left half done, so a poisoned lock harms nobody.
        act(&mut self.book.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn trimmed(body: &str, name: &str, len_max: usize) -> String {
    form::field(body, name).unwrap_or_default().trim().chars().take(len_max).collect()
}

fn text(status: u16, body: &str) -> Reply {
    Response::from_string(body)
        .with_status_code(StatusCode(status))
        .with_header(header("Content-Type", "text/plain; charset=utf-8"))
}

fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("the headers of this file are plain ASCII")
}
