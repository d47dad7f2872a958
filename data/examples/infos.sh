#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints what the daemon knows of its radios, without a word on the air:
#
#     ./infos.sh [--user] [RADIO]
#
# --user is for a daemon on the session bus. RADIO is the identifier of one
# radio, as "busctl get-property … Id" tells it; without it all are shown.
# Needs busctl, which comes with systemd.
set -eu

bus=--system
if [ "${1-}" = --user ]; then
        bus=--user
        shift
fi
name=org.meshcored1

get() { # PATH PROPERTY: its value, as busctl writes it
        busctl "$bus" get-property $name "$1" $name.Radio "$2" | cut -d ' ' -f 2-
}

# Paths of objects hold nothing but letters, digits, _ and /.
objects=$(busctl "$bus" tree --list $name)
found=no
for path in $(printf '%s\n' "$objects" | grep -E "^/org/meshcored1/radio/[^/]+$"); do
        id=$(get "$path" Id)
        if [ -n "${1-}" ] && [ "$id" != "\"$1\"" ]; then
                continue
        fi
        found=yes
        printf '%s\n' "$id"
        for property in Name PublicKey Model Firmware State Reason FrequencyHz BandwidthHz SpreadingFactor \
                CodingRate TxPower MaxTxPower Location BatteryMillivolts BatteryPercent; do
                printf '    %-18s %s\n' "$property" "$(get "$path" "$property")"
        done
        printf '    %-18s %s\n' Contacts "$(printf '%s\n' "$objects" | grep -c "^$path/contact/." || :)"
        printf '    %-18s %s\n' Channels "$(printf '%s\n' "$objects" | grep -c "^$path/channel/." || :)"
done
if [ $found = no ]; then
        echo "$0: there is no radio${1:+ $1}" >&2
        exit 1
fi
