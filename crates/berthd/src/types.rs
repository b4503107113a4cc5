//! The catalog of instance types and the price list as a configuration file writes them.

use std::collections::HashSet;

use berth_engine::Settings;
use berth_model::{Code, InstanceType};

use crate::failure::{self, Failure};

/// The catalog: the file's if it has one, else the default.
pub(crate) fn catalog(written: Vec<toml::Table>) -> Result<Vec<InstanceType>, Failure> {
    if written.is_empty() {
        return Ok(berth_model::default_catalog());
    }
    let mut names = HashSet::new();
    let mut types = Vec::with_capacity(written.len());
    for table in written {
        let entry = read(table)?;
        check(&entry)?;
        if !names.insert(entry.name.clone()) {
            return Err(wrong(&entry.name, "is there twice"));
        }
        types.push(entry);
    }
    Ok(types)
}

fn read(table: toml::Table) -> Result<InstanceType, Failure> {
    let name = table.get("name").and_then(toml::Value::as_str).unwrap_or_default();
    let name = name.to_owned();
    // A number was millionths until prices were decimals: nobody's bill is to depend on who knows that.
    if table.get("price_per_hour").is_some_and(|price| !price.is_str()) {
        return Err(wrong(&name, "needs its price_per_hour as text, such as \"0.096\""));
    }
    let entry = table.try_into::<InstanceType>();
    entry.map_err(|error| wrong(&name, &format!("is not understood: {}", error.message())))
}

/// Refuses prices of what there is none of: most likely a name is misspelt, and something would cost nothing.
pub(crate) fn check_prices(settings: &Settings) -> Result<(), Failure> {
    let prices = &settings.prices;
    if let Some(name) = prices.instance.keys().next() {
        let message = format!("an instance costs what the price_per_hour of its type says: '{name}' belongs there");
        return Err(failure::wrong("prices.instance", &message));
    }
    let type_named = |name: &&String| settings.volume_types.iter().any(|known| known.name == **name);
    if let Some(name) = prices.volume.keys().find(|name| !type_named(name)) {
        let message = format!("there is no volume type '{name}' in this configuration");
        return Err(failure::wrong("prices.volume", &message));
    }
    let pool_named = |name: &&String| settings.pools.iter().any(|pool| pool.name == **name);
    if let Some(name) = prices.public_ip.keys().find(|name| !pool_named(name)) {
        let message = format!("there is no pool of public IPs '{name}' in this configuration");
        return Err(failure::wrong("prices.public_ip", &message));
    }
    Ok(())
}

fn check(entry: &InstanceType) -> Result<(), Failure> {
    if entry.name.parse::<berth_model::Name>().is_err() {
        return Err(wrong(&entry.name, "is not a name such as m2.large"));
    }
    if !(1..=1024).contains(&entry.vcpus) {
        return Err(wrong(&entry.name, "needs 1 to 1024 vcpus"));
    }
    if entry.memory.0 < 32 {
        return Err(wrong(&entry.name, "needs a memory of at least 32 (MiB)"));
    }
    if !(berth_model::VOLUME_MIN..=berth_model::VOLUME_MAX).contains(&entry.storage) {
        return Err(wrong(&entry.name, "needs a storage of 1 to 5120 (GiB)"));
    }
    if entry.nics == 0 || entry.bandwidth == 0 {
        return Err(wrong(&entry.name, "needs nics and bandwidth of at least 1"));
    }
    Ok(())
}

fn wrong(name: &str, why: &str) -> Failure {
    Failure::new(
        Code::InvalidArgument,
        format!("configuration: instance type '{name}' {why}"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn types(price: &str) -> Result<Vec<InstanceType>, String> {
        let table = format!(
            "name = 'm2.large'\nvcpus = 2\nmemory = 8192\nstorage = 30\nnics = 3\nbandwidth = 2500\n\
             price_per_hour = {price}"
        );
        catalog(vec![table.parse().unwrap()]).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_price_is_text_and_exact() {
        assert_eq!(types("'0.096'").unwrap()[0].price_per_hour.to_string(), "0.096");
        // What was 0.096 before, and would be 96,000 now.
        for number in ["96000", "0.096"] {
            let refused = types(number).unwrap_err();
            assert!(refused.contains("m2.large") && refused.contains("as text"), "{refused}");
        }
        assert!(types("'cheap'").unwrap_err().contains("'cheap' is not a price"));
    }

    #[test]
    fn prices_are_of_what_there_is() {
        let check = |toml: &str| {
            let prices = toml::from_str(toml).unwrap();
            let settings = Settings {
                prices,
                ..Settings::default()
            };
            check_prices(&settings).map_err(|failure| failure.to_string())
        };
        assert_eq!(
            check("currency = 'EUR'\nimage = '0.1'\nvolume = { ssd = '0.2' }"),
            Ok(())
        );
        for (bad, word) in [
            ("volume = { sdd = '0.2' }", "'sdd'"),
            ("public_ip = { office = '0.2' }", "'office'"),
            ("instance = { 't1.nano' = '0.2' }", "price_per_hour"),
        ] {
            let refused = check(bad).unwrap_err();
            assert!(refused.contains(word), "{refused}");
        }
    }
}
