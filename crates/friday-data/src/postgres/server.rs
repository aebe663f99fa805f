//! A connection to a server, of which every wait ends.
//!
//! The client has a thread of its own: a server that stands still cannot hold up whoever asked. It reads and
//! marks; it writes no row.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel, sync_channel};
use std::time::Duration;

use postgres::{Client, NoTls, SimpleQueryMessage};

use super::address::{Address, cause};
use super::error::PostgresError;
use crate::course::Watch;

/// How often somebody who waits for an answer looks whether to go on waiting.
const LOOK: Duration = Duration::from_millis(50);

type Ask = Box<dyn FnOnce(&mut Client) + Send>;

/// A connection.
pub struct Server {
    asks: Sender<Ask>,
}

impl Server {
    /// Connects.
    ///
    /// # Errors
    /// [`PostgresError::Connect`], or that time is over.
    pub fn connect(address: &Address, watch: &Watch) -> Result<Self, PostgresError> {
        let (asks, asked) = channel::<Ask>();
        let (tell, told) = sync_channel(1);
        let config = address.config().clone();
        // It ends with the last of `asks`, or with the server's answer after that.
        std::thread::spawn(move || match config.connect(NoTls) {
            Ok(mut client) => {
                let _ = tell.send(Ok(()));
                while let Ok(ask) = asked.recv() {
                    ask(&mut client);
                }
            }
            Err(error) => {
                let _ = tell.send(Err(PostgresError::Connect(cause(&error))));
            }
        });
        loop {
            match told.recv_timeout(LOOK) {
                Ok(came) => return came.map(|()| Self { asks }),
                Err(RecvTimeoutError::Timeout) => watch.poll()?,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(PostgresError::Connect("the client ended".to_owned()));
                }
            }
        }
    }

    /// Does something with the client, in its thread.
    ///
    /// # Errors
    /// PostgreSQL's, with what was being done; or that time is over: the connection is not to be used after that.
    pub fn ask<T: Send + 'static>(
        &self,
        watch: &Watch,
        doing: &str,
        what: impl FnOnce(&mut Client) -> Result<T, postgres::Error> + Send + 'static,
    ) -> Result<T, PostgresError> {
        let (tell, told) = sync_channel(1);
        let lost = || PostgresError::Sql {
            doing: doing.to_owned(),
            says: "the connection is lost".to_owned(),
        };
        let ask: Ask = Box::new(move |client| {
            let _ = tell.send(what(client));
        });
        self.asks.send(ask).map_err(|_| lost())?;
        loop {
            match told.recv_timeout(LOOK) {
                Ok(came) => {
                    return came.map_err(|error| PostgresError::Sql {
                        doing: doing.to_owned(),
                        says: cause(&error),
                    });
                }
                Err(RecvTimeoutError::Timeout) => watch.poll()?,
                Err(RecvTimeoutError::Disconnected) => return Err(lost()),
            }
        }
    }

    /// All rows of a statement of ours, as text; `None` is NULL.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn rows(
        &self,
        watch: &Watch,
        doing: &str,
        sql: &str,
    ) -> Result<Vec<Vec<Option<String>>>, PostgresError> {
        let sql = sql.to_owned();
        self.ask(watch, doing, move |client| rows_of(client, &sql))
    }

    /// The first value of a statement of ours.
    ///
    /// # Errors
    /// As [`Self::ask`]; also where there is none, or where it is NULL.
    pub fn value(&self, watch: &Watch, doing: &str, sql: &str) -> Result<String, PostgresError> {
        let rows = self.rows(watch, doing, sql)?;
        let first = rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten();
        first.ok_or_else(|| PostgresError::Sql {
            doing: doing.to_owned(),
            says: "there is no value".to_owned(),
        })
    }

    /// The first row of a statement of ours, of which none may be NULL.
    ///
    /// # Errors
    /// As [`Self::value`].
    pub fn row<const N: usize>(
        &self,
        watch: &Watch,
        doing: &str,
        sql: &str,
    ) -> Result<[String; N], PostgresError> {
        let row = self.rows(watch, doing, sql)?.into_iter().next().unwrap_or_default();
        let values: Vec<String> = row.into_iter().flatten().collect();
        <[String; N]>::try_from(values).map_err(|values| PostgresError::Sql {
            doing: doing.to_owned(),
            says: format!("{} values came instead of {N}", values.len()),
        })
    }
}

/// All rows of a statement, as text.
///
/// # Errors
/// PostgreSQL's.
pub fn rows_of(
    client: &mut Client,
    sql: &str,
) -> Result<Vec<Vec<Option<String>>>, postgres::Error> {
    let messages = client.simple_query(sql)?;
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
        }
        _ => None,
    });
    Ok(rows.collect())
}
