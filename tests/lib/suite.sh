# shellcheck shell=bash
# Functions that the `run` scripts of the suites share. A script changes to its own directory and then sources this file.

SUITE=$(basename "$PWD")
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# step TEXT: prints what the script does next.
step() { printf '== %s: %s\n' "$SUITE" "$*"; }

# missing PROGRAM...: succeeds if at least one of the programs is not installed.
missing() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || return 0
    done
    return 1
}

# alone COMMAND...: runs a command while no other suite in this repository runs one with `alone`.
alone() {
    mkdir -p "$ROOT/target"
    (
        flock 9
        "$@" 9>&-
    ) 9>"$ROOT/target/.install.lock"
}

# install_packages PACKAGE...: installs Debian packages.
install_packages() {
    step "installing $*"
    alone apt_get "$@"
}

apt_get() {
    apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# install_python FOLDER [PYTHON]: installs the requirements.txt of a folder into its .venv.
install_python() {
    alone install_python_alone "$@"
}

install_python_alone() {
    local folder=$1 python=${2:-python3}
    cmp -s "$folder/requirements.txt" "$folder/.venv/installed.txt" && return
    step "installing the Python packages of $(realpath --relative-to="$ROOT" "$folder")"
    "$python" -m venv --clear "$folder/.venv" &&
        "$folder/.venv/bin/pip" install --quiet --disable-pip-version-check -r "$folder/requirements.txt" &&
        cp "$folder/requirements.txt" "$folder/.venv/installed.txt"
}

# install_npm FOLDER: installs the npm packages of a folder, exactly as its lock file lists them if it has one.
install_npm() {
    alone install_npm_alone "$1"
}

install_npm_alone() {
    local folder=$1 list=package.json
    local command=(install --no-package-lock --ignore-scripts)
    if [ -e "$folder/package-lock.json" ]; then
        list=package-lock.json command=(ci)
    fi
    cmp -s "$folder/$list" "$folder/node_modules/installed.json" && return
    step "installing the npm packages of $(realpath --relative-to="$ROOT" "$folder")"
    (cd "$folder" && npm "${command[@]}" --silent --no-audit --no-fund && cp "$list" node_modules/installed.json)
}

# build_programs: builds all programs and examples in target/debug. With the examples, cargo selects the same features of all
# dependencies as `cargo test --workspace`, so that one build serves all suites.
build_programs() {
    step "building the programs"
    (cd "$ROOT" && cargo build --quiet --locked --workspace --bins --examples)
}

# build_local: builds signpost-local, unless SIGNPOST_LOCAL names a binary.
build_local() {
    [ -n "${SIGNPOST_LOCAL:-}" ] || build_programs
}

# run_pytest PYTHON ARGUMENT...: runs pytest in the current directory and prints the closing line.
run_pytest() {
    local python=$1 state status=0
    shift
    state=$(mktemp -d)
    "$python" -m pytest -q -p no:cacheprovider --basetemp="$state/tests" --junit-xml="$state/report.xml" "$@" || status=$?
    "$python" "$ROOT/tests/lib/junit_summary.py" "$state/report.xml" || status=1
    rm -rf "$state"
    return "$status"
}

# run_node_tests FILE...: runs files with node's test runner, one after another, and prints the closing line.
run_node_tests() {
    node --test --test-concurrency=1 --test-reporter="$ROOT/tests/lib/reporter.mjs" "$@"
}

# count_tests FILE: prints the numbers of passed, failed and skipped tests in a log. They are the sum over the result lines of
# cargo if there are any, and otherwise the numbers of the last closing line.
count_tests() {
    awk '
        /^test result: / { cargo = 1; p += $4; f += $6; s += $8 }
        /^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ { lp = $1; lf = $3; ls = $5 }
        END { if (cargo) print p + 0, f + 0, s + 0; else print lp + 0, lf + 0, ls + 0 }
    ' "$1"
}

# sum_tests FILE...: prints the sum of the closing lines of several logs.
sum_tests() {
    tail -qn 1 "$@" | awk '{ p += $1; f += $3; s += $5 } END { printf "%d passed, %d failed, %d skipped\n", p, f, s }'
}

# skip_suite REASON: ends the script with one skipped test.
skip_suite() {
    echo "SKIPPED: $*"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}
