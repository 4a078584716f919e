//! `windlass-simulator`: a world over HTTP, on the machine's own clock.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;
use simulator::{AccessWhenDown, RunningRule, Settings, Timings, World, WrongState, serve};

/// AppStream 2.0, Lightsail, GameLift and STS over their real wire protocols, for people without an AWS account.
#[derive(Parser)]
#[command(name = "windlass-simulator", version)]
struct Flags {
    /// Where to listen. Port 0 takes a free one, which the first line of output names.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// How many times faster than AWS states change. Never shortens how long a credential is valid.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Time from StartFleet to RUNNING, before --speed.
    #[arg(long, value_parser = duration)]
    start: Option<Duration>,
    /// Time from StopFleet to STOPPED, before --speed.
    #[arg(long, value_parser = duration)]
    stop: Option<Duration>,
    /// Time to add or replace an instance, before --speed.
    #[arg(long, value_parser = duration)]
    scale: Option<Duration>,
    /// Time to remove an idle instance, before --speed.
    #[arg(long, value_parser = duration)]
    scale_in: Option<Duration>,
    /// Time from CreateImageBuilder or StartImageBuilder to RUNNING, before --speed.
    #[arg(long, value_parser = duration)]
    builder_start: Option<Duration>,
    /// Time from StopImageBuilder to STOPPED, before --speed.
    #[arg(long, value_parser = duration)]
    builder_stop: Option<Duration>,
    /// Time from DeleteImageBuilder until the image builder is not described any more, before --speed.
    #[arg(long, value_parser = duration)]
    builder_delete: Option<Duration>,
    /// Time from CreateInstances or StartInstance to running, before --speed.
    #[arg(long, value_parser = duration)]
    instance_start: Option<Duration>,
    /// Time from StopInstance to stopped, before --speed.
    #[arg(long, value_parser = duration)]
    instance_stop: Option<Duration>,
    /// Time from DeleteInstance until the instance is not shown any more, before --speed.
    #[arg(long, value_parser = duration)]
    instance_delete: Option<Duration>,
    /// Time from running until a new public address is shown, before --speed.
    #[arg(long, value_parser = duration)]
    address_lag: Option<Duration>,
    /// Time that add-ons, address types and metadata options take, before --speed.
    #[arg(long, value_parser = duration)]
    small_change: Option<Duration>,
    /// Time from running until a new instance's host keys are known, before --speed.
    #[arg(long, value_parser = duration)]
    host_key_lag: Option<Duration>,
    /// Time from CreateInstances until a Windows password is known, before --speed.
    #[arg(long, value_parser = duration)]
    windows_password: Option<Duration>,
    /// How long an SSH certificate is valid. --speed never shortens it.
    #[arg(long, default_value = "10m", value_parser = duration)]
    cert_ttl: Duration,
    /// Private keys that GetInstanceAccessDetails hands out in turn.
    #[arg(long, default_value_t = 8)]
    access_keys: u64,
    /// What Lightsail answers when access to an instance is asked for that is not running: refused or answered.
    #[arg(long, default_value = "refused", value_parser = access_when_down)]
    access_when_down: AccessWhenDown,
    /// What Lightsail answers to a start, stop or reboot in the wrong state: no-op, invalid-input or operation-failure.
    #[arg(long, default_value = "invalid-input", value_parser = wrong_state)]
    wrong_state: WrongState,
    /// Lightsail refuses to change an instance while another operation on it goes on.
    #[arg(long)]
    refuse_overlap: bool,
    /// Lightsail's errors come without the `code` member.
    #[arg(long)]
    no_sub_codes: bool,
    /// What a RUNNING fleet takes: the rule of 2017 or today's.
    #[arg(long, default_value = "today", value_parser = rules)]
    rules: RunningRule,
    /// Items on a page of the lists that have no size parameter.
    #[arg(long, default_value_t = 50)]
    page_size: usize,
    /// Requests per second for one account, region and service; more are throttled.
    #[arg(long)]
    request_rate: Option<f64>,
    /// How long reads lag behind writes.
    #[arg(long, default_value = "0s", value_parser = duration)]
    visibility_lag: Duration,
    /// Seed of every random choice.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Account in which the admin routes put stacks and applications.
    #[arg(long, default_value = simulator::DEFAULT_ACCOUNT)]
    account: String,
    /// Region in which the admin routes put stacks and applications.
    #[arg(long, default_value = "us-east-1")]
    region: String,
    /// End lists with an empty NextToken instead of none.
    #[arg(long)]
    empty_next_token: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let listener =
        tokio::net::TcpListener::bind(&flags.listen).await.with_context(|| format!("listening on {}", flags.listen))?;
    let address = listener.local_addr().context("reading the listening address")?;
    let world = World::new(settings(&flags)?);
    world.follow(jiff::Timestamp::now);
    // The first line is what scripts wait for.
    writeln!(std::io::stdout(), "listening on http://{address}").context("writing the first line")?;
    serve(world, listener).await.context("serving")
}

fn settings(flags: &Flags) -> anyhow::Result<Settings> {
    if !(flags.speed > 0.0 && flags.speed.is_finite()) {
        bail!("--speed must be above 0");
    }
    let usual = Timings::default();
    Ok(Settings {
        seed: flags.seed,
        rules: flags.rules,
        page_size: flags.page_size,
        timings: Timings {
            start_fleet: flags.start.unwrap_or(usual.start_fleet),
            stop_fleet: flags.stop.unwrap_or(usual.stop_fleet),
            scale: flags.scale.unwrap_or(usual.scale),
            scale_in: flags.scale_in.unwrap_or(usual.scale_in),
            start_builder: flags.builder_start.unwrap_or(usual.start_builder),
            stop_builder: flags.builder_stop.unwrap_or(usual.stop_builder),
            delete_builder: flags.builder_delete.unwrap_or(usual.delete_builder),
            create_instance: flags.instance_start.unwrap_or(usual.create_instance),
            start_instance: flags.instance_start.unwrap_or(usual.start_instance),
            stop_instance: flags.instance_stop.unwrap_or(usual.stop_instance),
            delete_instance: flags.instance_delete.unwrap_or(usual.delete_instance),
            address_lag: flags.address_lag.unwrap_or(usual.address_lag),
            small_change: flags.small_change.unwrap_or(usual.small_change),
            host_key_lag: flags.host_key_lag.unwrap_or(usual.host_key_lag),
            windows_password: flags.windows_password.unwrap_or(usual.windows_password),
        },
        speed: flags.speed,
        visibility_lag: flags.visibility_lag,
        request_rate: flags.request_rate,
        empty_next_token: flags.empty_next_token,
        wrong_state: flags.wrong_state,
        refuse_overlap: flags.refuse_overlap,
        error_sub_codes: !flags.no_sub_codes,
        cert_ttl: flags.cert_ttl,
        access_keys: flags.access_keys,
        access_when_down: flags.access_when_down,
        home_account: flags.account.clone(),
        home_region: flags.region.clone(),
        ..Settings::default()
    })
}

fn rules(text: &str) -> Result<RunningRule, String> {
    match text {
        "2017" => Ok(RunningRule::Y2017),
        "today" => Ok(RunningRule::Today),
        _ => Err("expected 2017 or today".to_owned()),
    }
}

fn wrong_state(text: &str) -> Result<WrongState, String> {
    match text {
        "no-op" => Ok(WrongState::NoOp),
        "invalid-input" => Ok(WrongState::InvalidInput),
        "operation-failure" => Ok(WrongState::OperationFailure),
        _ => Err("expected no-op, invalid-input or operation-failure".to_owned()),
    }
}

fn access_when_down(text: &str) -> Result<AccessWhenDown, String> {
    match text {
        "refused" => Ok(AccessWhenDown::Refused),
        "answered" => Ok(AccessWhenDown::Answered),
        _ => Err("expected refused or answered".to_owned()),
    }
}

/// `2s`, `1.5s`, `300ms`, `12m`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let parsed =
        units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?.parse::<f64>().ok()?, seconds)));
    let wanted = || "expected a number and a unit, as in 1.5s, 300ms or 12m".to_owned();
    let (number, seconds) = parsed.ok_or_else(wanted)?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| wanted())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_take_a_unit() {
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(duration("12m"), Ok(Duration::from_secs(720)));
        assert!(duration("12").is_err());
        assert!(duration("-1s").is_err());
    }
}
