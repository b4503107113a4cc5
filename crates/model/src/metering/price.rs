//! Money, exactly: decimals as they are written, no binary fraction anywhere.

use std::fmt;
use std::iter::Sum;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// The most decimal places of a price.
const PLACES: u32 = 9;

/// The highest price.
const MOST: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);

/// The decimal places that an amount is rounded to.
const AMOUNT_PLACES: u32 = 6;

/// Microseconds in an hour.
const HOUR: i128 = 3_600_000_000;

/// What an hour of something costs: of an instance, of a GiB, of an address. In the currency of the price list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Price(Decimal);

/// What was given is no price.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a price such as \"0.096\": at most 1000000, with at most 9 decimal places")]
pub struct ParsePriceError(pub String);

impl Price {
    /// Nothing.
    pub const FREE: Self = Self(Decimal::ZERO);

    /// So many millionths: how prices were kept before they were decimals.
    pub fn millionths(amount: u64) -> Result<Self, ParsePriceError> {
        let wrong = || ParsePriceError(format!("{amount} millionths"));
        let price = Decimal::try_from_i128_with_scale(amount.into(), 6).map_err(|_| wrong())?;
        Self::checked(price).ok_or_else(wrong)
    }

    /// What an hour of so many units costs.
    pub fn times(self, quantity: u64) -> PerHour {
        PerHour(self.0.saturating_mul(quantity.into()))
    }

    fn checked(price: Decimal) -> Option<Self> {
        let price = price.normalize();
        let good = !price.is_sign_negative() && price.scale() <= PLACES && price <= MOST;
        // Minus nothing is nothing, and equal to it in every respect.
        (good || price.is_zero()).then_some(Self(price.abs()))
    }

    /// In billionths, which are whole.
    fn billionths(self) -> i128 {
        self.0.mantissa() * 10_i128.pow(PLACES - self.0.scale())
    }
}

impl FromStr for Price {
    type Err = ParsePriceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let price = Decimal::from_str_exact(text).ok().filter(|_| plain);
        price
            .and_then(Self::checked)
            .ok_or_else(|| ParsePriceError(text.to_owned()))
    }
}

impl TryFrom<String> for Price {
    type Error = ParsePriceError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Price> for String {
    fn from(price: Price) -> Self {
        price.to_string()
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an hour of many things costs, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PerHour(Decimal);

impl TryFrom<String> for PerHour {
    type Error = rust_decimal::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Decimal::from_str_exact(&text).map(Self)
    }
}

impl From<PerHour> for String {
    fn from(price: PerHour) -> Self {
        price.to_string()
    }
}

impl Sum for PerHour {
    fn sum<I: Iterator<Item = Self>>(prices: I) -> Self {
        let total = prices.fold(Decimal::ZERO, |sum, one| sum.saturating_add(one.0));
        Self(total)
    }
}

impl fmt::Display for PerHour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.normalize().fmt(f)
    }
}

/// What something costs, rounded to millionths of the currency, half up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Amount(Decimal);

impl Amount {
    /// What `quantity` units cost for `micros` microseconds: the product is exact, and rounded once.
    pub fn of(price: Price, quantity: u64, micros: i64) -> Self {
        let exact = price
            .billionths()
            .saturating_mul(quantity.into())
            .saturating_mul(micros.into());
        let unit = HOUR * 10_i128.pow(PLACES - AMOUNT_PLACES);
        let rounded = exact.saturating_add(unit / 2) / unit;
        // 128 bits divided by a unit of 42 are 86, and a decimal holds 96.
        Self(Decimal::try_from_i128_with_scale(rounded, AMOUNT_PLACES).unwrap_or(Decimal::MAX))
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        let total = amounts.fold(Decimal::ZERO, |sum, one| sum.saturating_add(one.0));
        Self(total)
    }
}

impl TryFrom<String> for Amount {
    type Error = rust_decimal::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Decimal::from_str_exact(&text).map(Self)
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> Self {
        amount.to_string()
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    #[test]
    fn a_price_is_what_is_written() {
        assert_eq!(price("0.0960"), price("0.096"));
        assert_eq!(price("0.0960").to_string(), "0.096");
        assert_eq!(price("0.000000001").to_string(), "0.000000001");
        assert_eq!(price("1000000").to_string(), "1000000");
        assert_eq!(price("0"), Price::FREE);
        assert_eq!(Price::millionths(96_000).unwrap(), price("0.096"));
        for wrong in [
            "",
            "-1",
            "+1",
            "1e3",
            "0.0000000001",
            "1000000.1",
            "0,096",
            "free",
            "1_000",
            ".",
            "NaN",
        ] {
            assert!(wrong.parse::<Price>().is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn an_hour_of_many_things_is_exact() {
        let hours = [
            price("0.000000001").times(3),
            price("0.0960").times(2),
            Price::FREE.times(9),
        ];
        assert_eq!(hours.into_iter().sum::<PerHour>().to_string(), "0.192000003");
        assert_eq!(price("1000000").times(5_120_000_000).to_string(), "5120000000000000");
        assert_eq!([].into_iter().sum::<PerHour>().to_string(), "0");
    }

    #[test]
    fn an_amount_is_exact_and_rounded_once() {
        const HOUR: i64 = 3_600_000_000;
        assert_eq!(Amount::of(price("0.096"), 1, HOUR).to_string(), "0.096000");
        assert_eq!(Amount::of(price("0.1"), 3, 3 * HOUR).to_string(), "0.900000");
        // A third of a millionth, a half, and just above.
        assert_eq!(Amount::of(price("0.000001"), 1, HOUR / 3).to_string(), "0.000000");
        assert_eq!(Amount::of(price("0.000001"), 1, HOUR / 2).to_string(), "0.000001");
        assert_eq!(Amount::of(price("0.000001"), 1, HOUR / 2 - 1).to_string(), "0.000000");
        // A thousand of the largest volumes at the highest price for a century.
        let century = 100 * 365 * 24 * HOUR;
        let most = Amount::of(price("1000000"), 5_120_000, century);
        assert_eq!(most.to_string(), "4485120000000000000.000000");
        let sum: Amount = [Amount::of(price("0.1"), 1, HOUR), Amount::of(price("0.2"), 1, HOUR)]
            .into_iter()
            .sum();
        assert_eq!(sum.to_string(), "0.300000");
    }
}
