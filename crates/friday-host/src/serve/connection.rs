//! One connection: reads frames, answers what concerns files, logs and friday-host itself, and hands
//! everything else to the state machine. Answers are written by a second thread, so that a slow peer
//! delays nobody but itself.

use std::io::{BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use friday_wire::frame::{self, Call, Frame, FrameError, Reply};
use friday_wire::{Answer, Part, ProcessName, Request, Scrutiny, WIRE_VERSION, WIRE_VERSION_MIN};
use serde::Deserialize;

use super::connections::ConnectionId;
use super::event::{Event, Outgoing, ReplyTo};
use super::shipment::{IncomingOffer, Shipments};
use crate::host::Host;
use crate::note::note;
use crate::output::shown;
use crate::place::{is_plain_name, write_json};
use crate::store::Transfer;
use friday_wire::Digest;

/// Answers that wait for a slow peer; then they are dropped.
const ANSWERS_MAX: usize = 256;

/// Talks until the peer leaves or stops making sense.
pub fn converse(host: &'static Host, id: ConnectionId, stream: &UnixStream) {
    let (writer, answers) = mpsc::sync_channel(ANSWERS_MAX);
    let Ok(out) = stream.try_clone() else { return };
    let writing = thread::Builder::new()
        .name("answers".to_owned())
        .spawn(move || write_answers(host, out, &answers));
    if writing.is_err() {
        return;
    }
    let shipments = Shipments::new(host);
    let mut talk = Talk { host, writer, greeted: false, file: File::None, shipments };
    let mut reader = BufReader::new(stream);
    loop {
        let taken = frame::read_frame(&mut reader).and_then(|frame| {
            host.connections.heard(id);
            talk.take(frame)
        });
        match taken {
            Ok(()) => {}
            Err(FrameError::Closed) => break,
            Err(error) => {
                note(&format!("a connection is closed: {}", shown(error.to_string().as_bytes())));
                break;
            }
        }
    }
    talk.leave_file();
}

/// Writes answers until the connection is gone. Facts about the machine are filled in here: they
/// take time that the state machine's thread does not have.
fn write_answers(host: &Host, mut stream: UnixStream, answers: &Receiver<Outgoing>) {
    for Outgoing { number, scrutiny, mut answer } in answers {
        if let Answer::Observed(observation) = &mut answer {
            observation.facts = host.facts(observation.head.current, scrutiny);
            if let (Some(app), Scrutiny::Close) = (&mut observation.app, scrutiny) {
                for process in &mut app.processes {
                    process.job = crate::job::facts(host, app.release, &process.part);
                }
            }
        }
        if let Err(error) = frame::write_json(&mut stream, &Reply { number, answer }) {
            note(&format!("an answer could not be written: {error}"));
            let _ = stream.shutdown(std::net::Shutdown::Both);
            return;
        }
    }
    let _ = stream.flush();
}

/// What data frames belong to.
enum File {
    None,
    /// On its way in.
    Into {
        number: u64,
        digest: Digest,
        transfer: Transfer,
    },
    /// An offer on its way in.
    Offer {
        number: u64,
        offer: IncomingOffer,
    },
    /// A pack on its way in, taken in by a thread of its own.
    Pack(SyncSender<Vec<u8>>),
    /// Already answered; what still comes is thrown away up to the empty frame.
    Rest,
}

struct Talk {
    host: &'static Host,
    writer: SyncSender<Outgoing>,
    greeted: bool,
    file: File,
    shipments: Shipments,
}

/// Enough of an envelope to answer one that cannot be understood.
#[derive(Deserialize)]
struct NumberOnly {
    number: u64,
}

impl Talk {
    fn take(&mut self, frame: Frame) -> Result<(), FrameError> {
        match frame {
            Frame::Data(bytes) => self.take_bytes(bytes),
            Frame::Json(body) => match frame::parse::<Call>(&body) {
                Ok(call) => self.take_call(call),
                Err(error) => {
                    // A newer friday's question deserves an answer; anything else is garbage.
                    let NumberOnly { number } = frame::parse(&body)?;
                    let why = format!("this friday-host does not understand the request ({error})");
                    self.answer(number, Answer::Error { why });
                    Ok(())
                }
            },
        }
    }

    fn answer(&self, number: u64, answer: Answer) {
        self.reply_to(number).send(answer);
    }

    fn reply_to(&self, number: u64) -> ReplyTo {
        ReplyTo { number, scrutiny: Scrutiny::Brief, writer: self.writer.clone() }
    }

    fn take_call(&mut self, Call { number, request }: Call) -> Result<(), FrameError> {
        match request {
            Request::Put { digest, size, offset } => {
                return self.begin_file(number, digest, size, offset);
            }
            Request::Offer { release, base, length } => {
                let offer = IncomingOffer { release, base, length, packed: Vec::new() };
                return self.begin_body(number, |_| Ok(File::Offer { number, offer }));
            }
            Request::Pack { release } => {
                return self.begin_body(number, |talk| {
                    talk.shipments.pack(release, talk.reply_to(number)).map(File::Pack)
                });
            }
            _ => {}
        }
        if self.host.is_handed_over() {
            self.answer(number, error("friday-host is being replaced; connect again"));
            return Ok(());
        }
        if !self.greeted && !matches!(request, Request::Hello { .. }) {
            self.answer(number, error("the first request of a connection is `hello`"));
            return Ok(());
        }
        if let Some(answer) = self.answer_here(number, request) {
            self.answer(number, answer);
        }
        Ok(())
    }

    /// What the shell answers itself; `None`: the state machine will.
    fn answer_here(&mut self, number: u64, request: Request) -> Option<Answer> {
        let host = self.host;
        match request {
            Request::Hello { wire, wire_min, friday, fleet, host: name } => {
                Some(self.greet(wire, wire_min, &friday, &fleet, &name))
            }
            Request::Missing { files } => {
                Some(Answer::Missing { files: host.store.missing(&files) })
            }
            Request::PutManifest { release, manifest } => {
                match host.store.put_manifest(release, &manifest) {
                    Ok(()) => self.hand_on(number, Request::PutManifest { release, manifest }),
                    Err(why) => Some(error(why)),
                }
            }
            Request::Recipe { file } => {
                aside(self.reply_to(number), move || answer_recipe(host, file));
                None
            }
            Request::Verify => {
                aside(self.reply_to(number), move || answer_verify(host));
                None
            }
            Request::PutSecrets { version, values } => Some(put_secrets(host, &version, &values)),
            Request::PutSignature { release, signature } => Some(
                crate::signature::put(&host.place, release, &signature)
                    .map_or_else(error, |()| Answer::Ok),
            ),
            Request::Log { release, process, lines } => Some(log(host, release, process, lines)),
            Request::GetManifest { release } => Some(
                host.store
                    .manifest(release)
                    .map_or_else(error, |manifest| Answer::Manifest(Box::new(manifest))),
            ),
            Request::Examine => {
                let examination = crate::examine::examine(&host.place, &host.owner().fleet);
                Some(Answer::Examined(Box::new(examination)))
            }
            Request::Upgrade { fence, program, confirm_ms } => {
                crate::upgrade::begin(host, &fence, program, confirm_ms, self.reply_to(number));
                None
            }
            Request::Leave { fence, drain_ms, stop_ms } => {
                crate::leave::begin(host, &fence, (drain_ms, stop_ms), self.reply_to(number));
                None
            }
            Request::Rename { fence, to } => Some(rename(host, &fence, to)),
            Request::ConfirmUpgrade { fence } => Some(crate::upgrade::confirm(host, &fence)),
            other => self.hand_on(number, other),
        }
    }

    fn hand_on(&self, number: u64, request: Request) -> Option<Answer> {
        let scrutiny = match request {
            Request::Read { scrutiny } => scrutiny,
            _ => Scrutiny::Brief,
        };
        let reply = ReplyTo { scrutiny, ..self.reply_to(number) };
        let event = Event::Asked { request: Box::new(request), reply };
        self.host.inbox.send(event).err().map(|_| error("friday-host is ending"))
    }

    fn greet(
        &mut self,
        wire: u32,
        wire_min: u32,
        friday: &str,
        fleet: &friday_wire::FleetName,
        name: &friday_wire::HostName,
    ) -> Answer {
        let owner = self.host.owner();
        if wire < WIRE_VERSION_MIN || wire_min > WIRE_VERSION {
            return error(format!(
                "friday {} speaks protocol {wire_min} to {wire}, this friday-host {} speaks \
                 {WIRE_VERSION_MIN} to {WIRE_VERSION}",
                shown(friday.as_bytes()),
                env!("CARGO_PKG_VERSION")
            ));
        }
        if *fleet != owner.fleet {
            return error(format!(
                "`{}` belongs to fleet `{}`, not to `{fleet}`",
                self.host.place.dir().display(),
                owner.fleet
            ));
        }
        if *name != owner.host {
            return error(format!(
                "`{}` is host `{}`, not `{name}`; is the address right? If it is the same server under \
                 another name: `friday hosts rename {} {name}`",
                self.host.place.dir().display(),
                owner.host,
                owner.host
            ));
        }
        self.greeted = true;
        Answer::Hello {
            wire: wire.min(WIRE_VERSION),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            program: self.host.program,
        }
    }

    fn begin_file(
        &mut self,
        number: u64,
        digest: Digest,
        size: u64,
        offset: u64,
    ) -> Result<(), FrameError> {
        self.begin_body(number, |talk| {
            let store = &talk.host.store;
            if store.has(digest) {
                talk.answer(number, Answer::Ok);
                return Ok(File::Rest);
            }
            let transfer = store.receive(digest, size, offset);
            let transfer = transfer.map_err(|why| why.to_string())?;
            Ok(File::Into { number, digest, transfer })
        })
    }

    /// Data frames follow. Whatever is refused, they must be read to their end.
    fn begin_body(
        &mut self,
        number: u64,
        begin: impl FnOnce(&Self) -> Result<File, String>,
    ) -> Result<(), FrameError> {
        if !matches!(self.file, File::None) {
            return Err(FrameError::Garbage("a file inside a file".to_owned()));
        }
        let begun = if self.host.is_handed_over() || !self.greeted {
            Err("no file is taken now; connect again".to_owned())
        } else {
            begin(self)
        };
        self.file = begun.unwrap_or_else(|why| {
            self.answer(number, error(why));
            File::Rest
        });
        Ok(())
    }

    fn take_bytes(&mut self, bytes: Vec<u8>) -> Result<(), FrameError> {
        let ends = bytes.is_empty();
        match &mut self.file {
            File::None => return Err(FrameError::Garbage("bytes of no file".to_owned())),
            File::Rest => {}
            File::Into { number, digest, transfer } => {
                let result = feed(transfer, &bytes);
                if ends || result.is_err() {
                    let (number, digest) = (*number, *digest);
                    self.host.store.ended(digest, transfer);
                    self.answer(number, result.map_or_else(error, |()| Answer::Ok));
                    self.file = File::Rest;
                }
            }
            File::Offer { number, offer } => {
                if let Err(why) = offer.add(&bytes) {
                    let number = *number;
                    self.answer(number, error(why));
                    self.file = File::Rest;
                }
            }
            // Its thread may have given up and answered; then what still comes is thrown away.
            File::Pack(frames) => {
                let _ = frames.send(bytes);
            }
        }
        if ends && let File::Offer { number, offer } = std::mem::replace(&mut self.file, File::None)
        {
            self.shipments.offer(offer, self.reply_to(number));
        }
        if ends {
            self.file = File::None;
        }
        Ok(())
    }

    /// The peer left in the middle of a file: what came is kept for the next transfer.
    fn leave_file(&self) {
        if let File::Into { digest, transfer, .. } = &self.file {
            self.host.store.ended(*digest, transfer);
        }
    }
}

/// Bytes into the file; no bytes end it.
fn feed(transfer: &Transfer, bytes: &[u8]) -> Result<(), String> {
    let mut held = transfer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let receiving = held.as_mut().ok_or("a newer connection sends this file")?;
    if !bytes.is_empty() {
        return receiving.write(bytes).map_err(|error| error.to_string());
    }
    held.take().map_or(Ok(()), |receiving| receiving.finish().map_err(|error| error.to_string()))
}

/// Answers from a thread of its own: it takes as long as reading files takes.
fn aside(reply: super::event::ReplyTo, answer: impl FnOnce() -> Answer + Send + 'static) {
    let told = reply.clone();
    let thread = thread::Builder::new().name("reading".to_owned());
    if let Err(why) = thread.spawn(move || reply.send(answer())) {
        told.send(error(why));
    }
}

fn answer_recipe(host: &Host, file: Digest) -> Answer {
    host.store
        .recipe(file)
        .map_or_else(error, |recipe| Answer::Recipe { chunks: hexadecimal(&recipe.to_bytes()) })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|half| char::from_digit(u32::from(half), 16).unwrap_or('0'))
        .collect()
}

fn answer_verify(host: &Host) -> Answer {
    let _alone = host.building.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    crate::store::verify::verify(&host.place, &host.store).map_or_else(error, Answer::Verified)
}

fn error(why: impl std::fmt::Display) -> Answer {
    Answer::Error { why: why.to_string() }
}

fn rename(host: &Host, fence: &friday_wire::Fence, to: friday_wire::HostName) -> Answer {
    if let Err(answer) = crate::upgrade::admit(host, fence) {
        return answer;
    }
    if to.as_str().is_empty() || to.as_str().len() > 256 || to.as_str().contains(char::is_control) {
        return error("that is not a name for a host");
    }
    note(&format!("this host is called `{to}` from now on"));
    host.rename(to).map_or_else(
        |why| error(format!("the new name could not be stored: {why}")),
        |()| Answer::Ok,
    )
}

fn put_secrets(
    host: &Host,
    version: &friday_wire::SecretsVersion,
    values: &std::collections::BTreeMap<String, String>,
) -> Answer {
    if !is_plain_name(version.as_str()) {
        return error("a name of secrets has letters, digits, `-`, `_` and `.` only");
    }
    let odd = values.iter().find(|(name, value)| !crate::environment::is_settable(name, value));
    if let Some((name, _)) = odd {
        return error(format!("the secret `{}` cannot be set", shown(name.as_bytes())));
    }
    write_json(&host.place.secrets(version), values).map_or_else(
        |why| error(format!("the secrets could not be stored: {why}")),
        |()| Answer::Ok,
    )
}

fn log(
    host: &Host,
    release: Option<friday_wire::ReleaseId>,
    process: Option<ProcessName>,
    lines: u32,
) -> Answer {
    let Some(release) = release.or_else(|| crate::tree::pointed(&host.place)) else {
        return error("no release runs here");
    };
    let part = match process {
        Some(process) if !friday_wire::process::is_name(process.as_str()) => {
            return error("that is not the name of a process");
        }
        Some(process) => Part::Process(process),
        None if host.place.output(release, &Part::Run).exists() => Part::Run,
        // On a host whose role runs one process, that is whose output is meant.
        None => match host.place.outputs(release).as_slice() {
            [] => Part::Run,
            [one] => Part::Process(one.clone()),
            several => {
                let names: Vec<&str> = several.iter().map(ProcessName::as_str).collect();
                return error(format!(
                    "several processes wrote: {}; name one with --process",
                    names.join(", ")
                ));
            }
        },
    };
    // One that is not held any more left its lines, if any, in a file of ours.
    let run = host.store.manifest(release).map(|manifest| manifest.run);
    let supervisor = run.map(|run| run.unit.supervisor).unwrap_or_default();
    crate::app::output(&host.place, release, &part, supervisor, lines).map_or_else(
        |why| error(format!("the log cannot be read: {why}")),
        |lines| Answer::Log { lines },
    )
}
