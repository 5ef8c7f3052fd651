//! Access tokens: JWTs signed with HS256.
//!
//! The signatures come from `ring`, through a provider of our own that knows this one algorithm, so that a token which
//! names another cannot even be computed. Times are checked against the server's clock.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ring::hmac;
use serde::{Deserialize, Serialize};
use signature::{Signer, Verifier};
use testhide_protocol::{SessionId, Timestamp, UserId};

/// Seconds that an access token lives.
pub(super) const LIFETIME_SECONDS: u64 = 15 * 60;

const ISSUER: &str = "testhide";

/// Signs and checks access tokens with one secret.
pub(super) struct Keys {
    /// Names the secret without telling it; a token of an older secret is known by it.
    id: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: UserId,
    sid: SessionId,
    iat: i64,
    exp: i64,
}

impl Keys {
    pub(super) fn new(secret: &[u8]) -> Self {
        // Only the first call of a process installs; the provider is the same each time.
        PROVIDER.install_default().ok();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        // The library would ask the machine's clock.
        validation.validate_exp = false;
        Self {
            id: crate::kit::to_hex(&crate::kit::sha256(secret)[..8]),
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            validation,
        }
    }

    /// A token that stands for `user` for the next 15 minutes, as long as the session lives.
    pub(super) fn issue(&self, user: UserId, session: SessionId, now: Timestamp) -> String {
        let iat = now.0.div_euclid(1000);
        let exp = iat.saturating_add_unsigned(LIFETIME_SECONDS);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: user,
            sid: session,
            iat,
            exp,
        };
        let header = Header {
            kid: Some(self.id.clone()),
            ..Header::new(Algorithm::HS256)
        };
        jsonwebtoken::encode(&header, &claims, &self.encoding)
            .expect("a plain struct is signed with a secret of any length")
    }

    /// Whom a token stands for, and in which session; `None` when it is not ours or has ended.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Option<(UserId, SessionId)> {
        let data = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation).ok()?;
        let alive = now.0.div_euclid(1000) < data.claims.exp;
        let ours = data.header.kid.as_deref() == Some(&self.id);
        (alive && ours).then_some((data.claims.sub, data.claims.sid))
    }
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| {
        Ok(Box::new(Hs256::new(*algorithm, key.as_bytes())?) as Box<dyn JwtSigner>)
    },
    verifier_factory: |algorithm, key| {
        Ok(Box::new(Hs256::new(*algorithm, key.try_get_as_bytes()?)?) as Box<dyn JwtVerifier>)
    },
    // Keys in the JWK format are not used.
    key_utils: KeyUtils::new_unimplemented(),
};

struct Hs256(hmac::Key);

impl Hs256 {
    fn new(algorithm: Algorithm, secret: &[u8]) -> Result<Self, Error> {
        match algorithm {
            Algorithm::HS256 => Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, secret))),
            _ => Err(ErrorKind::InvalidAlgorithm.into()),
        }
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        hmac::verify(&self.0, message, signature).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use super::{Keys, LIFETIME_SECONDS};
    use proptest::prelude::*;
    use ring::hmac;
    use testhide_protocol::{SessionId, Timestamp, UserId};

    const SECRET: &[u8] = b"a secret of thirty-two bytes ...";
    const NOW: Timestamp = Timestamp(1_700_000_000_500);

    fn a_session() -> SessionId {
        SessionId::from_bytes([9; 16])
    }

    fn base64(bytes: &[u8]) -> String {
        data_encoding::BASE64URL_NOPAD.encode(bytes)
    }

    /// A token with this header and these claims, signed with HMAC whatever the header says.
    fn forge(header: &str, claims: &str, algorithm: hmac::Algorithm, secret: &[u8]) -> String {
        let message = format!(
            "{}.{}",
            base64(header.as_bytes()),
            base64(claims.as_bytes())
        );
        let signature = hmac::sign(&hmac::Key::new(algorithm, secret), message.as_bytes());
        format!("{message}.{}", base64(signature.as_ref()))
    }

    #[test]
    fn a_token_lives_for_its_time_and_no_longer() {
        let (keys, user) = (Keys::new(SECRET), UserId::generate());
        let token = keys.issue(user, a_session(), NOW);
        let life = i64::try_from(LIFETIME_SECONDS).unwrap() * 1000;
        assert_eq!(keys.verify(&token, NOW), Some((user, a_session())));
        assert_eq!(
            keys.verify(&token, NOW.plus_millis(life - 501)),
            Some((user, a_session()))
        );
        assert_eq!(keys.verify(&token, NOW.plus_millis(life - 500)), None);
        assert_eq!(
            Keys::new(b"another secret of 32 bytes .....").verify(&token, NOW),
            None
        );
    }

    #[test]
    fn only_our_algorithm_issuer_and_key_are_taken() {
        let (keys, user) = (Keys::new(SECRET), UserId::generate());
        let kid = &keys.id;
        let session = a_session();
        let good_header = format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{kid}"}}"#);
        let claims = |iss: &str, exp: i64| {
            format!(r#"{{"iss":"{iss}","sub":"{user}","sid":"{session}","iat":1,"exp":{exp}}}"#)
        };
        let good_claims = claims("testhide", 9_000_000_000);
        let check = |header: &str,
                     claims: &str,
                     algorithm,
                     secret: &[u8],
                     expected: Option<(UserId, SessionId)>| {
            let token = forge(header, claims, algorithm, secret);
            assert_eq!(keys.verify(&token, NOW), expected, "{header} {claims}");
        };
        let sha256 = hmac::HMAC_SHA256;
        check(
            &good_header,
            &good_claims,
            sha256,
            SECRET,
            Some((user, a_session())),
        );
        check(&good_header, &good_claims, sha256, b"", None);
        check(
            &good_header,
            &claims("other", 9_000_000_000),
            sha256,
            SECRET,
            None,
        );
        check(
            &good_header,
            &claims("testhide", 1_700_000_000),
            sha256,
            SECRET,
            None,
        );
        check(
            &good_header,
            &format!(r#"{{"iss":"testhide","sub":"{user}","sid":"{session}","iat":1}}"#),
            sha256,
            SECRET,
            None,
        );
        check(
            &good_header,
            &format!(
                r#"{{"iss":"testhide","sub":"x","sid":"{session}","iat":1,"exp":9000000000}}"#
            ),
            sha256,
            SECRET,
            None,
        );
        check(r#"{"alg":"HS256"}"#, &good_claims, sha256, SECRET, None);
        check(
            r#"{"alg":"HS256","kid":"another"}"#,
            &good_claims,
            sha256,
            SECRET,
            None,
        );
        for algorithm in [
            "none", "None", "HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA",
        ] {
            let header = format!(r#"{{"alg":"{algorithm}","kid":"{kid}"}}"#);
            check(&header, &good_claims, sha256, SECRET, None);
            check(&header, &good_claims, hmac::HMAC_SHA512, SECRET, None);
            let unsigned = format!(
                "{}.{}.",
                base64(header.as_bytes()),
                base64(good_claims.as_bytes())
            );
            assert_eq!(
                keys.verify(&unsigned, NOW),
                None,
                "{algorithm} without a signature"
            );
        }
    }

    proptest! {
        #[test]
        fn text_that_is_no_token_is_refused(text in "\\PC*") {
            prop_assert_eq!(Keys::new(SECRET).verify(&text, NOW), None);
        }

        #[test]
        fn a_token_with_one_other_character_is_refused(at in 0usize..200, to in "[A-Za-z0-9_.-]") {
            let keys = Keys::new(SECRET);
            let user = UserId::from_bytes([7; 16]);
            let token = keys.issue(user, a_session(), NOW);
            let at = at % token.len();
            let mut other = token.clone();
            other.replace_range(at..=at, &to);
            // The last character of a base64 text has bits that mean nothing; a strict reader refuses other values there too.
            prop_assert_eq!(keys.verify(&other, NOW), (other == token).then_some((user, a_session())));
        }
    }
}
