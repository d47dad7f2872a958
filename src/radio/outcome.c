/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "outcome.h"
#include "macros.h"

void outcome_clear(Outcome *outcome) {
        outcome->code = OUTCOME_OK;
        g_clear_pointer(&outcome->message, g_free);
}

OutcomeCode outcome_set(Outcome *ret, OutcomeCode code, const char *format, ...) {
        g_autofree char *message = NULL;
        va_list ap;

        if (!ret)
                return code;

        /* Built first: an argument may be the message that is replaced. */
        if (code != OUTCOME_OK) {
                va_start(ap, format);
                message = g_strdup_vprintf(format, ap);
                va_end(ap);
        }

        g_free(ret->message);
        ret->message = g_steal_pointer(&message);
        ret->code = code;
        return code;
}

static OutcomeCode code_from_errno(int error) {
        switch (error) {
        case ENOTCONN:
                return OUTCOME_NOT_CONNECTED;
        case EBUSY:
        case EALREADY:
        case EINPROGRESS:
                return OUTCOME_IN_PROGRESS;
        case EINVAL:
        case EMSGSIZE:
        case E2BIG:
        case ERANGE:
                return OUTCOME_INVALID_ARGUMENTS;
        case ENOENT:
                return OUTCOME_NOT_FOUND;
        case EOPNOTSUPP:
        case EPROTONOSUPPORT:
                return OUTCOME_NOT_SUPPORTED;
        case ETIMEDOUT:
        case ETIME:
                return OUTCOME_TIMEOUT;
        case ENOBUFS: /* a stalled peer, see link_send() */
        case EPIPE:
        case ECONNRESET:
        case ECONNABORTED:
        case ENODEV:
                return OUTCOME_LINK_LOST;
        case ECANCELED:
                return OUTCOME_CANCELLED;
        case ENOSPC:
        case EDQUOT:
                return OUTCOME_STORAGE_FULL;
        default:
                return OUTCOME_FAILED;
        }
}

OutcomeCode outcome_set_errno(Outcome *ret, int error, const char *what) {
        error = ABS(error);
        return outcome_set(ret, code_from_errno(error), "%s: %s", what, g_strerror(error));
}

OutcomeCode outcome_set_firmware(Outcome *ret, unsigned error, const char *what) {
        switch (error) {
        case 1:
                return outcome_set(ret, OUTCOME_NOT_SUPPORTED,
                                   "%s: the radio's firmware does not support this", what);
        case 2:
                return outcome_set(ret, OUTCOME_NOT_FOUND, "%s: the radio does not know this", what);
        case 3:
                return outcome_set(ret, OUTCOME_TABLE_FULL, "%s: a table of the radio is full", what);
        case 4:
                return outcome_set(ret, OUTCOME_IN_PROGRESS,
                                   "%s: the radio is in the middle of something else", what);
        case 5:
                return outcome_set(ret, OUTCOME_FAILED, "%s: the radio could not write to its flash", what);
        case 6:
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS, "%s: a value is out of the radio's range",
                                   what);
        default:
                return outcome_set(ret, OUTCOME_REJECTED, "%s: the radio refused with error %u", what, error);
        }
}
