//! AppStream reads: each is complete or fails.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use aws_sdk_appstream::Client;
use aws_sdk_appstream::types::AuthenticationType;
use futures::FutureExt;
use futures::stream::{self, StreamExt};

use super::errors::ours;
use super::request::Way;
use super::translate;
use crate::api::{Arn, AwsName};
use crate::aws::AwsError;
use crate::plan::Class;
use crate::plan::fleet::{AssociatedStack, ImageFacts, ImageRef, SessionFacts};

/// How long a sequence of pages may take before it counts as failed: 100 pages of a second each, and room for permits. A
/// stop decided on older pages than that would be decided on the past.
const SEQUENCE_DEADLINE: Duration = Duration::from_secs(120);
/// DescribeSessions: the largest page that the API allows.
const SESSIONS_PER_PAGE: i32 = 50;
/// DescribeSessions calls under way at once for one fleet.
const SESSION_READS_AT_ONCE: usize = 5;

/// ListTagsForResource.
pub(super) async fn tags(client: &Client, way: &Way, arn: &Arn) -> Result<BTreeMap<String, String>, AwsError> {
    let request = client.list_tags_for_resource().resource_arn(arn.as_str());
    let said = way.read("ListTagsForResource", request.send()).await?;
    Ok(said.tags.unwrap_or_default().into_iter().collect())
}

/// DescribeImages for one image; `None` when there is none.
pub(super) async fn image(client: &Client, way: &Way, image: &ImageRef) -> Result<Option<ImageFacts>, AwsError> {
    const DESCRIBE_IMAGES: &str = "DescribeImages";
    let mut found = None;
    let sequence = paged(
        DESCRIBE_IMAGES,
        |token| {
            let request = client.describe_images().set_next_token(token);
            let request = match image {
                ImageRef::Name(name) => request.names(name.as_str()),
                ImageRef::Arn(arn) => request.arns(arn.as_str()),
            };
            async move {
                let page = way.read(DESCRIBE_IMAGES, request.send()).await?;
                Ok((page.images.unwrap_or_default(), page.next_token))
            }
        },
        |described| {
            let facts = translate::image(described);
            let same = match image {
                ImageRef::Name(name) => facts.name == name.as_str(),
                // Only the name is required in an answer.
                ImageRef::Arn(arn) => facts.arn.as_deref().is_none_or(|seen| seen == arn.as_str()),
            };
            if same {
                found = Some(facts);
            }
            Ok(())
        },
    );
    match sequence.await {
        Ok(_) => Ok(found),
        Err(error) if error.class == Class::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// ListAssociatedStacks, sorted.
pub(super) async fn stacks(client: &Client, way: &Way, fleet: &AwsName) -> Result<Vec<AssociatedStack>, AwsError> {
    const LIST_ASSOCIATED_STACKS: &str = "ListAssociatedStacks";
    let mut stacks = BTreeSet::new();
    paged(
        LIST_ASSOCIATED_STACKS,
        |token| {
            let request = client.list_associated_stacks().fleet_name(fleet.as_str()).set_next_token(token);
            async move {
                let page = way.read(LIST_ASSOCIATED_STACKS, request.send()).await?;
                Ok((page.names.unwrap_or_default(), page.next_token))
            }
        },
        |name| {
            // A stack left out could be one with users on it.
            let name = name
                .parse()
                .map_err(|_| translate::unreadable(LIST_ASSOCIATED_STACKS, "a stack came without a name"))?;
            stacks.insert(AssociatedStack { name });
            Ok(())
        },
    )
    .await?;
    Ok(stacks.into_iter().collect())
}

/// DescribeSessions over every stack, sorted by id, those that are over left out.
///
/// The API's default for a missing authentication type hides the sessions of the other types, so each type is asked for,
/// and none besides.
pub(super) async fn sessions(
    client: &Client,
    way: &Way,
    fleet: &AwsName,
    stacks: &[AssociatedStack],
) -> Result<Vec<SessionFacts>, AwsError> {
    let types = [
        Some(AuthenticationType::Api),
        Some(AuthenticationType::Saml),
        Some(AuthenticationType::Userpool),
        Some(AuthenticationType::AwsAd),
        None,
    ];
    let asked: Vec<_> = stacks
        .iter()
        .flat_map(|stack| types.iter().map(move |by| sessions_of(client, way, fleet, &stack.name, by.clone()).boxed()))
        .collect();
    let answers: Vec<_> = stream::iter(asked).buffered(SESSION_READS_AT_ONCE).collect().await;
    let mut by_id = BTreeMap::new();
    for of_one_stack in answers.chunks(types.len()) {
        let answered = of_one_stack.iter().any(Result::is_ok);
        for answer in of_one_stack {
            match answer {
                Ok(sessions) => by_id.extend(sessions.iter().map(|s| (s.id.clone(), s.clone()))),
                // A fleet that cannot have users of a type has none of them; that is said of some types, never of all.
                Err(error) if error.class == Class::Rejected && answered => {}
                Err(error) => return Err(error.clone()),
            }
        }
    }
    Ok(by_id.into_values().collect())
}

async fn sessions_of(
    client: &Client,
    way: &Way,
    fleet: &AwsName,
    stack: &AwsName,
    by: Option<AuthenticationType>,
) -> Result<Vec<SessionFacts>, AwsError> {
    const DESCRIBE_SESSIONS: &str = "DescribeSessions";
    let mut sessions = Vec::new();
    paged(
        DESCRIBE_SESSIONS,
        |token| {
            let request = client
                .describe_sessions()
                .fleet_name(fleet.as_str())
                .stack_name(stack.as_str())
                .limit(SESSIONS_PER_PAGE)
                .set_authentication_type(by.clone())
                .set_next_token(token);
            async move {
                let page = way.read(DESCRIBE_SESSIONS, request.send()).await?;
                Ok((page.sessions.unwrap_or_default(), page.next_token))
            }
        },
        |session| {
            sessions.extend(translate::session(DESCRIBE_SESSIONS, session)?);
            Ok(())
        },
    )
    .await?;
    Ok(sessions)
}

/// ListAssociatedFleets; a stack that is not there has none (the operation has no error of its own for it).
pub(super) async fn fleets(client: &Client, way: &Way, stack: &AwsName) -> Result<BTreeSet<AwsName>, AwsError> {
    const LIST_ASSOCIATED_FLEETS: &str = "ListAssociatedFleets";
    let mut fleets = BTreeSet::new();
    let sequence = paged(
        LIST_ASSOCIATED_FLEETS,
        |token| {
            let request = client.list_associated_fleets().stack_name(stack.as_str()).set_next_token(token);
            async move {
                let page = way.read(LIST_ASSOCIATED_FLEETS, request.send()).await?;
                Ok((page.names.unwrap_or_default(), page.next_token))
            }
        },
        |name| {
            // A fleet left out could be one with users on it.
            let name = name
                .parse()
                .map_err(|_| translate::unreadable(LIST_ASSOCIATED_FLEETS, "a fleet came without a name"))?;
            fleets.insert(name);
            Ok(())
        },
    );
    match sequence.await {
        Ok(_) => Ok(fleets),
        Err(error) if error.class == Class::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

/// DescribeApplicationFleetAssociations.
pub(super) async fn applications(client: &Client, way: &Way, fleet: &AwsName) -> Result<BTreeSet<Arn>, AwsError> {
    const DESCRIBE_ASSOCIATIONS: &str = "DescribeApplicationFleetAssociations";
    let mut applications = BTreeSet::new();
    paged(
        DESCRIBE_ASSOCIATIONS,
        |token| {
            let request =
                client.describe_application_fleet_associations().fleet_name(fleet.as_str()).set_next_token(token);
            async move {
                let page = way.read(DESCRIBE_ASSOCIATIONS, request.send()).await?;
                Ok((page.application_fleet_associations.unwrap_or_default(), page.next_token))
            }
        },
        |association| {
            let arn = association.application_arn.as_deref().and_then(|arn| arn.parse().ok());
            let arn =
                arn.ok_or_else(|| translate::unreadable(DESCRIBE_ASSOCIATIONS, "an association came without an ARN"))?;
            applications.insert(arn);
            Ok(())
        },
    )
    .await?;
    Ok(applications)
}

/// Reads page after page until there is no next token (absent, null or empty), and tells how many pages there were.
pub(super) async fn paged<T, F, Fut>(
    operation: &'static str,
    page: F,
    mut each: impl FnMut(T) -> Result<(), AwsError>,
) -> Result<u32, AwsError>
where
    F: Fn(Option<String>) -> Fut,
    Fut: Future<Output = Result<(Vec<T>, Option<String>), AwsError>>,
{
    let sequence = async {
        let mut token = None;
        let mut pages = 0;
        loop {
            let (items, next) = page(token.clone()).await?;
            pages += 1;
            items.into_iter().try_for_each(&mut each)?;
            match next.filter(|next| !next.is_empty()) {
                None => return Ok(pages),
                // It would never end.
                next if next == token => {
                    return Err(translate::unreadable(operation, "a page names itself as the next"));
                }
                next => token = next,
            }
        }
    };
    tokio::time::timeout(SEQUENCE_DEADLINE, sequence)
        .await
        .unwrap_or_else(|_| Err(ours(operation, Class::Unavailable, "Timeout", "the pages did not all come in time")))
}
