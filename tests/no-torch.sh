#!/bin/sh
# The default build must not link libtorch.
set -eu
if cargo tree --locked -e normal | grep torch-sys; then
    echo "the default build depends on torch-sys" >&2
    exit 1
fi
