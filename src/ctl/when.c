/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "command-line.h"
#include "macros.h"
#include "when.h"

#define EPOCH_SEC_MAX (INT64_MAX / (int64_t) USEC_PER_SEC)

/* All of text, or nothing. */
static bool parse_calendar(const char *text, const char *format, struct tm *tm) {
        const char *end = strptime(text, format, tm);

        return end && !*end;
}

static int to_usec(struct tm *tm, uint64_t *ret) {
        int day = tm->tm_mday, month = tm->tm_mon;
        time_t t;

        tm->tm_isdst = -1;
        t = mktime(tm);
        /* A day that the month does not have would become one of the next. */
        if (t < 0 || tm->tm_mday != day || tm->tm_mon != month)
                return -EINVAL;

        *ret = (uint64_t) t * USEC_PER_SEC;
        return 0;
}

static int parse_day_name(const char *text, struct tm today, uint64_t *ret) {
        today.tm_hour = today.tm_min = today.tm_sec = 0;
        if (strcmp(text, "today") == 0)
                return to_usec(&today, ret);
        if (strcmp(text, "yesterday") != 0)
                return -EINVAL;

        /* At noon, so that no change of the clock moves it to another day. */
        today.tm_hour = 12;
        today.tm_mday--;
        today.tm_isdst = -1;
        if (mktime(&today) < 0)
                return -EINVAL;
        today.tm_hour = 0;
        return to_usec(&today, ret);
}

int parse_when(const char *text, uint64_t now_usec, uint64_t *ret_usec) {
        static const char *const dates[] = {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S",
                                            "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"};
        static const char *const times[] = {"%H:%M", "%H:%M:%S"};
        time_t now = (time_t) (now_usec / USEC_PER_SEC);
        uint64_t value;
        struct tm today;

        if (strcmp(text, "now") == 0) {
                *ret_usec = now_usec;
                return 0;
        }
        if (text[0] == '@') {
                if (parse_number(text + 1, EPOCH_SEC_MAX, &value) < 0)
                        return -EINVAL;
                *ret_usec = value * USEC_PER_SEC;
                return 0;
        }
        if (parse_duration(text, &value) >= 0) {
                if (value > now_usec)
                        return -EINVAL;
                *ret_usec = now_usec - value;
                return 0;
        }

        if (!localtime_r(&now, &today))
                return -EINVAL;
        for (size_t i = 0; i < ELEMENTSOF(dates); i++) {
                struct tm tm = {};

                if (parse_calendar(text, dates[i], &tm))
                        return to_usec(&tm, ret_usec);
        }
        for (size_t i = 0; i < ELEMENTSOF(times); i++) {
                struct tm tm = today;

                tm.tm_sec = 0;
                if (parse_calendar(text, times[i], &tm))
                        return to_usec(&tm, ret_usec);
        }
        return parse_day_name(text, today, ret_usec);
}

ExitCode args_get_when(const Args *args, const char *option, uint64_t *ret_usec) {
        const char *value = args_get(args, option);

        if (value && parse_when(value, clock_realtime_usec(), ret_usec) < 0)
                return ctl_fail(EXIT_CODE_USAGE,
                                "--%s takes a time such as 2h (ago), yesterday, 12:30 or 2026-03-01, not: %s",
                                option, value);
        return EXIT_CODE_OK;
}
