//! Who we are at AWS, and who may act there.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use aws_credential_types::credential_fn::provide_credentials_fn;
use aws_credential_types::provider::error::CredentialsError;

use super::canned::*;
use crate::aws::accounts::ScopeError;
use crate::plan::Class;
use crate::plan::account::Wish;

#[tokio::test(start_paused = true)]
async fn missing_credentials_are_told_in_our_own_words() {
    let aws = Canned::new(|_| Answer::Hang);
    let none = provide_credentials_fn(async || Err(CredentialsError::not_loaded("secret-canary")));
    let refused =
        accounts(&aws, none).resolve(&Wish { kind: "Fleet", namespace: "team-a", account: None, region: None }).await;
    let Err(ScopeError::Aws(error)) = refused else { panic!("not refused") };
    assert_eq!((error.class, error.code.as_str()), (Class::AccessDenied, "NoCredentials"));
    assert_eq!(aws.asked().len(), 0);
}

fn identity(account: &str) -> Answer {
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>arn:aws-us-gov:sts::{account}:assumed-role/windlass/x</Arn><UserId>U</UserId><Account>{account}</Account>\
         </GetCallerIdentityResult></GetCallerIdentityResponse>"
    );
    Answer::Raw(200, body.into_bytes())
}

#[tokio::test(start_paused = true)]
async fn the_operators_own_identity_is_asked_for_once_an_hour() {
    let aws = Canned::new(|_| identity("111122223333"));
    let accounts = accounts(&aws, credentials());
    let elsewhere = "us-gov-west-1".parse().unwrap();
    for _ in 0..3 {
        let found =
            accounts.resolve(&Wish { kind: "Fleet", namespace: "team-a", account: None, region: None }).await.unwrap();
        assert_eq!(
            found,
            crate::plan::Scope { partition: "aws-us-gov".to_owned(), allow: crate::plan::Allow::own(), ..scope() }
        );
        assert_eq!(
            accounts
                .resolve(&Wish { kind: "Fleet", namespace: "team-b", account: None, region: Some(&elsewhere) })
                .await
                .unwrap()
                .region,
            elsewhere
        );
    }
    assert_eq!(aws.asked().len(), 1);
    tokio::time::sleep(Duration::from_secs(3601)).await;
    accounts.resolve(&Wish { kind: "Fleet", namespace: "team-a", account: None, region: None }).await.unwrap();
    assert_eq!(aws.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_who_ask_at_once_who_we_are_share_one_refusal() {
    let aws = Canned::new(|_| {
        let body = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
                    <Code>ExpiredToken</Code><Message>expired</Message></Error></ErrorResponse>";
        Answer::Raw(403, body.as_bytes().to_vec())
    });
    let accounts = accounts(&aws, credentials());
    let asked =
        (0..1000).map(|_| accounts.resolve(&Wish { kind: "Fleet", namespace: "team-a", account: None, region: None }));
    for refused in futures::future::join_all(asked).await {
        let Err(ScopeError::Aws(error)) = refused else { panic!("not refused") };
        assert_eq!(
            (error.class, error.code.as_str(), error.message.as_str()),
            (Class::AccessDenied, "ExpiredToken", "expired")
        );
    }
    assert_eq!(aws.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_not_there_may_not_be_used_and_aws_is_not_asked() {
    let aws = Canned::new(|_| Answer::Hang);
    let account = "prod".parse().unwrap();
    let refused = accounts(&aws, credentials())
        .resolve(&Wish { kind: "Fleet", namespace: "team-a", account: Some(&account), region: None })
        .await;
    assert_eq!(refused, Err(ScopeError::NotAllowed(crate::plan::Refusal::NoSuchAccount("prod".to_owned()))));
    assert_eq!(aws.asked().len(), 0);
}
