//! The usual way: one offer, one answer what is lacking, one pack with all of it, one answer.
//!
//! What the host still lacks after a pack was damaged on its side, or could not be made from what it
//! has: it is sent again, and then whole.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use friday_wire::{Answer, Digest, Lacks, Recipe, ReleaseId, Request};
use tokio::sync::mpsc;

use super::{ShipError, Transfer, lost, not_ok};
use crate::fleet::{BodyPiece, BodySource, Connection};
use crate::packing::{Packing, pack};
use crate::stock::parcel::KeptKey;
use crate::stock::{Parcel, StockError};

/// Packs after another in one try. The second one brings what was damaged on the host.
const PACKS_MAX: u32 = 4;

/// Bases tried for one offer; the last try is without.
const BASES_MAX: usize = 3;

/// Frames of a pack that are made before they go out.
const FRAMES_AHEAD: usize = 2;

/// Recipes asked for in one pack: many large files at once are no update.
const RECIPES_ASKED_MAX: usize = 64;

impl Transfer<'_> {
    /// One try.
    pub(super) async fn packs(&mut self, connection: &Connection) -> Result<(), ShipError> {
        let parcel = self.from.stock.parcel(&self.shipment.release).map_err(ShipError::Stock)?;
        let (mut answer, base) = self.offer(connection, &parcel).await?;
        // What was tried from the base and did not become what it should.
        let mut spoiled = BTreeSet::new();
        for _ in 0..PACKS_MAX {
            let lacks = match answer {
                Answer::Ok => return Ok(()),
                Answer::Lacks(lacks) => lacks,
                other => return Err(not_ok(&other)),
            };
            let lacking = lacking(&lacks, &parcel)?;
            let whole = lacking.keys().any(|file| spoiled.contains(file));
            spoiled.extend(lacking.keys().copied());
            let base = base.clone().filter(|_| !whole);
            answer = self.pack(connection, &parcel, base, lacking).await?;
        }
        let why = "files arrive damaged there again and again".to_owned();
        match answer {
            Answer::Ok => Ok(()),
            _ => Err(ShipError::Host { why }),
        }
    }

    /// Offers the release against a base that the host has, if one is known.
    async fn offer(
        &self,
        connection: &Connection,
        parcel: &Arc<Parcel>,
    ) -> Result<(Answer, Option<Arc<Parcel>>), ShipError> {
        let mut known = self.fleet.known_releases(&self.shipment.host);
        for _ in 0..BASES_MAX {
            let base = self.base(connection, &known).await?;
            let answer = self.offer_against(connection, parcel, base.as_deref()).await?;
            match answer {
                Answer::NoBase { known: told } if base.is_some() => {
                    let tried = base.map(|base| base.release);
                    known = told.into_iter().filter(|release| Some(*release) != tried).collect();
                }
                answer => return Ok((answer, base)),
            }
        }
        Ok((self.offer_against(connection, parcel, None).await?, None))
    }

    /// The first of these releases that the stock has; else the first, as the host tells it.
    async fn base(
        &self,
        connection: &Connection,
        known: &[ReleaseId],
    ) -> Result<Option<Arc<Parcel>>, ShipError> {
        let stock = &self.from.stock;
        let stocked = known.iter().find_map(|release| stock.parcel(release).ok());
        let Some(first) = known.first().filter(|_| stocked.is_none()) else { return Ok(stocked) };
        let ask = Request::GetManifest { release: *first };
        let answer = connection.call(&ask, self.deadline).await.map_err(lost)?;
        Ok(match answer {
            Answer::Manifest(manifest)
                if friday_core::release::release_id(&manifest) == *first
                    && manifest.check().is_ok() =>
            {
                Some(stock.kept().keep_parcel(Parcel::new(*first, &manifest)))
            }
            // It does not have it, or something else under its name: then there is no base.
            _ => None,
        })
    }

    async fn offer_against(
        &self,
        connection: &Connection,
        parcel: &Arc<Parcel>,
        base: Option<&Parcel>,
    ) -> Result<Answer, ShipError> {
        let digests = [parcel.release.0, base.map_or(Digest([0; 32]), |base| base.release.0)];
        let prefix = base.map_or(&[][..], |base| &base.body);
        let make = || pack(&parcel.body, prefix);
        let packed = self.from.stock.kept().get(KeptKey::new("offer", &digests, &[]), make);
        let packed = packed.map_err(ShipError::Stock)?;
        let request = Request::Offer {
            release: parcel.release,
            base: base.map(|base| base.release),
            length: parcel.body.len() as u64,
        };
        let body = BodySource::of(&packed, self.from.bandwidth.clone());
        connection.send(&request, body, self.deadline, |_, _| {}).await.map_err(lost)
    }

    async fn pack(
        &mut self,
        connection: &Connection,
        parcel: &Arc<Parcel>,
        base: Option<Arc<Parcel>>,
        lacking: BTreeMap<u32, u64>,
    ) -> Result<Answer, ShipError> {
        let left: u64 = lacking
            .iter()
            .filter_map(|(file, held)| Some(parcel.files.get(*file as usize)?.1 - held))
            .sum();
        let total = self.note_left(left);
        let stock = self.from.stock.clone();
        let mut packing =
            Packing { stock, parcel: Arc::clone(parcel), base, lacking, recipes: BTreeMap::new() };
        packing.recipes = self.recipes(connection, &packing).await?;
        let request = Request::Pack { release: parcel.release };
        let (body, failed) = body(packing, self.from.bandwidth.clone());
        let mut done = total.saturating_sub(left);
        let answer = connection
            .send(&request, body, self.deadline, |_, content| {
                done = (done + content).min(total);
                self.tell(done, total);
            })
            .await;
        // Why the body ended tells more than that it did.
        match failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
            Some(error) => Err(ShipError::Stock(error)),
            None => answer.map_err(lost),
        }
    }

    /// Recipes of what the host has and the stock has not.
    async fn recipes(
        &self,
        connection: &Connection,
        packing: &Packing,
    ) -> Result<BTreeMap<Digest, Arc<Recipe>>, ShipError> {
        let stock = &self.from.stock;
        let mut recipes = BTreeMap::new();
        for file in packing.lacking.keys() {
            let size = packing.parcel.files.get(*file as usize).map_or(0, |(_, size)| *size);
            let from = friday_wire::recipe::RECIPE_FROM;
            let base = packing.base_of(*file).filter(|(_, digest, base_size)| {
                size > from && *base_size > from && !stock.has(digest)
            });
            let Some((_, digest, base_size)) = base else { continue };
            if recipes.len() >= RECIPES_ASKED_MAX {
                break;
            }
            if let Some(recipe) = stock.kept().recipe(&digest) {
                recipes.insert(digest, recipe);
                continue;
            }
            let ask = Request::Recipe { file: digest };
            let answer = connection.call(&ask, self.deadline).await.map_err(lost)?;
            let recipe = match &answer {
                Answer::Recipe { chunks } => parse_recipe(chunks),
                _ => None,
            };
            // A wrong one is found out by the host, as a file that did not become what it should.
            let recipe = recipe.filter(|recipe| recipe.size() == base_size).map(Arc::new);
            if let Some(recipe) = recipe {
                stock.kept().keep_recipe(digest, Arc::clone(&recipe));
                recipes.insert(digest, recipe);
            }
        }
        Ok(recipes)
    }
}

/// What the host says it lacks; a host that names files that are none is not believed.
fn lacking(lacks: &Lacks, parcel: &Parcel) -> Result<BTreeMap<u32, u64>, ShipError> {
    let strange = || ShipError::Host { why: "it lacks files that are none".to_owned() };
    let mut files = lacks.files(parcel.files.len()).ok_or_else(strange)?;
    for (file, held) in &mut files {
        let size = parcel.files.get(*file as usize).map_or(0, |(_, size)| *size);
        *held = (*held).min(size);
    }
    if files.is_empty() { Err(strange()) } else { Ok(files) }
}

fn parse_recipe(text: &str) -> Option<Recipe> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.as_bytes().chunks_exact(2);
    let bytes: Option<Vec<u8>> =
        pairs.map(|pair| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()).collect();
    Recipe::from_bytes(&bytes?).ok()
}

type Failure = Arc<std::sync::Mutex<Option<StockError>>>;

/// Makes the pack in a thread of its own, as far ahead as there is room.
fn body(packing: Packing, limit: crate::bandwidth::Bandwidth) -> (BodySource, Failure) {
    let (sender, pieces) = mpsc::channel(FRAMES_AHEAD);
    let failure = Failure::default();
    let failed = Arc::clone(&failure);
    tokio::task::spawn_blocking(move || {
        let made = packing.run(&mut |frame| {
            let piece = BodyPiece { bytes: frame.bytes, content: frame.content };
            match sender.blocking_send(Ok(piece)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        });
        if let Err(error) = made {
            let why = error.to_string();
            *failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
            // Fails when nobody listens any more.
            let _ = sender.blocking_send(Err(why));
        }
    });
    (BodySource { pieces, limit }, failure)
}
