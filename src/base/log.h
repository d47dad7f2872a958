/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Log lines with fields. They go to the journal when standard error is
 * connected to it (or when told so), else to standard error. The message
 * itself is ours; foreign text goes in fields, or escaped. */

#include <stdarg.h>
#include <stdbool.h>
#include <syslog.h>

typedef enum LogTarget {
        LOG_TARGET_AUTO,
        LOG_TARGET_JOURNAL,
        LOG_TARGET_TERMINAL,
} LogTarget;

void log_setup(LogTarget target);

/* In use now, as systemd calls them: "journal" or "console". */
const char *log_get_target(void);
/* "journal", "console" or "auto"; -EINVAL for others. */
int log_set_target(const char *name);

/* Messages above this syslog level (LOG_ERR … LOG_DEBUG) are dropped;
 * LOG_INFO at start. */
void log_set_level(int level);
int log_get_level(void);

/* From "debug", "info", "notice", "warning", "err" … or -EINVAL; and back. */
int log_level_from_string(const char *name);
const char *log_level_to_string(int level);

/* What a line is about. Any member may be NULL. */
typedef struct LogContext {
        const char *radio; /* MESHCORED_RADIO= and the prefix of the line */
        const char *peer;  /* MESHCORED_PEER=, a key prefix in hex */
        const char *topic; /* MESHCORED_TOPIC= */
        const char *id;    /* MESSAGE_ID=, 32 hex digits */
} LogContext;

/* Returns -error (error may be given with either sign; 0 gives 0), so that a
 * caller can log and return in one statement. */
int log_full(const LogContext *context, int level, int error, const char *file, int line, const char *format,
             ...) __attribute__((format(printf, 6, 7)));

#define log_at(level, error, ...) log_full(NULL, level, error, __FILE__, __LINE__, __VA_ARGS__)
#define log_debug(...)            ((void) log_at(LOG_DEBUG, 0, __VA_ARGS__))
#define log_info(...)             ((void) log_at(LOG_INFO, 0, __VA_ARGS__))
#define log_notice(...)           ((void) log_at(LOG_NOTICE, 0, __VA_ARGS__))
#define log_warning(...)          ((void) log_at(LOG_WARNING, 0, __VA_ARGS__))
#define log_error(...)            ((void) log_at(LOG_ERR, 0, __VA_ARGS__))

/* With an errno: appends ": " and its text. */
#define log_warning_errno(error, ...) log_at(LOG_WARNING, error, __VA_ARGS__)
#define log_error_errno(error, ...)   log_at(LOG_ERR, error, __VA_ARGS__)
#define log_debug_errno(error, ...)   log_at(LOG_DEBUG, error, __VA_ARGS__)
