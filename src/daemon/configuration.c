/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "configuration.h"
#include "log.h"
#include "macros.h"
#include "settings.h"
#include "terminal.h"

/* Duplicates and acknowledgements are looked for within 7 days. */
#define HISTORY_DAYS_LEAST     8
#define HISTORY_MESSAGES_LEAST 1000

/* GKeyFile knows no line numbers and gives up on the whole file at its first
 * bad line, but an administrator needs the line, and the radios in the rest of the file
 * must go on. So the lines are taken apart here; the syntax is the same. */

#define ADAPTER_MAX        32
#define ADAPTER_CHARACTERS G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS ":"

typedef enum Section {
        SECTION_NONE,   /* before the first header */
        SECTION_IGNORE, /* reported already */
        SECTION_DAEMON,
        SECTION_RADIO,
} Section;

typedef struct Parser {
        Configuration *config;
        const char *file;
        unsigned line;
        Section section;
        RadioSettings *radio; /* of SECTION_RADIO, borrowed */
        const char *key;      /* while its value is looked at */
} Parser;

static void problem_free(void *p) {
        ConfigurationProblem *problem = p;

        g_free(problem->text);
        g_free(problem);
}

static void settings_free(void *p) {
        radio_settings_free(p);
}

Configuration *configuration_new(void) {
        Configuration *config = g_new(Configuration, 1);

        *config = (Configuration){
                        .radios = g_ptr_array_new_with_free_func(settings_free),
                        .discover = -EINVAL,
                        .log_level = -EINVAL,
                        .problems = g_ptr_array_new_with_free_func(problem_free),
                        .broken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
        };
        return config;
}

Configuration *configuration_free(Configuration *config) {
        if (!config)
                return NULL;

        if (config->radios)
                g_ptr_array_unref(config->radios);
        g_ptr_array_unref(config->problems);
        g_hash_table_unref(config->broken);
        g_free(config);
        return NULL;
}

/* -- problems ---------------------------------------------------------------- */

void configuration_add_problem(Configuration *config, int level, const char *format, ...) {
        ConfigurationProblem *problem;
        va_list ap;

        if (config->problems->len >= CONFIGURATION_PROBLEMS_MAX) {
                config->n_dropped++;
                return;
        }

        problem = g_new(ConfigurationProblem, 1);
        problem->level = level;
        va_start(ap, format);
        problem->text = g_strdup_vprintf(format, ap);
        va_end(ap);
        g_ptr_array_add(config->problems, problem);
}

/* "file:12: [Radio hut] Transport: what is wrong" */
static void complain(const Parser *p, int level, const char *format, ...)
                __attribute__((format(printf, 3, 4)));

static void complain(const Parser *p, int level, const char *format, ...) {
        g_autoptr(GString) where = g_string_new(NULL);
        g_autofree char *what = NULL;
        va_list ap;

        va_start(ap, format);
        what = g_strdup_vprintf(format, ap);
        va_end(ap);

        g_string_append_printf(where, "%s:%u: ", p->file, p->line);
        if (p->section == SECTION_DAEMON)
                g_string_append(where, "[Daemon] ");
        else if (p->section == SECTION_RADIO)
                g_string_append_printf(where, "[Radio %s] ", p->radio->id);
        if (p->key)
                g_string_append_printf(where, "%s: ", p->key);

        configuration_add_problem(p->config, level, "%s%s", where->str, what);
}

/* What somebody wrote into the file, short and harmless enough for a log line. */
static char *quote(const char *text) {
        g_autofree char *cut = g_utf8_strlen(text, -1) > 60 ? g_utf8_substring(text, 0, 60) : NULL;
        g_autofree char *escaped = terminal_escape(cut ?: text);

        return g_strdup_printf("\"%s%s\"", escaped, cut ? "…" : "");
}

/* -- values ------------------------------------------------------------------ */

static bool parse_boolean(Parser *p, const char *value, bool fallback, bool *ret) {
        static const char *const yes[] = {"yes", "true", "on", "1"}, *const no[] = {"no", "false", "off",
                                                                                    "0"};

        if (!*value) {
                *ret = fallback;
                return true;
        }
        for (size_t i = 0; i < ELEMENTSOF(yes); i++) {
                if (g_ascii_strcasecmp(value, yes[i]) == 0) {
                        *ret = true;
                        return true;
                }
                if (g_ascii_strcasecmp(value, no[i]) == 0) {
                        *ret = false;
                        return true;
                }
        }

        complain(p, LOG_WARNING, "expected yes or no; ignored");
        return false;
}

/* A number of seconds, to µs. */
static bool parse_seconds(Parser *p, const char *value, uint64_t least, uint64_t most, uint64_t fallback,
                          uint64_t *ret) {
        guint64 seconds;

        if (!*value) {
                *ret = fallback;
                return true;
        }
        if (!g_ascii_string_to_unsigned(value, 10, least, most, &seconds, NULL)) {
                complain(p, LOG_WARNING,
                         "expected whole seconds from %" PRIu64 " to %" PRIu64 ", without a unit; ignored",
                         least, most);
                return false;
        }

        *ret = seconds * USEC_PER_SEC;
        return true;
}

/* How much of the history stays. Nothing, or 0: all of it. */
static bool parse_number(Parser *p, const char *value, uint64_t least, uint64_t most, const char *unit,
                         uint64_t *ret) {
        guint64 number = 0;

        if (*value && strcmp(value, "0") != 0 &&
            !g_ascii_string_to_unsigned(value, 10, least, most, &number, NULL)) {
                complain(p, LOG_WARNING,
                         "expected a number of %s from %" PRIu64 " to %" PRIu64
                         ", or 0 for no limit; ignored",
                         unit, least, most);
                return false;
        }

        *ret = number;
        return true;
}

/* A radio with a wrong value of these must not run; a later right one, in a
 * drop-in, mends it. */
typedef enum Broken {
        BROKEN_TRANSPORT = 1 << 0,
        BROKEN_PUBLIC_KEY = 1 << 1,
} Broken;

static void set_broken(Parser *p, Broken what, bool broken) {
        GHashTable *table = p->config->broken;
        unsigned bits = GPOINTER_TO_UINT(g_hash_table_lookup(table, p->radio->id));

        bits = broken ? bits | what : bits & ~(unsigned) what;
        (void) g_hash_table_replace(table, g_strdup(p->radio->id), GUINT_TO_POINTER(bits));
}

static bool is_broken(const Configuration *config, const RadioSettings *radio) {
        return g_hash_table_lookup(config->broken, radio->id) != NULL;
}

static void set_transport(Parser *p, const char *value, const RadioSettings *fallback) {
        const char *why;

        set_broken(p, BROKEN_TRANSPORT, false);
        if (!*value)
                p->radio->transport = _TRANSPORT_INVALID;
        else if (radio_settings_set_transport(p->radio, value, &why) < 0) {
                complain(p, LOG_ERR, "%s; the radio is left out", why);
                set_broken(p, BROKEN_TRANSPORT, true);
        }
}

/* A pin that cannot be read must not become no pin. */
static void set_public_key(Parser *p, const char *value, const RadioSettings *fallback) {
        PublicKey key;

        set_broken(p, BROKEN_PUBLIC_KEY, false);
        if (!*value) {
                p->radio->has_public_key = false;
                return;
        }
        if (key_from_text(value, &key) < 0 || key.bytes[0] == 0x00 || key.bytes[0] == 0xFF) {
                complain(p, LOG_ERR, "expected a public key of 64 hex digits; the radio is left out");
                set_broken(p, BROKEN_PUBLIC_KEY, true);
                return;
        }

        p->radio->public_key = key;
        p->radio->has_public_key = true;
}

static void set_adapter(Parser *p, const char *value, const RadioSettings *fallback) {
        if (strlen(value) > ADAPTER_MAX || strspn(value, ADAPTER_CHARACTERS) != strlen(value)) {
                complain(p, LOG_WARNING,
                         "expected the name or address of a Bluetooth adapter, as in hci0; ignored");
                return;
        }
        g_free(p->radio->adapter);
        p->radio->adapter = *value ? g_strdup(value) : NULL;
}

static void set_pin_file(Parser *p, const char *value, const RadioSettings *fallback) {
        if (*value && !g_path_is_absolute(value)) {
                complain(p, LOG_WARNING, "expected an absolute path; ignored");
                return;
        }
        g_free(p->radio->pin_file);
        p->radio->pin_file = *value ? g_strdup(value) : NULL;
}

static void set_enabled(Parser *p, const char *value, const RadioSettings *fallback) {
        (void) parse_boolean(p, value, fallback->enabled, &p->radio->enabled);
}

static void set_trust_clock(Parser *p, const char *value, const RadioSettings *fallback) {
        (void) parse_boolean(p, value, fallback->trust_clock, &p->radio->trust_clock);
}

static void set_set_clock(Parser *p, const char *value, const RadioSettings *fallback) {
        (void) parse_boolean(p, value, fallback->set_clock, &p->radio->set_clock);
}

static void set_serial_lines(Parser *p, const char *value, const RadioSettings *fallback) {
        if (radio_settings_set_serial_lines(p->radio, *value ? value : "auto") < 0)
                complain(p, LOG_WARNING, "expected auto, on, off or keep; ignored");
}

static void set_reconnect_max(Parser *p, const char *value, const RadioSettings *fallback) {
        (void) parse_seconds(p, value, 1, 86400, fallback->backoff_cap_usec, &p->radio->backoff_cap_usec);
}

static void set_poll_interval(Parser *p, const char *value, const RadioSettings *fallback) {
        (void) parse_seconds(p, value, 10, 86400, fallback->poll_usec, &p->radio->poll_usec);
}

static void set_airtime_budget(Parser *p, const char *value, const RadioSettings *fallback) {
        guint64 percent = fallback->airtime_percent;

        if (*value && !g_ascii_string_to_unsigned(value, 10, 1, 100, &percent, NULL)) {
                complain(p, LOG_WARNING, "expected whole percent from 1 to 100; ignored");
                return;
        }
        p->radio->airtime_percent = (unsigned) percent;
}

/* An empty value brings the default back, in a drop-in for example. */
static const struct {
        const char *key;
        void (*set)(Parser *p, const char *value, const RadioSettings *fallback);
} radio_keys[] = {
                {"Transport", set_transport},
                {"PublicKey", set_public_key},
                {"Adapter", set_adapter},
                {"PinFile", set_pin_file},
                {"Enabled", set_enabled},
                {"TrustClock", set_trust_clock},
                {"SetClock", set_set_clock},
                {"SerialLines", set_serial_lines},
                {"ReconnectMaxSec", set_reconnect_max},
                {"PollIntervalSec", set_poll_interval},
                {"AirtimeBudgetPercent", set_airtime_budget},
};

static bool set_radio_key(Parser *p, const char *key, const char *value) {
        for (size_t i = 0; i < ELEMENTSOF(radio_keys); i++) {
                g_autoptr(RadioSettings) fallback = NULL;

                if (strcmp(key, radio_keys[i].key) != 0)
                        continue;

                fallback = radio_settings_new(p->radio->id);
                radio_keys[i].set(p, value, fallback);
                return true;
        }
        return false;
}

static bool set_daemon_key(Parser *p, const char *key, const char *value) {
        uint64_t number;
        bool discover;
        int level;

        if (strcmp(key, "HistoryMaxDays") == 0) {
                if (parse_number(p, value, HISTORY_DAYS_LEAST, 36500, "days", &number))
                        p->config->history_age_usec = number * USEC_PER_DAY;
                return true;
        }
        if (strcmp(key, "HistoryMaxMessages") == 0) {
                if (parse_number(p, value, HISTORY_MESSAGES_LEAST, 1000000000, "messages", &number))
                        p->config->history_messages = number;
                return true;
        }
        if (strcmp(key, "Discover") == 0) {
                if (!*value)
                        p->config->discover = -EINVAL;
                else if (parse_boolean(p, value, false, &discover))
                        p->config->discover = discover;
                return true;
        }
        if (strcmp(key, "LogLevel") != 0)
                return false;

        level = *value ? log_level_from_string(value) : -EINVAL;
        if (level < 0 && *value)
                complain(p, LOG_WARNING, "expected debug, info, notice, warning or err; ignored");
        else
                p->config->log_level = level;
        return true;
}

/* -- lines ------------------------------------------------------------------- */

static RadioSettings *find_radio(Configuration *config, const char *id) {
        for (guint i = 0; i < config->radios->len; i++) {
                RadioSettings *radio = config->radios->pdata[i];

                if (strcmp(radio->id, id) == 0)
                        return radio;
        }
        return NULL;
}

static void enter_radio(Parser *p, const char *id) {
        p->section = SECTION_IGNORE;
        p->radio = find_radio(p->config, id);

        if (!p->radio) {
                g_autofree char *quoted = quote(id);

                if (!radio_id_is_valid(id)) {
                        complain(p, LOG_ERR,
                                 "%s is no name for a radio: expected 1 to 32 letters, digits, \"-\" and "
                                 "\"_\"; the section is left out",
                                 quoted);
                        return;
                }
                if (p->config->radios->len >= CONFIGURATION_RADIOS_MAX) {
                        complain(p, LOG_ERR, "more than %i radios; %s is left out", CONFIGURATION_RADIOS_MAX,
                                 quoted);
                        return;
                }
                p->radio = radio_settings_new(id);
                g_ptr_array_add(p->config->radios, p->radio);
        }
        p->section = SECTION_RADIO;
}

static void enter_section(Parser *p, char *line) {
        size_t size = strlen(line);
        char *name;

        p->section = SECTION_IGNORE;
        p->radio = NULL;
        if (line[size - 1] != ']') {
                complain(p, LOG_ERR, "a section header ends in \"]\"; the section is left out");
                return;
        }

        line[size - 1] = '\0';
        name = g_strstrip(line + 1);
        if (strcmp(name, "Daemon") == 0)
                p->section = SECTION_DAEMON;
        else if (g_str_has_prefix(name, "Radio ") || g_str_has_prefix(name, "Radio\t"))
                enter_radio(p, g_strchug(name + strlen("Radio ")));
        else {
                g_autofree char *quoted = quote(name);

                complain(p, LOG_WARNING, "unknown section %s; expected [Radio NAME] or [Daemon]", quoted);
        }
}

static void assign(Parser *p, char *key, const char *value) {
        g_autofree char *quoted = quote(key);
        bool known = false;

        switch (p->section) {
        case SECTION_NONE:
                complain(p, LOG_WARNING, "%s stands before the first section; ignored", quoted);
                return;
        case SECTION_IGNORE:
                return;
        case SECTION_DAEMON:
                p->key = key;
                known = set_daemon_key(p, key, value);
                break;
        case SECTION_RADIO:
                p->key = key;
                known = set_radio_key(p, key, value);
                break;
        default:
                g_assert_not_reached();
        }

        p->key = NULL;
        if (!known)
                complain(p, LOG_WARNING, "unknown key %s; ignored", quoted);
}

static void parse_line(Parser *p, char *line, size_t size) {
        char *equals;

        if (strlen(line) != size || !g_utf8_validate(line, (gssize) size, NULL)) {
                complain(p, LOG_ERR, "the line is not UTF-8 text; ignored");
                return;
        }

        g_strstrip(line);
        if (line[0] == '\0' || line[0] == '#' || line[0] == ';')
                return;
        if (line[0] == '[') {
                enter_section(p, line);
                return;
        }

        equals = strchr(line, '=');
        if (!equals) {
                g_autofree char *quoted = quote(line);

                complain(p, LOG_ERR, "%s is neither a section, Key=Value, nor a comment; ignored", quoted);
                return;
        }
        *equals = '\0';
        assign(p, g_strchomp(line), g_strchug(equals + 1));
}

void configuration_parse(Configuration *config, const char *name, const char *text, size_t size) {
        Parser p = {.config = config, .file = name};

        if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
                text += 3;
                size -= 3;
        }

        while (size > 0) {
                const char *end = memchr(text, '\n', size);
                size_t length = end ? (size_t) (end - text) : size;
                g_autofree char *line = g_malloc(length + 1);

                memcpy(line, text, length);
                line[length] = '\0';
                p.line++;
                parse_line(&p, line, length);

                length += end != NULL;
                text += length;
                size -= length;
        }
}

void configuration_finish(Configuration *config) {
        for (guint i = 0; i < config->radios->len;) {
                const RadioSettings *radio = config->radios->pdata[i];
                bool broken = is_broken(config, radio);

                if (!broken && radio->transport >= 0) {
                        i++;
                        continue;
                }
                if (!broken)
                        configuration_add_problem(config, LOG_ERR,
                                                  "[Radio %s] Transport: missing; the radio is left out",
                                                  radio->id);
                g_ptr_array_remove_index(config->radios, i);
        }
}
