//! Bucket operations, including versioning and CORS configuration.

use s3s::dto::{
    Bucket, BucketVersioningStatus, CORSRule, CreateBucketInput, CreateBucketOutput, DeleteBucketCorsInput,
    DeleteBucketCorsOutput, GetBucketCorsInput, GetBucketCorsOutput, GetBucketLocationInput, GetBucketLocationOutput,
    GetBucketVersioningInput, GetBucketVersioningOutput, HeadBucketInput, HeadBucketOutput, ListBucketsInput,
    ListBucketsOutput, Owner, PutBucketCorsInput, PutBucketCorsOutput, PutBucketVersioningInput,
    PutBucketVersioningOutput,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::{S3Backend, to_timestamp};
use crate::s3::cors;
use crate::s3::store::records::{CorsRule, VersioningState};
use crate::s3::store::{ObjectStore, StoreError};

/// Returns the only account, which owns all buckets and objects.
pub(super) fn bucket_owner() -> Owner {
    Owner {
        display_name: Some("signpost".into()),
        id: Some("0".repeat(64)),
    }
}

impl S3Backend {
    pub(super) async fn handle_create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let name = request.input.bucket;
        let location = Some(format!("/{name}"));
        // The oldest region accepts the repeated creation by the owner.
        let is_repeatable = self.region == "us-east-1";
        self.with_store(move |store| match store.create_bucket(&name) {
            Err(StoreError::BucketExists) if is_repeatable => Ok(()),
            result => result,
        })
        .await?;
        Ok(S3Response::new(CreateBucketOutput { location }))
    }

    pub(super) async fn handle_head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.with_store(move |store| store.get_bucket(&request.input.bucket))
            .await?;
        let bucket_region = Some(self.region.clone());
        Ok(S3Response::new(HeadBucketOutput {
            bucket_region,
            ..HeadBucketOutput::default()
        }))
    }

    pub(super) async fn handle_list_buckets(
        &self,
        _request: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let rows = self.with_store(ObjectStore::list_buckets).await?;
        let buckets = rows.into_iter().map(|(name, bucket)| Bucket {
            name: Some(name),
            creation_date: Some(to_timestamp(bucket.created)),
            ..Bucket::default()
        });
        let (buckets, owner) = (Some(buckets.collect()), Some(bucket_owner()));
        Ok(S3Response::new(ListBucketsOutput {
            buckets,
            owner,
            ..ListBucketsOutput::default()
        }))
    }

    pub(super) async fn handle_get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.with_store(move |store| store.get_bucket(&request.input.bucket))
            .await?;
        // S3 returns no location constraint for us-east-1.
        let region = Some(self.region.clone()).filter(|region| region != "us-east-1");
        let location_constraint = region.map(Into::into);
        Ok(S3Response::new(GetBucketLocationOutput { location_constraint }))
    }

    pub(super) async fn handle_put_bucket_versioning(
        &self,
        request: S3Request<PutBucketVersioningInput>,
    ) -> S3Result<S3Response<PutBucketVersioningOutput>> {
        let input = request.input;
        let versioning = match input
            .versioning_configuration
            .status
            .as_ref()
            .map(BucketVersioningStatus::as_str)
        {
            Some("Enabled") => VersioningState::Enabled,
            Some("Suspended") => VersioningState::Suspended,
            Some(_) => {
                let message =
                    "The XML you provided was not well-formed or did not validate against our published schema";
                return Err(s3_error!(MalformedXML, "{message}"));
            }
            None => {
                return Err(s3_error!(
                    IllegalVersioningConfigurationException,
                    "The Versioning element must be specified"
                ));
            }
        };
        self.with_store(move |store| store.update_bucket(&input.bucket, |bucket| bucket.versioning = versioning))
            .await?;
        Ok(S3Response::new(PutBucketVersioningOutput {}))
    }

    pub(super) async fn handle_get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        let bucket = self
            .with_store(move |store| store.get_bucket(&request.input.bucket))
            .await?;
        let status = match bucket.versioning {
            VersioningState::Never => None,
            VersioningState::Enabled => Some(BucketVersioningStatus::from_static(BucketVersioningStatus::ENABLED)),
            VersioningState::Suspended => Some(BucketVersioningStatus::from_static(BucketVersioningStatus::SUSPENDED)),
        };
        Ok(S3Response::new(GetBucketVersioningOutput {
            status,
            ..GetBucketVersioningOutput::default()
        }))
    }

    pub(super) async fn handle_put_bucket_cors(
        &self,
        request: S3Request<PutBucketCorsInput>,
    ) -> S3Result<S3Response<PutBucketCorsOutput>> {
        let input = request.input;
        let rules: Vec<_> = input
            .cors_configuration
            .cors_rules
            .into_iter()
            .map(from_s3_rule)
            .collect();
        if rules.is_empty() {
            let message = "The XML you provided was not well-formed or did not validate against our published schema";
            return Err(s3_error!(MalformedXML, "{message}"));
        }
        if let Some(message) = rules.iter().find_map(cors::invalid_rule_message) {
            return Err(s3_error!(InvalidRequest, "{message}"));
        }
        self.with_store(move |store| store.update_bucket(&input.bucket, |bucket| bucket.cors = Some(rules)))
            .await?;
        Ok(S3Response::new(PutBucketCorsOutput {}))
    }

    pub(super) async fn handle_get_bucket_cors(
        &self,
        request: S3Request<GetBucketCorsInput>,
    ) -> S3Result<S3Response<GetBucketCorsOutput>> {
        let bucket = self
            .with_store(move |store| store.get_bucket(&request.input.bucket))
            .await?;
        let missing = || s3_error!(NoSuchCORSConfiguration, "The CORS configuration does not exist");
        let rules = bucket.cors.ok_or_else(missing)?.into_iter().map(to_s3_rule).collect();
        Ok(S3Response::new(GetBucketCorsOutput {
            cors_rules: Some(rules),
        }))
    }

    pub(super) async fn handle_delete_bucket_cors(
        &self,
        request: S3Request<DeleteBucketCorsInput>,
    ) -> S3Result<S3Response<DeleteBucketCorsOutput>> {
        self.with_store(move |store| store.update_bucket(&request.input.bucket, |bucket| bucket.cors = None))
            .await?;
        Ok(S3Response::new(DeleteBucketCorsOutput {}))
    }
}

fn from_s3_rule(rule: CORSRule) -> CorsRule {
    CorsRule {
        id: rule.id,
        allowed_origins: rule.allowed_origins,
        allowed_methods: rule.allowed_methods,
        allowed_headers: rule.allowed_headers.unwrap_or_default(),
        expose_headers: rule.expose_headers.unwrap_or_default(),
        max_age_seconds: rule.max_age_seconds,
    }
}

fn to_s3_rule(rule: CorsRule) -> CORSRule {
    CORSRule {
        id: rule.id,
        allowed_origins: rule.allowed_origins,
        allowed_methods: rule.allowed_methods,
        allowed_headers: Some(rule.allowed_headers).filter(|list| !list.is_empty()),
        expose_headers: Some(rule.expose_headers).filter(|list| !list.is_empty()),
        max_age_seconds: rule.max_age_seconds,
    }
}
