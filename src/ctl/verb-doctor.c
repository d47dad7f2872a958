/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "autobus.h"
#include "clock.h"
#include "config.h"
#include "format.h"
#include "history.h"
#include "macros.h"
#include "objects.h"
#include "terminal.h"
#include "verbs.h"

/* What to look at. */
#define CLOCK_SKEW_MAX_USEC (60 * USEC_PER_SEC)
#define QUEUE_AGE_MAX_USEC  (10 * USEC_PER_MINUTE)
#define BATTERY_PERCENT_MIN 15
#define NEARLY_FULL_PERCENT 90
#define FAILURES_SINCE_USEC USEC_PER_DAY
#define CTL_GROUP           "meshcore"

typedef enum Level {
        LEVEL_OK,
        LEVEL_NOTE,    /* worth knowing, nothing is wrong */
        LEVEL_WARNING, /* will be a problem, or already is one for somebody */
        LEVEL_PROBLEM, /* something does not work now */
        _LEVEL_MAX,
} Level;

static const char *const level_names[_LEVEL_MAX] = {"ok", "note", "warning", "problem"};

typedef struct Doctor {
        const CtlOptions *options;
        Client *client;
        Objects *objects;
        JsonArray *findings;
        const char *radio; /* path of the one that is looked at; NULL: the daemon itself */
        JsonObject *properties;
        unsigned n_wrong;
} Doctor;

static void doctor_clear(Doctor *d) {
        g_clear_pointer(&d->findings, json_array_unref);
        d->objects = objects_free(d->objects);
        d->client = client_free(d->client);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Doctor, doctor_clear)

/* advice may be "". */
static void find(Doctor *d, Level level, const char *check, const char *advice, const char *format, ...)
                __attribute__((format(printf, 5, 6)));

static void find(Doctor *d, Level level, const char *check, const char *advice, const char *format, ...) {
        JsonObject *finding = json_object_new();
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);

        json_object_set_string_member(finding, "Radio",
                                      d->radio ? objects_radio_id(d->objects, d->radio) : "");
        json_object_set_string_member(finding, "Check", check);
        json_object_set_string_member(finding, "Level", level_names[level]);
        json_object_set_string_member(finding, "Text", text);
        json_object_set_string_member(finding, "Advice", advice);
        json_array_add_object_element(d->findings, finding);
        d->n_wrong += level >= LEVEL_WARNING;
}

/* -- the daemon ----------------------------------------------------------------- */

static ExitCode check_version(Doctor *d, char **ret) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        const char *version;
        ExitCode code;

        code = client_call(d->client, CALL_DEFAULT, &reply, CTL_ROOT, "org.freedesktop.DBus.Properties",
                           "Get", "ss", IFACE_MANAGER, "Version");
        if (code != EXIT_CODE_OK)
                return code;
        if (sd_bus_message_read(reply, "v", "s", &version) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's version is no text");

        if (strcmp(version, MESHCORED_VERSION) == 0)
                find(d, LEVEL_OK, "daemon", "", "meshcored %s answers", version);
        else
                find(d, LEVEL_WARNING, "daemon",
                     "restart the daemon after an upgrade: systemctl restart meshcored",
                     "meshcored is version %s, this tool %s", version, MESHCORED_VERSION);
        *ret = g_strdup(version);
        return EXIT_CODE_OK;
}

static bool is_member(gid_t group) {
        g_autofree gid_t *groups = NULL;
        int n = getgroups(0, NULL);

        if (getegid() == group)
                return true;
        groups = g_new(gid_t, MAX(n, 1));
        n = getgroups(n, groups);
        for (int i = 0; i < n; i++)
                if (groups[i] == group)
                        return true;
        return false;
}

/* That we came here shows that we may use it; who else may is worth a look. */
static void check_rights(Doctor *d) {
        const struct group *group;

        if (d->options->bus == BUS_SESSION) {
                find(d, LEVEL_OK, "rights", "", "your own bus: you may do everything");
                return;
        }

        group = getgrnam(CTL_GROUP);
        if (!group)
                find(d, LEVEL_WARNING, "rights", "the package makes it: systemd-sysusers",
                     "there is no group " CTL_GROUP ", so nobody but root should be here");
        else if (geteuid() == 0)
                find(d, LEVEL_OK, "rights", "", "root may do everything");
        else if (is_member(group->gr_gid))
                find(d, LEVEL_OK, "rights", "",
                     "member of the group " CTL_GROUP "; secrets and keys also need the right to administer");
        else
                find(d, LEVEL_NOTE, "rights",
                     "see the policy files in /usr/share/dbus-1/system.d and /etc/dbus-1",
                     "you are no member of the group " CTL_GROUP ", and the bus lets you in all the same");
}

/* -- a radio ---------------------------------------------------------------------- */

static void check_link(Doctor *d) {
        const char *state = json_string(d->properties, "State"),
                   *reason = json_string(d->properties, "Reason");
        const char *error = json_string(d->properties, "LastErrorMessage");

        if (strcmp(state, "ready") == 0)
                find(d, LEVEL_OK, "link", "", "ready, %s %s", json_string(d->properties, "Transport"),
                     json_string(d->properties, "Address"));
        else if (strcmp(state, "stopped") == 0) {
                g_autofree char *advice = g_strdup_printf("connect it: " CTL_NAME " start %s",
                                                          json_string(d->properties, "Id"));

                find(d, LEVEL_NOTE, "link", advice, "stopped by somebody");
        } else if (strcmp(reason, "none") == 0)
                find(d, LEVEL_NOTE, "link", "", "%s; look again in a moment", state);
        else
                find(d, LEVEL_PROBLEM, "link", reason_advice(reason), "%s (%s)%s%s", state, reason,
                     *error ? ": " : "", error);
}

static void check_clock(Doctor *d) {
        int64_t skew = json_int(d->properties, "ClockSkewUSec");
        g_autofree char *span = format_span(ABS(skew));

        if (ABS(skew) < (int64_t) CLOCK_SKEW_MAX_USEC)
                find(d, LEVEL_OK, "clock", "", "the radio's clock fits to that of this host");
        else if (skew > 0)
                find(d, LEVEL_WARNING, "clock",
                     "others may ignore what it sends: check this host's clock (timedatectl); if that is "
                     "right, "
                     "restart the radio, whose clock cannot be set back",
                     "the radio's clock is %s ahead of this host", span);
        else
                find(d, LEVEL_WARNING, "clock",
                     "the daemon sets it when this host's clock is synchronised (timedatectl), or with "
                     "TrustClock=yes",
                     "the radio's clock is %s behind this host", span);
}

static void check_contacts(Doctor *d) {
        JsonObject *contacts = objects_get(d->objects, d->radio, IFACE_CONTACTS);
        int64_t capacity = json_int(contacts, "Capacity"), taken = json_int(contacts, "OnRadio");
        int64_t pending = json_int(contacts, "Pending");
        JsonObject *auto_add = json_object(contacts, "AutoAdd");
        bool overwrite = json_bool(auto_add, "Overwrite");

        if (capacity == 0)
                find(d, LEVEL_NOTE, "contacts", "",
                     "%" G_GINT64_FORMAT " in the radio, which does not tell its limit", taken);
        else if (taken * 100 < capacity * NEARLY_FULL_PERCENT)
                find(d, LEVEL_OK, "contacts", "", "%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " places taken",
                     taken, capacity);
        else
                find(d, overwrite ? LEVEL_NOTE : LEVEL_WARNING, "contacts",
                     overwrite ? "favourites are never given up: " CTL_NAME " contact favourite"
                               : "let the oldest go (" CTL_NAME
                                 " auto-add set --overwrite yes), or remove some "
                                 "(" CTL_NAME " contact remove --keep)",
                     "%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " places taken%s", taken, capacity,
                     overwrite ? ": the radio gives up its oldest contact for a new one" : "");

        if (pending > 0)
                find(d, LEVEL_NOTE, "pending", "see them: " CTL_NAME " pending",
                     "%" G_GINT64_FORMAT " node%s heard and not added", pending,
                     pending == 1 ? " was" : "s were");
}

/* How many there are, up to a page, and when the oldest of them was made. */
static ExitCode count_messages(Doctor *d, const char *state, uint64_t since_usec, unsigned *ret,
                               int64_t *ret_oldest) {
        HistoryFilter filter = {.state = state, .since_usec = since_usec};
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        g_autoptr(JsonArray) list = NULL;
        int r;

        r = history_list(d->client, d->objects, d->radio, &filter, 0, true, HISTORY_PAGE, &error, &list);
        if (r < 0)
                return client_report(d->client, NULL, &error, r);

        *ret = json_array_get_length(list);
        *ret_oldest = *ret > 0 ? json_int(json_array_get_object_element(list, 0), "TimestampUSec") : 0;
        return EXIT_CODE_OK;
}

static ExitCode check_queue(Doctor *d) {
        bool ready = strcmp(json_string(d->properties, "State"), "ready") == 0;
        g_autofree char *age = NULL;
        int64_t oldest, waited;
        ExitCode code;
        unsigned n;

        code = count_messages(d, "queued", 0, &n, &oldest);
        if (code != EXIT_CODE_OK)
                return code;

        waited = (int64_t) clock_realtime_usec() - oldest;
        age = format_span(waited);
        if (n == 0)
                find(d, LEVEL_OK, "queue", "", "no text waits to be sent");
        else if (!ready)
                find(d, LEVEL_WARNING, "queue",
                     "they go out when the radio is back; cancel one: " CTL_NAME " message ID --cancel",
                     "%u text%s for the radio, the oldest for %s", n, n == 1 ? " waits" : "s wait", age);
        else if (waited > (int64_t) QUEUE_AGE_MAX_USEC)
                find(d, LEVEL_WARNING, "queue", "see them: " CTL_NAME " messages --state queued",
                     "%u text%s although the radio is ready, the oldest for %s", n,
                     n == 1 ? " waits" : "s wait", age);
        else
                find(d, LEVEL_OK, "queue", "", "%u text%s to be sent", n, n == 1 ? " waits" : "s wait");

        code = count_messages(d, "failed", clock_realtime_usec() - FAILURES_SINCE_USEC, &n, &oldest);
        if (code == EXIT_CODE_OK && n > 0)
                find(d, LEVEL_WARNING, "failed", "see why: " CTL_NAME " messages --state failed --since 1d",
                     "%u%s text%s not delivered within a day", n, n == HISTORY_PAGE ? " or more" : "",
                     n == 1 ? " was" : "s were");
        return code;
}

static void check_history(Doctor *d) {
        JsonObject *messages = objects_get(d->objects, d->radio, IFACE_MESSAGES);
        int64_t last = json_int(messages, "LastId"), unread = json_int(messages, "Unread");

        if (last == 0)
                find(d, LEVEL_OK, "history", "", "no message yet, history %.8s",
                     json_string(messages, "HistoryId"));
        else
                find(d, LEVEL_OK, "history", "", "the last message is %" G_GINT64_FORMAT ", history %.8s",
                     last, json_string(messages, "HistoryId"));
        if (unread > 0)
                find(d, LEVEL_NOTE, "unread", "read them: " CTL_NAME " messages --unread",
                     "%" G_GINT64_FORMAT " message%s unread", unread, unread == 1 ? " is" : "s are");
}

static void check_device(Doctor *d) {
        int64_t percent = json_int(d->properties, "BatteryPercent");
        int64_t used = json_int(d->properties, "StorageUsedKB"),
                total = json_int(d->properties, "StorageTotalKB");

        if (json_int(d->properties, "BatteryMillivolts") > 0 && percent < BATTERY_PERCENT_MIN)
                find(d, LEVEL_WARNING, "battery", "charge it", "%" G_GINT64_FORMAT " %% left", percent);
        if (total > 0 && used * 100 >= total * NEARLY_FULL_PERCENT)
                find(d, LEVEL_WARNING, "storage",
                     "the radio may forget contacts and settings: remove some contacts",
                     "%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " KB of the radio's storage are taken", used,
                     total);
}

static ExitCode check_radio(Doctor *d, const char *radio) {
        d->radio = radio;
        d->properties = objects_get(d->objects, radio, IFACE_RADIO);

        check_link(d);
        if (!*json_string(d->properties, "PublicKey")) {
                find(d, LEVEL_NOTE, "identity", "",
                     "the radio was never connected: nothing else is known of it");
                return EXIT_CODE_OK;
        }
        check_clock(d);
        check_device(d);
        check_contacts(d);
        check_history(d);
        return check_queue(d);
}

/* -- the verb --------------------------------------------------------------------- */

static void print_findings(const Doctor *d) {
        const char *last = "";

        for (guint i = 0; i < json_array_get_length(d->findings); i++) {
                JsonObject *finding = json_array_get_object_element(d->findings, i);
                g_autofree char *text = terminal_escape(json_string(finding, "Text"));
                g_autofree char *radio = terminal_escape(json_string(finding, "Radio"));
                const char *advice = json_string(finding, "Advice");

                if (strcmp(json_string(finding, "Radio"), last) != 0)
                        printf("\n%s\n", radio);
                last = json_string(finding, "Radio");
                printf("  %-8s %-9s %s\n", json_string(finding, "Level"), json_string(finding, "Check"),
                       text);
                if (*advice)
                        printf("  %-18s %s\n", "", advice);
        }
}

static void print_json(Doctor *d, const char *version) {
        g_autoptr(JsonObject) report = json_object_new();

        json_object_set_string_member(report, "Version", version);
        json_object_set_boolean_member(report, "Healthy", d->n_wrong == 0);
        json_object_set_array_member(report, "Findings", g_steal_pointer(&d->findings));
        json_print_document(json_node_init_object(json_node_alloc(), report));
}

static ExitCode run_doctor(const CtlOptions *options, const Args *args) {
        g_auto(Doctor) d = {.options = options, .findings = json_array_new()};
        g_autoptr(GPtrArray) radios = NULL;
        g_autofree char *version = NULL;
        ExitCode code;

        code = client_open(options, &d.client);
        if (code == EXIT_CODE_OK)
                code = objects_load(d.client, &d.objects);
        if (code == EXIT_CODE_OK)
                code = objects_radios(d.objects, options, &radios);
        if (code == EXIT_CODE_OK)
                code = check_version(&d, &version);
        if (code != EXIT_CODE_OK)
                return code;

        check_rights(&d);
        if (radios->len == 0)
                find(&d, LEVEL_PROBLEM, "radios",
                     "plug one in, or add a section [Radio NAME] to its configuration",
                     "the daemon knows no radio");
        for (guint i = 0; code == EXIT_CODE_OK && i < radios->len; i++)
                code = check_radio(&d, radios->pdata[i]);
        if (code != EXIT_CODE_OK)
                return code;

        if (options->json)
                print_json(&d, version);
        else
                print_findings(&d);
        if (d.n_wrong == 0)
                return EXIT_CODE_OK;
        return ctl_fail(EXIT_CODE_FAILED, "%u thing%s attention", d.n_wrong,
                        d.n_wrong == 1 ? " needs" : "s need");
}

static const char doctor_description[] =
                "Looks at the link and why it is down, clock, battery, storage and contact table of\n"
                "each radio, at texts that wait or were not delivered, at the history, and at the\n"
                "versions and rights on the bus. Each finding is ok, a note, a warning or a problem,\n"
                "with advice. Changes nothing, and nothing goes on air.\n"
                "\n"
                "The exit status is 1 if there is a warning or a problem, and 3 or 5 if the daemon\n"
                "cannot be reached or refuses to answer, with a line that says what to do.\n"
                "\n"
                "With --json: {\"Version\", \"Healthy\", \"Findings\": [...]}; each finding has Radio (\"\" "
                "for\n"
                "the daemon itself), Check, Level, Text and Advice.\n";

static const char doctor_examples[] =
                "  meshcorectl doctor\n"
                "  meshcorectl doctor --json | jq -r '.Findings[] | select(.Level == \"problem\") | .Text'\n";

const Verb verb_doctor = {
                .name = "doctor",
                .arguments = "",
                .summary = "Look for what is wrong, with advice",
                .description = doctor_description,
                .examples = doctor_examples,
                .run = run_doctor,
};
