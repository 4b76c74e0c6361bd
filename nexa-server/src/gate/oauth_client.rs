//! Clients of OAuth endpoints: a key by its id, or an agent by its key and its secret.

use std::net::IpAddr;
use std::sync::Arc;

use super::access::{Access, Authority, Caller, MEMBER_ONLY};
use super::address;
use super::client::Client;
use super::limit::Limit;
use crate::domain::agent_tokens::AgentClient;
use crate::domain::audit::Origin;
use crate::domain::keys::{self, Ask, Environments, Presented};
use crate::domain::principal::{KeyPower, Principal};
use crate::domain::{Error, agent_tokens};
use crate::time::UnixMillis;
use nexa_core::KeyDigest;

impl Authority<'_> {
    /// The caller behind a client: a key's id with the key, or an agent's key with its secret.
    ///
    /// # Errors
    /// `ClientInvalid` when the two do not belong together; otherwise as for the key itself.
    pub(super) fn client(
        &self,
        now: UnixMillis,
        access: Access,
        takes_operators: bool,
        address: Option<IpAddr>,
        client: &Client,
    ) -> Result<Caller, Error> {
        let refused = |error| match error {
            Error::KeyInvalid => Error::ClientInvalid,
            error => error,
        };
        let secret = Presented::new(&client.secret);
        if let Some(key_id) = self.operator(secret.digest())? {
            return match (key_id == *client.id, takes_operators) {
                (false, _) => Err(Error::ClientInvalid),
                (true, false) => Err(MEMBER_ONLY),
                (true, true) => Ok(Caller::of(Principal::Operator { key_id })),
            };
        }
        if let Some(key) = self.find(secret)? {
            return match key.id == *client.id {
                true => self.owner(now, access, key, address).map_err(refused),
                false => Err(Error::ClientInvalid),
            };
        }
        let origin = Origin {
            principal: Principal::Anyone,
            address,
        };
        let agent = self.agent(now, &origin, client)?;
        let caller = self
            .owner(now, access, Arc::clone(&agent.key), address)
            .map_err(refused)?;
        match agent.key.power {
            KeyPower::Whole => Ok(Caller {
                principal: Principal::Member(agent.member),
                ..caller
            }),
            // The secret makes no more of a key than it is.
            KeyPower::Limited | KeyPower::Replaced => Ok(caller),
        }
    }

    /// The agent whose key and secret a client presented; the key may not do here what it may not do elsewhere.
    ///
    /// Refusals are counted by address and by client, and recorded against the agent whose key it was.
    ///
    /// # Errors
    /// `ClientInvalid`; `Limited` instead, with nothing recorded, once there have been too many.
    pub(crate) fn agent(
        &self,
        now: UnixMillis,
        origin: &Origin,
        client: &Client,
    ) -> Result<AgentClient, Error> {
        let id = Presented::new(&client.id);
        let ask = Ask {
            address: origin.address,
            environments: Environments::Live,
            requirements: &[],
        };
        let found = self.find(id)?;
        let Some(key) = found.filter(|key| keys::judge(now, key, &ask).is_ok()) else {
            self.count_refusal(now, origin, id.digest())?;
            return Err(Error::ClientInvalid);
        };
        let matched = self
            .store
            .read(|tx| agent_tokens::client(tx, &key, Presented::new(&client.secret).digest()));
        if let Err(Error::ClientInvalid) = matched {
            self.count_refusal(now, origin, id.digest())?;
            let origin = origin.clone();
            self.store
                .write(move |tx| agent_tokens::record_refusal(tx, now, &origin, &key))?;
        }
        matched
    }

    /// Counts a refusal of whatever stands in for a log-in.
    ///
    /// # Errors
    /// `Limited` once there have been too many.
    pub(crate) fn count_refused_address(
        &self,
        now: UnixMillis,
        origin: &Origin,
    ) -> Result<(), Error> {
        match origin.address.map(address::limit_key) {
            Some(address) => self.limiter.check(now, Limit::LoginPerAddress, &address),
            // Those that nobody can tell apart share one count.
            None => self.limiter.check(now, Limit::LoginPerAddress, &"unknown"),
        }
    }

    fn count_refusal(
        &self,
        now: UnixMillis,
        origin: &Origin,
        client_id: &KeyDigest,
    ) -> Result<(), Error> {
        self.count_refused_address(now, origin)?;
        let client_id = client_id.to_bytes();
        self.limiter.check(now, Limit::LoginPerAccount, &client_id)
    }
}
