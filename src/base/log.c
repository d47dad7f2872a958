/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include "log.h"
#include "macros.h"
#include "terminal.h"
#include "utf8.h"

static const char *const level_names[] = {
                [LOG_EMERG] = "emerg", [LOG_ALERT] = "alert",     [LOG_CRIT] = "crit",
                [LOG_ERR] = "err",     [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
                [LOG_INFO] = "info",   [LOG_DEBUG] = "debug",
};

/* The one thing that is global: a log line must be possible anywhere. */
static int max_level = LOG_INFO;
static bool to_journal = false;

static bool stderr_is_journal(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        unsigned long long dev, ino;
        struct stat st;

        return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) >= 0 &&
               st.st_dev == dev && st.st_ino == ino;
}

void log_setup(LogTarget target) {
        to_journal = target == LOG_TARGET_JOURNAL || (target == LOG_TARGET_AUTO && stderr_is_journal());
}

const char *log_get_target(void) {
        return to_journal ? "journal" : "console";
}

int log_set_target(const char *name) {
        static const struct {
                const char *name;
                LogTarget target;
        } targets[] = {
                        {"auto", LOG_TARGET_AUTO},
                        {"journal", LOG_TARGET_JOURNAL},
                        {"console", LOG_TARGET_TERMINAL},
        };

        for (size_t i = 0; i < ELEMENTSOF(targets); i++)
                if (strcmp(name, targets[i].name) == 0) {
                        log_setup(targets[i].target);
                        return 0;
                }
        return -EINVAL;
}

void log_set_level(int level) {
        max_level = level;
}

int log_get_level(void) {
        return max_level;
}

int log_level_from_string(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(level_names); i++)
                if (strcmp(name, level_names[i]) == 0)
                        return (int) i;
        return -EINVAL;
}

const char *log_level_to_string(int level) {
        return level >= 0 && (size_t) level < ELEMENTSOF(level_names) ? level_names[level] : NULL;
}

static void send_journal(const LogContext *c, int level, int error, const char *file, int line,
                         const char *message) {
        g_autoptr(GPtrArray) fields = g_ptr_array_new_with_free_func(g_free);
        g_autofree struct iovec *iov = NULL;

        g_ptr_array_add(fields, g_strdup_printf("MESSAGE=%s", message));
        g_ptr_array_add(fields, g_strdup_printf("PRIORITY=%i", level));
        g_ptr_array_add(fields, g_strdup_printf("CODE_FILE=%s", file));
        g_ptr_array_add(fields, g_strdup_printf("CODE_LINE=%i", line));
        g_ptr_array_add(fields, g_strdup("SYSLOG_IDENTIFIER=meshcored"));
        if (error > 0)
                g_ptr_array_add(fields, g_strdup_printf("ERRNO=%i", error));
        if (c && c->radio)
                g_ptr_array_add(fields, g_strdup_printf("MESHCORED_RADIO=%s", c->radio));
        if (c && c->peer)
                g_ptr_array_add(fields, g_strdup_printf("MESHCORED_PEER=%s", c->peer));
        if (c && c->topic)
                g_ptr_array_add(fields, g_strdup_printf("MESHCORED_TOPIC=%s", c->topic));
        if (c && c->id)
                g_ptr_array_add(fields, g_strdup_printf("MESSAGE_ID=%s", c->id));

        iov = g_new(struct iovec, fields->len);
        for (guint i = 0; i < fields->len; i++)
                iov[i] = (struct iovec){fields->pdata[i], strlen(fields->pdata[i])};
        (void) sd_journal_sendv(iov, (int) fields->len);
}

/* What other programs say of failures, and names in configurations, are not ours. */
static char *harmless(const char *text) {
        g_autofree char *repaired = utf8_repair(text, strlen(text));

        for (const char *p = repaired; *p; p = g_utf8_next_char(p))
                if (terminal_character_is_unsafe(g_utf8_get_char(p)))
                        return terminal_escape(repaired);
        return g_steal_pointer(&repaired);
}

int log_full(const LogContext *c, int level, int error, const char *file, int line, const char *format, ...) {
        g_autoptr(GString) message = NULL;
        g_autofree char *text = NULL;
        int saved = errno;
        va_list ap;

        error = ABS(error);
        if (level > max_level)
                return -error;

        message = g_string_new(NULL);
        if (c && c->radio)
                g_string_append_printf(message, "%s: ", c->radio);
        va_start(ap, format);
        g_string_append_vprintf(message, format, ap);
        va_end(ap);
        if (error > 0)
                g_string_append_printf(message, ": %s", g_strerror(error));

        text = harmless(message->str);
        if (to_journal)
                send_journal(c, level, error, file, line, text);
        else
                (void) fprintf(stderr, "%s%s\n",
                               level <= LOG_WARNING ? (level <= LOG_ERR ? "error: " : "warning: ") : "",
                               text);

        errno = saved;
        return -error;
}
