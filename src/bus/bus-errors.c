/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-internal.h"
#include "log.h"

const char *bus_error_name(OutcomeCode code) {
        static const char *const names[_OUTCOME_CODE_MAX] = {
                        [OUTCOME_NOT_CONNECTED] = "org.meshcored1.Error.NotConnected",
                        [OUTCOME_NOT_READY] = "org.meshcored1.Error.NotReady",
                        [OUTCOME_IN_PROGRESS] = "org.meshcored1.Error.InProgress",
                        [OUTCOME_INVALID_ARGUMENTS] = "org.meshcored1.Error.InvalidArguments",
                        [OUTCOME_NOT_FOUND] = "org.meshcored1.Error.NotFound",
                        [OUTCOME_TABLE_FULL] = "org.meshcored1.Error.TableFull",
                        [OUTCOME_NOT_SUPPORTED] = "org.meshcored1.Error.NotSupported",
                        [OUTCOME_REJECTED] = "org.meshcored1.Error.Rejected",
                        [OUTCOME_LOGIN_FAILED] = "org.meshcored1.Error.LoginFailed",
                        [OUTCOME_TIMEOUT] = "org.meshcored1.Error.Timeout",
                        [OUTCOME_LINK_LOST] = "org.meshcored1.Error.LinkLost",
                        [OUTCOME_CANCELLED] = "org.meshcored1.Error.Cancelled",
                        [OUTCOME_STORAGE_FULL] = "org.meshcored1.Error.StorageFull",
                        [OUTCOME_RATE_LIMITED] = "org.meshcored1.Error.RateLimited",
                        [OUTCOME_FAILED] = "org.meshcored1.Error.Failed",
        };
        const char *name = code >= 0 && code < _OUTCOME_CODE_MAX ? names[code] : NULL;

        return name ?: names[OUTCOME_FAILED];
}

int bus_error_outcome(sd_bus_error *error, const Outcome *outcome) {
        g_assert(outcome->code != OUTCOME_OK);

        return sd_bus_error_set(error, bus_error_name(outcome->code),
                                bus_text(outcome->message ?: "The operation failed"));
}

int bus_error_set(sd_bus_error *error, OutcomeCode code, const char *format, ...) {
        g_autofree char *message = NULL;
        va_list ap;

        va_start(ap, format);
        message = g_strdup_vprintf(format, ap);
        va_end(ap);

        return sd_bus_error_set(error, bus_error_name(code), bus_text(message));
}

int bus_error_arguments(sd_bus_error *error, int r) {
        return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS, "Cannot read the arguments: %s",
                             g_strerror(-r));
}

int bus_error_errno(sd_bus_error *error, int r, const char *what) {
        g_auto(Outcome) outcome = {};

        (void) outcome_set_errno(&outcome, r, what);
        return bus_error_outcome(error, &outcome);
}

void bus_reply_outcome(sd_bus_message *call, const Outcome *outcome) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        (void) bus_error_outcome(&error, outcome);
        r = sd_bus_reply_method_error(call, &error);
        if (r < 0)
                (void) log_debug_errno(r, "Cannot answer a caller, ignoring");
        sd_bus_error_free(&error);
}
