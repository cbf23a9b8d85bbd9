# The checks of a change that need no installation: formatting, lints, tests.
dev:
    cargo fmt --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    python3 .ci/layout.py
    python3 .ci/dependencies.py
    cargo test --workspace --locked

# The groups of CI, for example `just ci template`. Without a group, all of CI.
ci *groups:
    .ci/run {{groups}}

# One test of the core, for example `just test a_tampered_signature`.
test name:
    cargo test -p signpost --test core {{name}}

# Redirects compared with botocore, radosgw and real HTTP clients.
peers *arguments:
    tests/peers/run {{arguments}}

# The measurements in docs/BENCHMARKS.md.
bench *arguments:
    cargo bench -p signpost --bench decide
    bench/run {{arguments}}

# The release files that this machine can build, in dist/.
release:
    release/build all

# The documentation site, in target/site/public.
site:
    docs/site/build
