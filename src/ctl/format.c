/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "format.h"
#include "macros.h"

char *format_time(int64_t usec) {
        g_autoptr(GDateTime) time = NULL;

        if (usec == 0)
                return g_strdup("");
        time = g_date_time_new_from_unix_local(usec / (int64_t) USEC_PER_SEC);
        return time ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S") : g_strdup("?");
}

char *format_span(int64_t usec) {
        double s = (double) usec / (double) USEC_PER_SEC;
        double size = fabs(s);

        if (size < 1)
                return g_strdup_printf("%.0f ms", s * 1000);
        if (size < 120)
                return g_strdup_printf("%.1f s", s);
        if (size < 2 * 3600)
                return g_strdup_printf("%.0f min", s / 60);
        if (size < 2 * 86400)
                return g_strdup_printf("%.0f h", s / 3600);
        return g_strdup_printf("%.0f d", s / 86400);
}

char *format_location(double latitude, double longitude) {
        if (fabs(latitude) < 1e-9 && fabs(longitude) < 1e-9)
                return g_strdup("");
        return g_strdup_printf("%.5f, %.5f", latitude, longitude);
}

char *format_frequency(int64_t hz) {
        return hz == 0 ? g_strdup("") : g_strdup_printf("%.3f MHz", (double) hz / 1e6);
}
