//! Whether a repository in a bucket can be reached: looked at before anybody needs it.

use friday_wire::data::{Finding, FindingState, RepositoryPlace};

use super::bucket::Depth;
use super::shelf::Shelf;
use super::{Repository, RepositoryError};
use crate::failure::Failure;
use crate::request::Setting;

/// Lists what is in the bucket; `None`: it is a directory. It writes nothing.
pub fn finding(setting: &Setting<'_>) -> Option<Finding> {
    // A directory is made where it is opened, and a look changes nothing.
    let RepositoryPlace::S3 { .. } = setting.database.repository.place else { return None };
    let told = |state, says, help| Finding { subject: "repository".to_owned(), state, says, help };
    match setting.repository() {
        Ok(Repository { dir: Shelf::Bucket { bucket, name, .. }, .. }) => {
            let shown = format!("s3://{}/{name}", bucket.name());
            Some(match bucket.below(&format!("{name}/backups/"), Depth::Here) {
                Ok(below) => {
                    let count = below.directories.len();
                    told(FindingState::Good, format!("`{shown}` answers; {count} backups"), None)
                }
                Err(error) => {
                    let failure = Failure::from(RepositoryError::from(error));
                    told(FindingState::Bad, format!("`{shown}`: {}", failure.why), failure.help)
                }
            })
        }
        Ok(_) => None,
        Err(error) => {
            let failure = Failure::from(error);
            Some(told(FindingState::Bad, failure.why, failure.help))
        }
    }
}
