//! Images: DescribeImages, and the images that a world begins with.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Call, invalid_combination, names, not_found, page};
use crate::place::{Place, arn};
use crate::wire::{Refusal, Value, map};

/// An image to put into a world. Everything but the name has a default that fits a Windows fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageSeed {
    /// Name, unique for its owner.
    pub name: String,
    /// `PRIVATE`, `PUBLIC` or `SHARED`. A shared one is found by its ARN only.
    pub visibility: String,
    /// `AVAILABLE`, or any other state (also `DEPRECATED`, which the model lacks and AWS's error texts have).
    pub state: String,
    /// Platform, as AWS spells it.
    pub platform: String,
    /// Family of graphics images (`graphics-g4dn`); absent for all others.
    pub family: Option<String>,
    /// Owner of a shared image. Absent: an account that nobody else has.
    pub owner: Option<String>,
    /// Account that sees it. Absent: every account.
    pub account: Option<String>,
    /// Region that has it. Absent: every region.
    pub region: Option<String>,
}

impl Default for ImageSeed {
    fn default() -> Self {
        Self {
            name: "windlass-demo-v1".to_owned(),
            visibility: "PRIVATE".to_owned(),
            state: "AVAILABLE".to_owned(),
            platform: "WINDOWS_SERVER_2022".to_owned(),
            family: None,
            owner: None,
            account: None,
            region: None,
        }
    }
}

/// Owner of shared images that name none.
const SHARING_ACCOUNT: &str = "210987654321";

/// The images of a world that was not told otherwise.
///
/// | name | what |
/// |---|---|
/// | `windlass-demo-v1`, `-v2`, `-v3` | private, Windows Server 2022 |
/// | `windlass-demo-2019` | private, Windows Server 2019: another operating system |
/// | `windlass-demo-linux` | private, Amazon Linux 2 |
/// | `windlass-demo-graphics` | private, Windows Server 2022, for `stream.graphics-g4dn.*` |
/// | `windlass-demo-public` | public |
/// | `windlass-demo-deprecated` | public, `DEPRECATED`: no fleet can be created or started with it |
/// | `windlass-demo-pending` | private, `PENDING` |
/// | `windlass-demo-shared` | shared by account 210987654321: found by its ARN only |
#[must_use]
pub fn seeds() -> Vec<ImageSeed> {
    let seed = |name: &str| ImageSeed { name: format!("windlass-demo-{name}"), ..ImageSeed::default() };
    let public = |name: &str| ImageSeed { visibility: "PUBLIC".to_owned(), ..seed(name) };
    vec![
        seed("v1"),
        seed("v2"),
        seed("v3"),
        ImageSeed { platform: "WINDOWS_SERVER_2019".to_owned(), ..seed("2019") },
        ImageSeed { platform: "AMAZON_LINUX2".to_owned(), ..seed("linux") },
        ImageSeed { family: Some("graphics-g4dn".to_owned()), ..seed("graphics") },
        public("public"),
        ImageSeed { state: "DEPRECATED".to_owned(), ..public("deprecated") },
        ImageSeed { state: "PENDING".to_owned(), ..seed("pending") },
        ImageSeed { visibility: "SHARED".to_owned(), ..seed("shared") },
    ]
}

/// An image as one place sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Image {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) visibility: String,
    pub(crate) state: String,
    pub(crate) platform: String,
    pub(crate) family: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) tags: std::collections::BTreeMap<String, String>,
}

impl Place {
    /// Puts an image here, if it is meant for this place.
    pub(crate) fn put_image(&mut self, seed: &ImageSeed, now: Timestamp) {
        let elsewhere = |only: &Option<String>, here: &str| only.as_deref().is_some_and(|one| one != here);
        if elsewhere(&seed.account, &self.account) || elsewhere(&seed.region, &self.region) {
            return;
        }
        let owner = match (seed.visibility.as_str(), &seed.owner) {
            // The ARN of a public image has an empty account.
            ("PUBLIC", _) => "",
            ("SHARED", None) => SHARING_ACCOUNT,
            (_, Some(owner)) => owner,
            (_, None) => &self.account,
        };
        let arn = arn("appstream", &self.region, owner, &format!("image/{}", seed.name));
        self.images.insert(
            arn.clone(),
            Image {
                name: seed.name.clone(),
                arn,
                visibility: seed.visibility.clone(),
                state: seed.state.clone(),
                platform: seed.platform.clone(),
                family: seed.family.clone(),
                created_at: now,
                tags: std::collections::BTreeMap::new(),
            },
        );
    }

    /// A lookup by name misses shared images: only their ARN is unique.
    pub(crate) fn image_by_name(&self, name: &str) -> Option<&Image> {
        self.images.values().find(|image| image.name == name && image.visibility != "SHARED")
    }
}

/// DescribeImages.
pub(crate) fn describe(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let (by_name, by_arn) = (names(call, "Names"), names(call, "Arns"));
    let kind = call.input["Type"].as_str();
    if !by_name.is_empty() && !by_arn.is_empty() {
        return Err(invalid_combination("You can specify Names or Arns, not both."));
    }
    let unknown = |named: &str| not_found(format!("The image {named} for account {} does not exist.", place.account));
    let found: Vec<&Image> = if !by_arn.is_empty() {
        let find = |arn: &&str| place.images.get(*arn).ok_or_else(|| unknown(arn));
        by_arn.iter().map(find).collect::<Result<_, _>>()?
    } else if !by_name.is_empty() {
        let find = |name: &&str| place.image_by_name(name).ok_or_else(|| unknown(name));
        by_name.iter().map(find).collect::<Result<_, _>>()?
    } else {
        place.images.values().collect()
    };
    let listed = found.into_iter().filter(|image| kind.is_none_or(|kind| image.visibility == kind));
    let spelled = listed.map(|image| (image.arn.clone(), spell(image))).collect();
    // The model bounds MaxResults by 25; 0 and absent give the bound.
    let size = call.input["MaxResults"].as_i64().filter(|size| *size > 0).unwrap_or(25);
    page(call, &place.laws, usize::try_from(size).unwrap_or(25), "Images", spelled)
}

fn spell(image: &Image) -> Value {
    let mut spelled = map([
        ("Name", image.name.as_str().into()),
        ("Arn", image.arn.as_str().into()),
        ("DisplayName", image.name.as_str().into()),
        ("State", image.state.as_str().into()),
        ("Visibility", image.visibility.as_str().into()),
        ("ImageBuilderSupported", true.into()),
        ("Platform", image.platform.as_str().into()),
        ("CreatedTime", image.created_at.into()),
        ("AppstreamAgentVersion", "05-22-2026".into()),
        ("ImageType", "CUSTOM".into()),
    ]);
    if image.visibility == "SHARED" {
        // The one structure with lower case members.
        spelled.set("ImagePermissions", map([("allowFleet", true.into()), ("allowImageBuilder", false.into())]));
    }
    if image.visibility == "PRIVATE" {
        spelled.set("ImageBuilderName", "windlass-demo-builder");
    }
    spelled
}
