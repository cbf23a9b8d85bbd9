//! Tracking parameters: the query parameters that mail programs, social networks and advertisers append to links.

/// The names of tracking parameters, in lower case. Neither S3 nor Signpost has a parameter with one of these names.
const NAMES: [&str; 38] = [
    "_",
    "_branch_match_id",
    "_ga",
    "_gl",
    "_hsenc",
    "_hsmi",
    "_kx",
    "dclid",
    "epik",
    "fb_action_ids",
    "fb_action_types",
    "fb_source",
    "fbclid",
    "gad_campaignid",
    "gad_source",
    "gbraid",
    "gclid",
    "gclsrc",
    "igsh",
    "igshid",
    "irclickid",
    "li_fat_id",
    "mc_cid",
    "mc_eid",
    "mkt_tok",
    "ml_subscriber",
    "ml_subscriber_hash",
    "msclkid",
    "oly_anon_id",
    "oly_enc_id",
    "rdt_cid",
    "s_kwcid",
    "srsltid",
    "ttclid",
    "twclid",
    "vero_id",
    "wbraid",
    "yclid",
];

/// The beginnings of names that form a family, such as `utm_source`.
const PREFIXES: [&str; 4] = ["utm_", "hsa_", "mtm_", "pk_"];

/// Returns true if a parameter only tracks the origin of a link. Signpost ignores such a parameter: it is neither an
/// error nor a part of the request to S3.
pub fn is_tracking_parameter(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.contains(&name.as_str())
        || PREFIXES
            .iter()
            .any(|prefix| name.len() > prefix.len() && name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{Listing, ObjectPage, Operation};

    #[test]
    fn no_parameter_of_s3_or_signpost_is_a_tracking_parameter() {
        let objects = Operation::ALL.into_iter().map(Operation::parameters);
        let listings = Listing::ALL.into_iter().map(Listing::parameters);
        let pages = ObjectPage::ALL.into_iter().map(ObjectPage::parameters);
        for parameter in objects.chain(listings).chain(pages).flatten() {
            assert!(!is_tracking_parameter(parameter.name), "{}", parameter.name);
        }
        for known in [
            "acl",
            "form",
            "ext",
            "code",
            "state",
            "next",
            "X-Amz-Signature",
            "utm",
            "utm_",
            "pk",
            "__",
        ] {
            assert!(!is_tracking_parameter(known), "{known}");
        }
    }

    #[test]
    fn the_table_is_in_lower_case_and_has_no_duplicates() {
        assert!(NAMES.is_sorted());
        for name in NAMES.iter().chain(&PREFIXES) {
            assert_eq!(name.to_ascii_lowercase(), **name);
        }
        assert!(NAMES.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
