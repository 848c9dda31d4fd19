#!/bin/sh
# Finds cmake and nasm, with which libjpeg-turbo and libaom are built, or fetches them: cmake from PyPI into the folder
# given, nasm from the system's packages where this user may install them. Otherwise one line says what to install.
set -eu
folder=$1

if ! command -v cmake >/dev/null 2>&1; then
    echo "cmake is not installed: fetching it from PyPI"
    [ -x "$folder/bin/python" ] || python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check "cmake<5"
fi

if ! command -v nasm >/dev/null 2>&1; then
    if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
        echo "nasm is not installed: fetching it with apt-get"
        apt-get update -qq >/dev/null && apt-get install -y -qq nasm >/dev/null
    else
        echo "nasm is not installed: install it (sudo apt-get install nasm, brew install nasm, …) and try again" >&2
        exit 1
    fi
fi

if ! command -v cc >/dev/null 2>&1 || ! command -v c++ >/dev/null 2>&1; then
    echo "no C and C++ compiler is installed: install one (sudo apt-get install g++, …) and try again" >&2
    exit 1
fi
