//! The Describe operations that list: all pages, or by name, in the shape that the shared listing asks for.

use std::collections::HashMap;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use aws_sdk_appstream::Client;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::appstream_read::paged;
use super::request::Way;
use super::{translate, translate_builder, translate_stack};
use crate::aws::AwsError;
use crate::aws::listing::{All, Source};
use crate::plan::Class;
use crate::plan::fleet::FleetFacts;
use crate::plan::image_builder::BuilderFacts;
use crate::plan::stack::StackFacts;

/// What one Describe operation lists.
pub(super) trait Listed: Sized + Send + Sync + 'static {
    /// AWS's name of the operation.
    const OPERATION: &'static str;
    /// The kind of resource, as it stands in an ARN.
    const RESOURCE: &'static str;
    /// The name.
    fn name(&self) -> &str;
    /// One page, of everything or of these names.
    fn page(
        client: &Client,
        way: &Way,
        names: Option<Vec<String>>,
        token: Option<String>,
    ) -> impl Future<Output = Result<(Vec<Self>, Option<String>), AwsError>> + Send;
}

/// How the shared listing asks AWS.
pub(super) struct Pages<T> {
    pub client: Client,
    pub way: Way,
    pub listed: PhantomData<fn() -> T>,
}

impl<T: Listed> Source<T> for Pages<T> {
    fn all(&self) -> BoxFuture<'static, Result<All<T>, AwsError>> {
        let (client, way) = (self.client.clone(), self.way.clone());
        async move {
            let mut items = HashMap::new();
            let page = |token| T::page(&client, &way, None, token);
            let keep = |found: T| {
                items.insert(found.name().to_owned(), Arc::new(found));
                Ok(())
            };
            let pages = paged(T::OPERATION, page, keep).await?;
            Ok(All { items, pages })
        }
        .boxed()
    }

    fn named(&self, names: Vec<String>) -> BoxFuture<'static, Result<HashMap<String, Arc<T>>, AwsError>> {
        let (client, way) = (self.client.clone(), self.way.clone());
        async move {
            if let Some(found) = named::<T>(&client, &way, &names).await? {
                return Ok(found);
            }
            // AWS refuses the whole request for one name that it does not have, and does not say which.
            let mut found = HashMap::new();
            if names.len() > 1 {
                let one_by_one = names.iter().map(|name| named::<T>(&client, &way, std::slice::from_ref(name)));
                for answer in futures::future::try_join_all(one_by_one).await? {
                    found.extend(answer.unwrap_or_default());
                }
            }
            Ok(found)
        }
        .boxed()
    }
}

/// By name; `None` when AWS does not have all of them.
async fn named<T: Listed>(
    client: &Client,
    way: &Way,
    names: &[String],
) -> Result<Option<HashMap<String, Arc<T>>>, AwsError> {
    let mut found = HashMap::new();
    let page = |token| T::page(client, way, Some(names.to_vec()), token);
    let keep = |one: T| {
        if names.iter().any(|name| name == one.name()) {
            found.insert(one.name().to_owned(), Arc::new(one));
        }
        Ok(())
    };
    match paged(T::OPERATION, page, keep).await {
        Ok(_) if names.len() > 1 && found.len() < names.len() => Ok(None),
        Ok(_) => Ok(Some(found)),
        Err(error) if error.class == Class::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Listed for FleetFacts {
    const OPERATION: &'static str = "DescribeFleets";
    const RESOURCE: &'static str = "fleet";
    fn name(&self) -> &str {
        self.name.as_str()
    }
    async fn page(
        client: &Client,
        way: &Way,
        names: Option<Vec<String>>,
        token: Option<String>,
    ) -> Result<(Vec<Self>, Option<String>), AwsError> {
        let request = client.describe_fleets().set_names(names).set_next_token(token);
        let page = way.read(Self::OPERATION, request.send()).await?;
        let found = page.fleets.unwrap_or_default().into_iter().map(|fleet| translate::fleet(Self::OPERATION, fleet));
        Ok((found.collect::<Result<_, _>>()?, page.next_token))
    }
}

impl Listed for StackFacts {
    const OPERATION: &'static str = "DescribeStacks";
    const RESOURCE: &'static str = "stack";
    fn name(&self) -> &str {
        self.name.as_str()
    }
    async fn page(
        client: &Client,
        way: &Way,
        names: Option<Vec<String>>,
        token: Option<String>,
    ) -> Result<(Vec<Self>, Option<String>), AwsError> {
        let request = client.describe_stacks().set_names(names).set_next_token(token);
        let page = way.read(Self::OPERATION, request.send()).await?;
        let found =
            page.stacks.unwrap_or_default().into_iter().map(|stack| translate_stack::stack(Self::OPERATION, stack));
        Ok((found.collect::<Result<_, _>>()?, page.next_token))
    }
}

impl Listed for BuilderFacts {
    const OPERATION: &'static str = "DescribeImageBuilders";
    const RESOURCE: &'static str = "image-builder";
    fn name(&self) -> &str {
        self.name.as_str()
    }
    async fn page(
        client: &Client,
        way: &Way,
        names: Option<Vec<String>>,
        token: Option<String>,
    ) -> Result<(Vec<Self>, Option<String>), AwsError> {
        let request = client.describe_image_builders().set_names(names).set_next_token(token);
        let page = way.read(Self::OPERATION, request.send()).await?;
        let all = page.image_builders.unwrap_or_default().into_iter();
        let found = all.map(|builder| translate_builder::builder(Self::OPERATION, builder));
        Ok((found.collect::<Result<_, _>>()?, page.next_token))
    }
}
