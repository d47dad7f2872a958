/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "macros.h"
#include "radio.h"

static const char *const state_names[_RADIO_STATE_MAX] = {
                [RADIO_STOPPED] = "stopped", [RADIO_WAITING] = "waiting", [RADIO_OPENING] = "opening",
                [RADIO_SYNCING] = "syncing", [RADIO_READY] = "ready",
};

const char *radio_state_to_string(RadioState state) {
        return state >= 0 && state < _RADIO_STATE_MAX ? state_names[state] : NULL;
}

static const char *const reason_names[_REASON_MAX] = {
                [REASON_NONE] = "none",
                [REASON_NOT_PLUGGED] = "not-plugged",
                [REASON_REFUSED] = "refused",
                [REASON_UNREACHABLE] = "unreachable",
                [REASON_LOST] = "lost",
                [REASON_TIMEOUT] = "timeout",
                [REASON_PROTOCOL] = "protocol",
                [REASON_INHIBITED] = "inhibited",
                [REASON_STORAGE_FULL] = "storage-full",
                [REASON_WRONG_RADIO] = "wrong-radio",
                [REASON_DUPLICATE] = "duplicate",
                [REASON_TAKEN_OVER] = "taken-over",
                [REASON_CLOCK_AHEAD] = "clock-ahead",
                [REASON_NEEDS_PIN] = "needs-pin",
                [REASON_ADAPTER_OFF] = "adapter-off",
                [REASON_RESTARTING] = "restarting",
};

const char *radio_reason_to_string(RadioReason reason) {
        return reason >= 0 && reason < _REASON_MAX ? reason_names[reason] : NULL;
}
