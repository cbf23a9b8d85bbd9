//! The remedies for invalid credentials.

/// What a client can do about an invalid credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialRemedy {
    /// Several credentials: send one.
    SendOne,
    /// A malformed `Authorization` header: send it in another form.
    CorrectHeader,
    /// The service accepts no credential.
    SendNone,
    /// An unknown token: check it.
    CheckToken,
    /// A token of an issuer that has expired: request a new one.
    RenewToken,
    /// A token of an issuer that the rules do not accept: compare it with the rules.
    CheckIssuer,
    /// The gateway has verified no identity, or one that the rules do not accept.
    CheckGateway,
    /// A session that has ended, or a failed sign-in: sign in again.
    SignIn,
    /// A user with too many claims and groups for a session.
    ShortenClaims,
    /// A share link that was changed or cut off: copy it again.
    CopyLink,
    /// A share link that has expired: request a new one.
    RenewLink,
    /// A share link that has no uses left: request a new one.
    RequestUses,
    /// A share link that the operator has revoked.
    RevokedLink,
    /// A share link whose creator has no access any more.
    LostCreator,
}

impl CredentialRemedy {
    /// Returns the sentences for the client.
    pub const fn text(self) -> &'static str {
        match self {
            Self::SendOne => {
                "Send exactly one credential: the Authorization header, or a share link, or the cookie of a session."
            }
            Self::CorrectHeader => {
                "Send a token with curl -u ID:SECRET, or as the header Authorization: Bearer SECRET."
            }
            Self::SendNone => "Send the request without a credential.",
            Self::CheckToken => {
                "Check that the id and the secret are complete and belong to this service. If they do, the operator may \
                 have replaced the token: ask for a new one."
            }
            Self::RenewToken => "Request a new token from its issuer, and check the clock of this machine.",
            Self::CheckIssuer => {
                "Request a token from an issuer, and for an audience, that this service accepts. The operator can compare \
                 it with the [[issuer]] tables of the rules."
            }
            Self::CheckGateway => {
                "Send the credential that the authorizer of the gateway verifies. The operator can compare its identities \
                 with the [[issuer]] tables of the rules."
            }
            Self::SignIn => "Sign in again.",
            Self::ShortenClaims => {
                "Use a token instead, or ask the operator for rules that use fewer claims and groups."
            }
            Self::CopyLink => {
                "Copy the complete link again. If the error occurs again, ask the person who sent you the link for a new \
                 one."
            }
            Self::RenewLink => "Ask the person who sent you the link for a new one.",
            Self::RequestUses => {
                "Ask the person who sent you the link for a new one. If you have not used it, another person or program \
                 has."
            }
            Self::RevokedLink => {
                "The operator has disabled this link. If you still need access, ask the person who sent you the link."
            }
            Self::LostCreator => "Ask a person who has access now for a new link.",
        }
    }

    /// Returns true if the credential is a share link.
    pub const fn concerns_link(self) -> bool {
        match self {
            Self::CopyLink | Self::RenewLink | Self::RequestUses | Self::RevokedLink | Self::LostCreator => true,
            Self::SendOne
            | Self::CorrectHeader
            | Self::SendNone
            | Self::CheckToken
            | Self::RenewToken
            | Self::CheckIssuer
            | Self::CheckGateway
            | Self::SignIn
            | Self::ShortenClaims => false,
        }
    }
}
