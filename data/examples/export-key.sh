#!/bin/sh
# SPDX-License-Identifier: MIT
# Writes the private key of a radio to a file that only you can read:
#
#     ./export-key.sh [--user] RADIO FILE
#
# RADIO is the identifier of the radio, --user is for a daemon on the session
# bus. Who has the key is that node, so it takes the right to administer. The
# firmware must have been built with the export enabled. The key is never in
# an argument of a program: echo and printf are part of the shell.
set -eu

bus=--system
if [ "${1-}" = --user ]; then
        bus=--user
        shift
fi
if [ $# -ne 2 ]; then
        echo "usage: $0 [--user] RADIO FILE" >&2
        exit 2
fi

name=org.meshcored1
path=
for candidate in $(busctl "$bus" tree --list $name | grep -E "^/org/meshcored1/radio/[^/]+$"); do
        id=$(busctl "$bus" get-property $name "$candidate" $name.Radio Id)
        if [ "$id" = "s \"$1\"" ]; then
                path=$candidate
        fi
done
if [ -z "$path" ]; then
        echo "$0: there is no radio $1" >&2
        exit 1
fi

# "ay 64 17 4 255 ..."
answer=$(busctl "$bus" --timeout=60 call $name "$path" $name.Radio ExportKey)
case $answer in
'ay 64 '*) ;;
*)
        echo "$0: the answer is not a key" >&2
        exit 1
        ;;
esac

umask 077
set -C # an existing file is left alone
for byte in ${answer#ay 64 }; do
        printf '%02x' "$byte"
done >"$2"
echo "$2"
