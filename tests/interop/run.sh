#!/bin/sh
# Judges what swinpipe writes by other people's readers: the demo set always, the real photos where they are at hand.
# Usage: run.sh SWINPIPE PYTHON
set -eu
swinpipe=$1
python=$2
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

pipeline() { # name source extra-tables
    printf 'name = "%s"\nseed = 7\n[source]\nurl = "%s"\n%s\n[dataset]\nurl = "%s"\n' "$1" "$2" "$3" "$scratch/$1" \
        > "$scratch/$1.toml"
    "$swinpipe" run -q "$scratch/$1.toml" > /dev/null
}

"$swinpipe" demo "$scratch/drawn" > /dev/null
pipeline demo "$scratch/drawn" '[clean]
max_quarantine_rate = 0.2'
"$python" "$here/judge.py" "$scratch/demo" --source "$scratch/drawn" --truth "$scratch/drawn/truth.csv"

shared=$here/../../../shared/data
if [ -d "$shared" ]; then
    pipeline dirty "$shared/dirty" '[clean]
max_quarantine_rate = 0.2'
    "$python" "$here/judge.py" "$scratch/dirty" --source "$shared/dirty" --truth "$shared/dirty.truth.csv"
else
    echo "../shared/data is not at hand: the real photos are skipped"
fi
