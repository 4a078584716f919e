//! Blueprints and bundles: what can be launched, by Region. A selection of today's catalogue; prices in USD a month.
//!
//! Figures are those of AWS's own samples and of public dumps of GetBundles; what no source shows (the largest Linux
//! plan, Windows powers and prices, the older generation, who is inactive) is inferred and listed in the README.

use super::page_of;
use crate::call::Call;
use crate::place::Place;
use crate::wire::{Refusal, Value, map};

/// An image with what is installed on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Blueprint {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    group: &'static str,
    kind: &'static str,
    version: &'static str,
    pub(crate) username: &'static str,
    pub(crate) windows: bool,
    pub(crate) min_power: i64,
    active: bool,
}

/// A machine size and its price.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bundle {
    pub(crate) id: String,
    name: &'static str,
    size: &'static str,
    pub(crate) cpu: i64,
    pub(crate) ram: f64,
    pub(crate) disk: i64,
    pub(crate) transfer: i64,
    pub(crate) power: i64,
    price: f64,
    pub(crate) windows: bool,
    /// A plan without a public IPv4 address.
    pub(crate) ipv6: bool,
    /// 2 or 3.
    generation: u8,
}

const fn os(
    id: &'static str,
    name: &'static str,
    group: &'static str,
    version: &'static str,
    username: &'static str,
) -> Blueprint {
    Blueprint { id, name, group, kind: "os", version, username, windows: false, min_power: 0, active: true }
}

const fn app(id: &'static str, name: &'static str, group: &'static str, version: &'static str) -> Blueprint {
    Blueprint { kind: "app", ..os(id, name, group, version, "bitnami") }
}

const fn windows(id: &'static str, name: &'static str, group: &'static str, version: &'static str) -> Blueprint {
    Blueprint { windows: true, ..os(id, name, group, version, "Administrator") }
}

const BLUEPRINTS: [Blueprint; 16] = [
    windows("windows_server_2022", "Windows Server 2022", "windows_2022", "2026.04.15"),
    windows("windows_server_2019", "Windows Server 2019", "windows_2019", "2022.04.13"),
    windows("windows_server_2016", "Windows Server 2016", "windows_2016", "2022.04.13"),
    Blueprint {
        min_power: 1000,
        ..windows(
            "windows_server_2022_sql_2022_express",
            "SQL Server 2022 Express",
            "windows_2022_sql_exp_2022",
            "2026.04.15",
        )
    },
    os("amazon_linux_2023", "Amazon Linux 2023", "amazon_linux_2023", "2023.4", "ec2-user"),
    os("amazon_linux_2", "Amazon Linux 2", "amazon_linux", "2.0", "ec2-user"),
    os("ubuntu_24_04", "Ubuntu", "ubuntu_24", "24.04 LTS", "ubuntu"),
    os("ubuntu_22_04", "Ubuntu", "ubuntu_22", "22.04 LTS", "ubuntu"),
    Blueprint { active: false, ..os("ubuntu_20_04", "Ubuntu", "ubuntu_20", "20.04 LTS", "ubuntu") },
    os("debian_12", "Debian", "debian_12", "12.5", "admin"),
    os("debian_11", "Debian", "debian_11", "11.4", "admin"),
    Blueprint { active: false, ..os("centos_7_2009_01", "CentOS", "centos", "7 2009-01", "centos") },
    app("wordpress", "WordPress", "wordpress", "6.5.3-0"),
    app("lamp_8_bitnami", "LAMP (PHP 8)", "lamp_8", "8.2.18-4"),
    app("nodejs", "Node.js", "node", "18.20.2-0"),
    app("mean", "MEAN", "mean", "7.0.9-0"),
];

/// Size, name, vCPUs, RAM in GB, disk in GB, transfer in GB, power, price, price without IPv4, price with Windows.
type Size = (&'static str, &'static str, i64, f64, i64, i64, i64, f64, Option<f64>, Option<f64>);

const SIZES: [Size; 8] = [
    ("nano", "Nano", 2, 0.5, 20, 1024, 298, 5.0, Some(3.5), Some(9.5)),
    ("micro", "Micro", 2, 1.0, 40, 2048, 500, 7.0, Some(5.0), Some(14.0)),
    ("small", "Small", 2, 2.0, 60, 3072, 1000, 12.0, Some(10.0), Some(22.0)),
    ("medium", "Medium", 2, 4.0, 80, 4096, 2000, 24.0, Some(20.0), Some(44.0)),
    ("large", "Large", 2, 8.0, 160, 5120, 3000, 44.0, Some(40.0), Some(74.0)),
    ("xlarge", "Xlarge", 4, 16.0, 320, 6144, 4000, 84.0, Some(80.0), Some(124.0)),
    ("2xlarge", "2Xlarge", 8, 32.0, 640, 7168, 5000, 164.0, Some(160.0), Some(244.0)),
    ("4xlarge", "4Xlarge", 16, 64.0, 1280, 8192, 6000, 384.0, None, None),
];

/// The older generation, inactive: size and price before AWS charged for public IPv4 addresses.
const OLDER: [(&str, f64); 3] = [("nano", 3.5), ("micro", 5.0), ("small", 10.0)];

/// Regions whose bundle ids end otherwise (`_3_1`).
const OTHER_SUFFIX: [&str; 2] = ["ap-east-1", "ap-south-1"];

/// Every blueprint, also the inactive ones.
pub(crate) fn blueprint(id: &str) -> Option<&'static Blueprint> {
    BLUEPRINTS.iter().find(|one| one.id == id)
}

/// Every bundle of a Region, also the inactive ones.
pub(crate) fn bundles(region: &str) -> Vec<Bundle> {
    let minor = u8::from(OTHER_SUFFIX.contains(&region));
    let mut all = Vec::new();
    for (size, name, cpu, ram, disk, transfer, power, price, without_ipv4, with_windows) in SIZES {
        let plain = Bundle {
            id: format!("{size}_3_{minor}"),
            name,
            size,
            cpu,
            ram,
            disk,
            transfer,
            power,
            price,
            windows: false,
            ipv6: false,
            generation: 3,
        };
        if let Some(price) = without_ipv4 {
            all.push(Bundle { id: format!("{size}_ipv6_3_{minor}"), price, ipv6: true, ..plain.clone() });
        }
        if let Some(price) = with_windows {
            let disk = disk.max(30);
            all.push(Bundle { id: format!("{size}_win_3_{minor}"), price, disk, windows: true, ..plain.clone() });
        }
        if let Some((_, price)) = OLDER.iter().find(|(older, _)| *older == size) {
            let id = format!("{size}_2_{minor}");
            all.push(Bundle { id, cpu: 1, price: *price, generation: 2, ..plain.clone() });
        }
        all.push(plain);
    }
    all
}

impl Bundle {
    /// What stays the same from one generation to the next.
    fn family(&self) -> (&'static str, bool, bool) {
        (self.size, self.windows, self.ipv6)
    }

    fn spell(&self, active: bool) -> Value {
        map([
            ("price", Value::Float(self.price)),
            ("cpuCount", self.cpu.into()),
            ("diskSizeInGb", self.disk.into()),
            ("bundleId", self.id.as_str().into()),
            ("instanceType", self.size.into()),
            ("isActive", active.into()),
            ("name", self.name.into()),
            ("power", self.power.into()),
            ("ramSizeInGb", Value::Float(self.ram)),
            ("transferPerMonthInGb", self.transfer.into()),
            ("supportedPlatforms", Value::List(vec![platform(self.windows).into()])),
            ("publicIpv4AddressCount", i64::from(!self.ipv6).into()),
        ])
    }
}

impl Blueprint {
    fn spell(&self, active: bool) -> Value {
        let product = format!("https://aws.amazon.com/marketplace/search/results?searchTerms={}", self.id);
        map([
            ("blueprintId", self.id.into()),
            ("name", self.name.into()),
            ("group", self.group.into()),
            ("type", self.kind.into()),
            ("description", format!("{} on Lightsail.", self.name).into()),
            ("isActive", active.into()),
            ("minPower", self.min_power.into()),
            ("version", self.version.into()),
            ("versionCode", "1".into()),
            ("licenseUrl", product.as_str().into()),
            ("productUrl", product.into()),
            ("platform", platform(self.windows).into()),
        ])
    }

    /// Ports that are open to everybody on a new instance (developer guide).
    pub(crate) fn default_ports(&self) -> &'static [i64] {
        match (self.windows, self.kind) {
            (true, _) => &[80, 22, 3389],
            (false, "app") => &[80, 22, 443],
            (false, _) => &[80, 22],
        }
    }
}

impl Place {
    /// Whether new instances may have it.
    pub(crate) fn offers_blueprint(&self, blueprint: &Blueprint) -> bool {
        blueprint.active && !self.lightsail.retired.contains(blueprint.id)
    }

    /// Whether new instances may have it.
    pub(crate) fn offers_bundle(&self, bundle: &Bundle) -> bool {
        bundle.generation == 3 && !self.lightsail.retired.contains(&bundle.id)
    }

    /// A bundle of this Region, active or not.
    pub(crate) fn bundle(&self, id: &str) -> Option<Bundle> {
        bundles(&self.region).into_iter().find(|one| one.id == id)
    }

    /// What StartInstance makes of `asked` (`auto`, a newer generation's id, or the id from before such an update).
    pub(crate) fn next_generation(&self, from: &Bundle, asked: &str, original: Option<&str>) -> Option<Bundle> {
        let family = bundles(&self.region).into_iter().filter(|one| one.family() == from.family());
        let mut fits = family.filter(|one| match asked {
            "auto" => one.generation == 3,
            id => one.id == id && (one.generation >= from.generation || original == Some(id)),
        });
        fits.next()
    }

    /// The bundle of the same size with or without a public IPv4 address.
    pub(crate) fn counterpart(&self, from: &Bundle, ipv6: bool) -> Option<Bundle> {
        let wanted = (from.size, from.windows, ipv6);
        bundles(&self.region).into_iter().find(|one| one.generation == 3 && one.family() == wanted)
    }
}

/// GetBlueprints. None belongs to Lightsail for Research.
pub(crate) fn get_blueprints(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let wanted = |one: &&Blueprint| call.flag("includeInactive") || place.offers_blueprint(one);
    let listed = BLUEPRINTS.iter().filter(wanted).filter(|_| call.input["appCategory"].is_null());
    let keyed = listed.enumerate().map(|(index, one)| (format!("{index:04}"), one)).collect();
    page_of(call, &place.laws, "blueprints", keyed, |one| one.spell(place.offers_blueprint(one)))
}

/// GetBundles. None belongs to Lightsail for Research.
pub(crate) fn get_bundles(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let wanted = |one: &Bundle| call.flag("includeInactive") || place.offers_bundle(one);
    let listed = bundles(&place.region).into_iter().filter(wanted).filter(|_| call.input["appCategory"].is_null());
    let keyed = listed.enumerate().map(|(index, one)| (format!("{index:04}"), one)).collect();
    page_of(call, &place.laws, "bundles", keyed, |one| one.spell(place.offers_bundle(&one)))
}

/// The platform as AWS spells it.
pub(crate) fn platform(windows: bool) -> &'static str {
    if windows { "WINDOWS" } else { "LINUX_UNIX" }
}
