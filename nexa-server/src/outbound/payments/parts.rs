//! What all of Mollie's JSON is made of: ids by their kinds, and sums of money.

use serde::{Deserialize, Serialize};

use super::{Amount, PaymentsError};

/// Kinds of things that Mollie knows, by the start of their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Customer,
    Payment,
    Subscription,
    Refund,
    Chargeback,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Customer => "cst_",
            Self::Payment => "tr_",
            Self::Subscription => "sub_",
            Self::Refund => "re_",
            Self::Chargeback => "chb_",
        }
    }

    /// The name of a list of these, and that under which our metadata of one holds its reference.
    pub(super) const fn listed(self) -> (&'static str, &'static str) {
        match self {
            Self::Customer => ("customers", "customer"),
            Self::Payment => ("payments", "payment"),
            Self::Subscription => ("subscriptions", "subscription"),
            Self::Refund => ("refunds", "refund"),
            Self::Chargeback => ("chargebacks", "chargeback"),
        }
    }

    /// Whether it is an id of this kind: letters and digits that mean nothing else in a path.
    pub(super) fn names(self, id: &str) -> bool {
        id.strip_prefix(self.prefix()).is_some_and(|rest| {
            (1..=64).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric())
        })
    }

    pub(super) fn id(self, id: String) -> Result<String, String> {
        match self.names(&id) {
            true => Ok(id),
            false => Err(format!("{id:?} instead of an id {}…", self.prefix())),
        }
    }

    pub(super) fn id_if_any(self, id: Option<String>) -> Result<Option<String>, String> {
        id.map(|id| self.id(id)).transpose()
    }
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireAmount {
    pub(super) currency: String,
    /// With as many decimals as the currency has.
    value: String,
}

/// Whether a hundredth is the smallest part of the currency, as ISO 4217 and Mollie have it. Others would be charged a
/// hundred times too much, or a tenth.
pub(crate) fn has_cents(currency: &str) -> bool {
    const WITHOUT: &[&str] = &[
        "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
        "VUV", "XAF", "XOF", "XPF",
    ];
    const WITH_MORE: &[&str] = &[
        "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND", "CLF", "UYW",
    ];
    let is_code = currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase());
    is_code && !WITHOUT.contains(&currency) && !WITH_MORE.contains(&currency)
}

impl WireAmount {
    pub(super) fn of(amount: Amount<'_>) -> Result<Self, PaymentsError> {
        let Amount { cents, currency } = amount;
        let refuse = |sentence: String| PaymentsError::Refused {
            status: 422,
            field: Some("amount".to_owned()),
            sentence,
        };
        if !has_cents(currency) {
            return Err(refuse(format!(
                "amount: {currency:?} is no currency that is counted in hundredths"
            )));
        }
        if cents <= 0 {
            return Err(refuse(format!(
                "amount: must be more than 0 cents, not {cents}"
            )));
        }
        Ok(Self {
            currency: currency.to_owned(),
            value: format!("{}.{:02}", cents / 100, cents % 100),
        })
    }

    pub(super) fn cents(&self) -> Result<i64, String> {
        let read = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<i64>().ok().filter(|_| is_number)
        };
        let cents = || {
            let (units, hundredths) = self.value.split_once('.')?;
            let hundredths = (hundredths.len() == 2).then_some(hundredths)?;
            read(units)?
                .checked_mul(100)?
                .checked_add(read(hundredths)?)
        };
        match cents() {
            Some(cents) if has_cents(&self.currency) => Ok(cents),
            Some(_) | None => Err(format!(
                "{:?} {:?} instead of an amount such as 10.00 EUR",
                self.value, self.currency
            )),
        }
    }
}
