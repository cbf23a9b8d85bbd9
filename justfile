# What CI runs, without its installations: formatting, lints, tests.
dev:
    cargo fmt --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    python3 .ci/layout.py
    python3 .ci/dependencies.py
    cargo test --workspace --locked

# The whole of CI, as it runs on a clean machine.
ci:
    .ci/run

# Redirects against botocore, radosgw and real HTTP clients.
peers *arguments:
    tests/peers/run {{arguments}}

# The numbers of docs/BENCHMARKS.md.
bench *arguments:
    cargo bench -p signpost --bench decide
    bench/run {{arguments}}
