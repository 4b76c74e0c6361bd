//! Who is calling, once the credential has been checked.

use std::borrow::Cow;

use super::error::Error;

/// A caller.
#[derive(Clone, Debug)]
pub(crate) enum Principal {
    /// Nobody in particular: a public route.
    Anyone,
    /// A user of a tenant, by a session or by one of its keys.
    Member(Member),
    /// An app on a device, by its licence token.
    License(LicenseHolder),
    /// The operator of this server, by its key.
    Operator { key_id: String },
    /// Whoever can write to the data folder: the command line, and the first start.
    Machine,
}

/// An active user of an active tenant.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) tenant_id: String,
    pub(crate) user_id: String,
    pub(crate) role: Role,
    pub(crate) via: Via,
}

/// Whoever holds a licence of an active tenant that is neither revoked nor over. Which device that is, nobody has shown.
#[derive(Clone, Debug)]
pub(crate) struct LicenseHolder {
    pub(crate) tenant_id: String,
    /// The licence's own id.
    pub(crate) jti: String,
    /// The app that the licence is for.
    pub(crate) app_id: String,
    /// Who issued it; none once they have left.
    pub(crate) user_id: Option<String>,
    /// What it was issued to, as the server knows it; the same for the licences that follow it.
    pub(crate) device_id: Option<String>,
    /// What the licence allows, as it says.
    pub(crate) entitlements: Vec<String>,
}

/// The credential a member came with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    Session {
        id: String,
        /// Of the user's sessions, when the token was issued.
        version: i64,
    },
    /// A live API key with `full_access`.
    Key {
        id: String,
        /// Of the value that was presented.
        digest: [u8; 32],
        power: KeyPower,
    },
    /// An access token that an agent got for its key and its secret.
    Secret {
        key_id: String,
        /// The head of the digest of the key's value that it was got for.
        value: u64,
        /// Of the agent's secret, when the token was issued.
        version: i64,
    },
    /// An access token that was got for an identity token of a trusted issuer. The user is the owner it acts for.
    Issuer {
        /// The issuer and the subject.
        identity: String,
        /// Of the owner's sessions, when the token was issued.
        version: i64,
    },
    /// None: the program that holds the data folder open acts for one of the tenant's owners.
    Program,
}

/// How far a key may manage keys: never further than it goes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyPower {
    /// It carries no limit.
    Whole,
    /// It has an expiry, a rate limit, numbered uses or addresses that a key of its making would not have.
    Limited,
    /// A rotation has replaced the value that was presented, and its grace runs.
    Replaced,
}

/// What a user may do in its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Owner,
    Admin,
    Member,
}

impl Role {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }

    /// Reads a stored role.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "owner" => Ok(Self::Owner),
            "admin" => Ok(Self::Admin),
            "member" => Ok(Self::Member),
            _ => Err(Error::Fault(format!("unknown role {text:?} in the store"))),
        }
    }

    /// Whether a user of this role may do more than one of the other.
    pub(crate) const fn outranks(self, other: Self) -> bool {
        match (self, other) {
            (Self::Owner, Self::Admin | Self::Member) | (Self::Admin, Self::Member) => true,
            (Self::Owner, Self::Owner) | (Self::Admin | Self::Member, _) => false,
        }
    }

    /// Whether the role covers everything in the tenant; otherwise only what is the user's own.
    pub(crate) const fn manages_tenant(self) -> bool {
        match self {
            Self::Owner | Self::Admin => true,
            Self::Member => false,
        }
    }
}

impl Via {
    /// The key that the credential is, or hangs on.
    pub(crate) fn key_id(&self) -> Option<&str> {
        match self {
            Self::Session { .. } | Self::Issuer { .. } | Self::Program => None,
            Self::Key { id, .. } => Some(id),
            Self::Secret { key_id, .. } => Some(key_id),
        }
    }

    /// How far the credential may manage keys: a person's session, and a secret that a whole key came with, as far as
    /// their user may. A key would outlive the trust in an issuer.
    pub(crate) const fn key_power(&self) -> KeyPower {
        match self {
            Self::Session { .. } | Self::Secret { .. } | Self::Program => KeyPower::Whole,
            Self::Key { power, .. } => *power,
            Self::Issuer { .. } => KeyPower::Limited,
        }
    }
}

impl Member {
    /// Whose things this member sees: everybody's (`None`), or only its own.
    pub(crate) fn sees_only(&self) -> Option<&str> {
        (!self.role.manages_tenant()).then_some(self.user_id.as_str())
    }

    /// That the member is there in person, by a session: a key and a secret act where nobody looks.
    ///
    /// # Errors
    /// `Forbidden`.
    pub(crate) fn require_person(&self) -> Result<(), Error> {
        match self.via {
            Via::Session { .. } => Ok(()),
            Via::Key { .. } | Via::Secret { .. } | Via::Issuer { .. } | Via::Program => {
                Err(Error::Forbidden {
                    rule: "This needs a session, not an API key",
                })
            }
        }
    }

    /// That the member's role manages the tenant.
    ///
    /// # Errors
    /// `Forbidden`.
    pub(crate) fn require_manager(&self) -> Result<(), Error> {
        match self.role.manages_tenant() {
            true => Ok(()),
            false => Err(Error::Forbidden {
                rule: "This needs an owner or an admin",
            }),
        }
    }

    /// That the member owns the tenant.
    ///
    /// # Errors
    /// `Forbidden`.
    pub(crate) fn require_owner(&self) -> Result<(), Error> {
        match self.role {
            Role::Owner => Ok(()),
            Role::Admin | Role::Member => Err(Error::Forbidden {
                rule: "This needs an owner",
            }),
        }
    }

    /// Whether what belongs to `user_id` is this member's to manage.
    pub(crate) fn manages(&self, user_id: &str) -> bool {
        self.sees_only().is_none_or(|own| own == user_id)
    }
}

impl Principal {
    /// Whether the caller may know of what belongs to a user of a tenant.
    pub(crate) fn knows_of(&self, tenant_id: &str, user_id: &str) -> bool {
        match self {
            Self::Operator { .. } | Self::Machine => true,
            Self::Member(member) => member.tenant_id == tenant_id && member.manages(user_id),
            Self::Anyone | Self::License(_) => false,
        }
    }

    /// The member behind the call.
    ///
    /// # Errors
    /// `CredentialMissing` when the caller is no member.
    pub(crate) fn member(&self) -> Result<&Member, Error> {
        match self {
            Self::Member(member) => Ok(member),
            Self::Anyone | Self::License(_) | Self::Operator { .. } | Self::Machine => {
                Err(Error::CredentialMissing)
            }
        }
    }

    /// The tenant that the caller belongs to.
    pub(crate) fn tenant_id(&self) -> Option<&str> {
        match self {
            Self::Member(member) => Some(&member.tenant_id),
            Self::License(holder) => Some(&holder.tenant_id),
            Self::Anyone | Self::Operator { .. } | Self::Machine => None,
        }
    }

    /// The holder of the licence behind the call.
    ///
    /// # Errors
    /// `CredentialMissing` when the caller came with no licence token.
    pub(crate) fn license(&self) -> Result<&LicenseHolder, Error> {
        match self {
            Self::License(holder) => Ok(holder),
            Self::Anyone | Self::Member(_) | Self::Operator { .. } | Self::Machine => {
                Err(Error::CredentialMissing)
            }
        }
    }

    /// The tenant in which the call has its effect, and who calls there: a call is the same one over again only if both are.
    ///
    /// # Errors
    /// `CredentialMissing` when the caller belongs to no tenant.
    pub(crate) fn in_tenant(&self) -> Result<(&str, Cow<'_, str>), Error> {
        match self {
            Self::Member(member) => Ok((&member.tenant_id, Cow::Borrowed(&member.user_id))),
            // No user's id has a colon. A licence that was renewed is still its device's.
            Self::License(holder) => Ok((
                &holder.tenant_id,
                Cow::Owned(match &holder.device_id {
                    Some(device_id) => format!("device:{device_id}"),
                    None => format!("license:{}", holder.jti),
                }),
            )),
            Self::Anyone | Self::Operator { .. } | Self::Machine => Err(Error::CredentialMissing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_calls_in_a_tenant_is_nobody_else_there() {
        let user = |user_id: &str| {
            Principal::Member(Member {
                tenant_id: "t".to_owned(),
                user_id: user_id.to_owned(),
                role: Role::Owner,
                via: Via::Session {
                    id: "s".to_owned(),
                    version: 1,
                },
            })
        };
        // All of them issued by one user.
        let license = |jti: &str| {
            Principal::License(LicenseHolder {
                device_id: None,
                tenant_id: "t".to_owned(),
                jti: jti.to_owned(),
                app_id: "a".to_owned(),
                user_id: Some("1".to_owned()),
                entitlements: Vec::new(),
            })
        };
        let callers = [user("1"), user("2"), license("1"), license("2")];
        let named: Vec<(String, String)> = (callers.iter())
            .map(|caller| {
                let (tenant_id, who) = caller.in_tenant().unwrap();
                (tenant_id.to_owned(), who.into_owned())
            })
            .collect();
        let expected =
            ["1", "2", "license:1", "license:2"].map(|who| ("t".to_owned(), who.to_owned()));
        assert_eq!(named, expected);
        let operator = Principal::Operator {
            key_id: "k".to_owned(),
        };
        for caller in [Principal::Anyone, Principal::Machine, operator] {
            assert!(matches!(caller.in_tenant(), Err(Error::CredentialMissing)));
        }
    }
}
