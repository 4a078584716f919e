//! AppStream image builders: what AWS says about one, and one write at a time.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_appstream::Client;

use super::appstream::{AppStream, Place, audit, one, unread};
use super::appstream_write::{reply, request_id};
use super::errors::ours;
use super::request::Way;
use super::translate::{domain_join_info, volume_config};
use super::translate_builder as translate;
use super::translate_stack::{each, sdk_endpoint};
use crate::api::image_builder::BuilderSettings;
use crate::api::{Arn, ImageBuilder};
use crate::aws::accounts::ScopeError;
use crate::aws::gate::Urgency;
use crate::aws::{Ask, AwsError, AwsPort, Reply, Stray};
use crate::plan::image_builder::{
    BuilderCall, BuilderFacts, BuilderLook, BuilderState, ImageBuilderKind, name, named_image,
};
use crate::plan::{Call, Class, Scope};

impl AwsPort<ImageBuilderKind> for AppStream {
    async fn scope(&self, object: &ImageBuilder) -> Result<Scope, ScopeError> {
        self.resolve(object.metadata.namespace.as_deref(), &object.spec.common).await
    }

    async fn observe(
        &self,
        scope: &Scope,
        object: &ImageBuilder,
        ask: Ask<'_, BuilderLook>,
    ) -> Result<BuilderState, AwsError> {
        // Boxed: the futures of many SDK calls lie in it, and whoever awaits it should not carry them on its stack.
        Box::pin(self.look_at_builder(scope, object, ask)).await
    }

    async fn send(&self, scope: &Scope, call: &BuilderCall, urgency: Urgency) -> Result<Reply, AwsError> {
        Box::pin(self.write_builder(scope, call, urgency)).await
    }

    async fn strays(&self, scope: &Scope, claimed: &BTreeSet<Arn>) -> Result<Vec<Stray>, AwsError> {
        let source = self.source::<BuilderFacts>(scope, Urgency::Routine);
        let all = self.builders.all(&Place::of(scope), (self.clock)(), &source).await?;
        let arns = all.value.items.values().map(|builder| &builder.arn).filter(|arn| !claimed.contains(*arn));
        self.tagged(scope, arns.cloned().collect()).await
    }
}

impl AppStream {
    async fn look_at_builder(
        &self,
        scope: &Scope,
        object: &ImageBuilder,
        Ask { looks, not_before, urgency }: Ask<'_, BuilderLook>,
    ) -> Result<BuilderState, AwsError> {
        self.evict();
        let name = name(object)
            .map_err(|ill_formed| ours("DescribeImageBuilders", Class::Rejected, "InvalidName", &ill_formed))?;
        let place = Place::of(scope);
        let source = self.source::<BuilderFacts>(scope, urgency);
        // Tags are read before a write: what it is at must be as new, for it may have begun to make an image.
        let not_before = if looks.contains(&BuilderLook::Tags) { not_before.max((self.clock)()) } else { not_before };
        let known = one(&self.builders, &place, &name, not_before, existed(object), (&source, &self.clock)).await?;
        let builder = known.value.as_deref();
        if builder.is_none() {
            self.forget_tags_of::<BuilderFacts>(&place, &name);
        }
        let (client, way) = (&source.client, &source.way);
        let image = async {
            match named_image(&object.spec.settings).filter(|_| looks.contains(&BuilderLook::Image)) {
                Some(image) => match self.image(client, way, &place, image.clone()).await {
                    // Who may not read images may still use them: AWS itself says whether the image will do.
                    Err(error) if matches!(error.class, Class::AccessDenied | Class::Rejected) => {
                        Ok(Some(Some(unread(&image))))
                    }
                    answer => answer.map(Some),
                },
                None => Ok(None),
            }
        };
        let tags = async {
            match builder {
                Some(builder) if looks.contains(&BuilderLook::Tags) => {
                    self.read_tags(client, way, &place, &builder.arn).await.map(Some)
                }
                Some(builder) => Ok(self.remembered_tags(&place, &builder.arn)),
                None => Ok(None),
            }
        };
        let (image, tags) = futures::try_join!(image, tags)?;
        Ok(BuilderState { began: self.shown(known.began), builder: builder.cloned(), tags, image })
    }

    async fn write_builder(&self, scope: &Scope, call: &BuilderCall, urgency: Urgency) -> Result<Reply, AwsError> {
        let place = Place::of(scope);
        let result = send(&self.client(scope, &place), &self.way(scope, urgency), call).await;
        // Whether or not it was applied, what was read before it is no longer the last word.
        match call {
            BuilderCall::Tag { arn, .. } | BuilderCall::Untag { arn, .. } => self.forget_tags(&place, arn),
            // The next image builder of this name has the same ARN, and tags of its own.
            BuilderCall::Create(create) => {
                self.forget_tags_of::<BuilderFacts>(&place, &create.name);
                self.builders.wrote(&place, create.name.as_str(), Some(result.is_ok()));
            }
            // It is there, DELETING, for a while.
            BuilderCall::Delete(name) | BuilderCall::Start(name) | BuilderCall::Stop(name) => {
                self.builders.wrote(&place, name.as_str(), None);
            }
        }
        audit(scope, call.operation(), resource(call), &result);
        result
    }
}

fn existed(object: &ImageBuilder) -> bool {
    object.status.as_ref().is_some_and(|status| status.arn.is_some() || status.internal.intent.is_some())
}

async fn send(client: &Client, way: &Way, call: &BuilderCall) -> Result<Reply, AwsError> {
    let operation = call.operation();
    match call {
        BuilderCall::Create(create) => {
            // The pattern names every field, so that a new one cannot be forgotten here.
            let BuilderSettings {
                instance_type,
                image_name,
                image_arn,
                display_name,
                description,
                vpc_config,
                iam_role_arn,
                enable_default_internet_access,
                domain_join_info: domain,
                appstream_agent_version,
                access_endpoints,
                root_volume_config,
                softwares_to_install,
                softwares_to_uninstall,
                disable_imdsv1,
            } = &create.settings;
            let tags: HashMap<String, String> = create.tags.clone().into_iter().collect();
            let list = |names: &Option<BTreeSet<String>>| names.clone().map(|names| names.into_iter().collect());
            let request = client
                .create_image_builder()
                .name(create.name.as_str())
                .set_instance_type(instance_type.clone())
                .set_image_name(image_name.clone().map(String::from))
                .set_image_arn(image_arn.clone().map(String::from))
                .set_display_name(display_name.clone())
                .set_description(description.clone())
                .set_vpc_config(vpc_config.as_ref().and_then(translate::sdk_vpc_config))
                .set_iam_role_arn(iam_role_arn.clone().map(String::from))
                .set_enable_default_internet_access(*enable_default_internet_access)
                .set_domain_join_info(domain.as_ref().map(domain_join_info))
                .set_appstream_agent_version(appstream_agent_version.clone())
                .set_access_endpoints(each(access_endpoints, sdk_endpoint))
                .set_root_volume_config(root_volume_config.as_ref().map(volume_config))
                .set_softwares_to_install(list(softwares_to_install))
                .set_softwares_to_uninstall(list(softwares_to_uninstall))
                .set_disable_imdsv1(*disable_imdsv1)
                .set_tags((!tags.is_empty()).then_some(tags));
            let created = way.write(operation, request.send()).await?;
            let arn = created.image_builder().and_then(|builder| builder.arn()).and_then(|arn| arn.parse().ok());
            Ok(Reply { arn, request_id: request_id(&created) })
        }
        BuilderCall::Start(name) => {
            reply(way.write(operation, client.start_image_builder().name(name.as_str()).send()).await)
        }
        BuilderCall::Stop(name) => {
            reply(way.write(operation, client.stop_image_builder().name(name.as_str()).send()).await)
        }
        BuilderCall::Delete(name) => {
            reply(way.write(operation, client.delete_image_builder().name(name.as_str()).send()).await)
        }
        BuilderCall::Tag { arn, tags } => {
            let tags = tags.clone().into_iter().collect();
            let request = client.tag_resource().resource_arn(arn.as_str()).set_tags(Some(tags));
            reply(way.write(operation, request.send()).await)
        }
        BuilderCall::Untag { arn, keys } => {
            let keys = keys.iter().cloned().collect();
            let request = client.untag_resource().resource_arn(arn.as_str()).set_tag_keys(Some(keys));
            reply(way.write(operation, request.send()).await)
        }
    }
}

/// What a write is about, for the audit log.
fn resource(call: &BuilderCall) -> &str {
    match call {
        BuilderCall::Create(create) => create.name.as_str(),
        BuilderCall::Start(name) | BuilderCall::Stop(name) | BuilderCall::Delete(name) => name.as_str(),
        BuilderCall::Tag { arn, .. } | BuilderCall::Untag { arn, .. } => arn.as_str(),
    }
}
