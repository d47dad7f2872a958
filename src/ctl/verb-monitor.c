/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "autobus.h"
#include "clock.h"
#include "format.h"
#include "history.h"
#include "macros.h"
#include "terminal.h"
#include "verbs.h"
#include "watch.h"

/* Kinds of events, in the words of --kind. */
typedef enum EventKind {
        EVENT_MESSAGE,
        EVENT_DELIVERY,
        EVENT_DELETED,
        EVENT_STATE,
        EVENT_RADIO,
        EVENT_CONTACT,
        EVENT_CHANNEL,
        EVENT_ADVERT,
        EVENT_DATA,
        EVENT_DAEMON,
        _EVENT_MAX,
        _EVENT_INVALID = -EINVAL,
} EventKind;

#define KINDS "message delivery deleted state radio contact channel advert data daemon"

static const char *const kind_names[_EVENT_MAX] = {
                [EVENT_MESSAGE] = "message", [EVENT_DELIVERY] = "delivery", [EVENT_DELETED] = "deleted",
                [EVENT_STATE] = "state",     [EVENT_RADIO] = "radio",       [EVENT_CONTACT] = "contact",
                [EVENT_CHANNEL] = "channel", [EVENT_ADVERT] = "advert",     [EVENT_DATA] = "data",
                [EVENT_DAEMON] = "daemon",
};

typedef struct Monitor {
        const CtlOptions *options;
        Client *client;
        Objects *objects;
        unsigned kinds; /* bits of EventKind */
} Monitor;

static void monitor_clear(Monitor *m) {
        m->objects = objects_free(m->objects);
        m->client = client_free(m->client);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Monitor, monitor_clear)

/* -- output ----------------------------------------------------------------- */

static JsonObject *event_new(EventKind kind, const char *radio) {
        JsonObject *event = json_object_new();

        json_object_set_string_member(event, "Event", kind_names[kind]);
        json_object_set_int_member(event, "TimeUSec", (gint64) clock_realtime_usec());
        json_object_set_string_member(event, "Radio", radio);
        return event;
}

/* Prints the event, or line in its place for people. Takes event. */
static void event_print(const Monitor *m, EventKind kind, JsonObject *event, const char *line) {
        g_autofree char *time = NULL, *radio = NULL, *shown = NULL;

        if (m->options->json) {
                json_print_line(event);
                return;
        }

        time = format_time(json_int(event, "TimeUSec"));
        radio = terminal_escape(json_string(event, "Radio"));
        shown = terminal_escape(line);
        printf("%s  %-8s  %s%s%s\n", time, kind_names[kind], radio, *radio ? "  " : "", shown);
        (void) fflush(stdout);
        json_object_unref(event);
}

static bool wanted(const Monitor *m, EventKind kind, const char *radio) {
        return (m->kinds & 1U << kind) && (!m->options->radio || strcmp(m->options->radio, radio) == 0);
}

/* -- arguments of signals --------------------------------------------------- */

static JsonArray *arguments_of(sd_bus_message *signal) {
        JsonArray *array = json_array_new();

        if (sd_bus_message_rewind(signal, true) < 0)
                return array;
        while (sd_bus_message_at_end(signal, true) == 0) {
                JsonNode *value = NULL;

                if (json_from_message(signal, &value) < 0)
                        break;
                json_array_add_element(array, value);
        }
        return array;
}

static bool signal_is(sd_bus_message *signal, const char *interface, const char *member,
                      const char *signature) {
        return sd_bus_message_is_signal(signal, interface, member) > 0 &&
               sd_bus_message_has_signature(signal, signature) > 0;
}

/* "Name: value, Name: value"; the value as JSON but for plain strings. */
static char *members_text(JsonObject *object, const char *const *without) {
        g_autoptr(GString) out = g_string_new(NULL);
        JsonObjectIter iter;
        const char *name;
        JsonNode *value;

        json_object_iter_init_ordered(&iter, object);
        while (json_object_iter_next_ordered(&iter, &name, &value)) {
                g_autofree char *text = NULL;

                if (without && g_strv_contains(without, name))
                        continue;
                if (strcmp(name, "RoundTripUSec") == 0)
                        text = format_span(json_int(object, name));
                else if (g_str_has_suffix(name, "USec") && strcmp(name, "ClockSkewUSec") != 0)
                        text = format_time(json_int(object, name));
                else
                        text = *json_string(object, name) ? g_strdup(json_string(object, name))
                                                          : json_to_text(value, false);
                g_string_append_printf(out, "%s%s: %s", out->len > 0 ? ", " : "", name, text);
        }
        return g_string_free(g_steal_pointer(&out), FALSE);
}

/* -- events ----------------------------------------------------------------- */

static void on_received(Monitor *m, const char *radio, sd_bus_message *signal) {
        g_autoptr(JsonArray) arguments = arguments_of(signal);
        g_autoptr(JsonObject) message = NULL;
        g_autofree char *line = NULL, *numbered = NULL;
        JsonObject *event;

        if (!wanted(m, EVENT_MESSAGE, radio))
                return;
        message = history_message(m->objects, json_array_get_string_element(arguments, 1),
                                  json_array_get_object_element(arguments, 2));
        line = message_line(message);
        numbered = g_strdup_printf("%" G_GINT64_FORMAT "  %s", json_int(message, "Id"), line);
        event = event_new(EVENT_MESSAGE, radio);
        json_merge(event, message);
        event_print(m, EVENT_MESSAGE, event, numbered);
}

/* The signal tells path and state; the rest is asked for. When that fails (the message, or the daemon, is
 * gone already) the state alone is shown. */
static void on_changed(Monitor *m, const char *radio, sd_bus_message *signal) {
        g_autoptr(JsonArray) arguments = arguments_of(signal);
        const char *path = json_array_get_string_element(arguments, 0);
        const char *state = json_array_get_string_element(arguments, 1);
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        g_autofree char *line = NULL, *with = NULL, *span = NULL;
        g_autoptr(JsonObject) message = NULL;
        JsonObject *event;

        if (!wanted(m, EVENT_DELIVERY, radio))
                return;
        event = event_new(EVENT_DELIVERY, radio);
        if (history_get(m->client, m->objects, path, &error, &message) >= 0) {
                json_merge(event, message);
                with = message_with(message);
                span = format_span(json_int(message, "RoundTripUSec"));
                line = g_strdup_printf("%" G_GINT64_FORMAT "  to %s: %s%s%s%s", json_int(message, "Id"), with,
                                       state, json_int(message, "RoundTripUSec") > 0 ? " after " : "",
                                       json_int(message, "RoundTripUSec") > 0 ? span : "",
                                       strcmp(state, "failed") == 0 ? " (message ID tells more)" : "");
        } else
                line = g_strdup_printf("%s: %s", path, state);

        /* What was announced, even if the message has gone on since. */
        json_object_set_string_member(event, "Path", path);
        json_object_set_string_member(event, "State", state);
        event_print(m, EVENT_DELIVERY, event, line);
}

static void on_deleted(Monitor *m, const char *radio, sd_bus_message *signal) {
        g_autoptr(JsonArray) arguments = arguments_of(signal);
        JsonArray *paths = json_array_get_array_element(arguments, 0);
        g_autofree char *line = NULL;
        JsonObject *event;

        if (!wanted(m, EVENT_DELETED, radio))
                return;
        event = event_new(EVENT_DELETED, radio);
        json_object_set_array_member(event, "Paths", json_array_ref(paths));
        line = g_strdup_printf("%u message%s", json_array_get_length(paths),
                               json_array_get_length(paths) == 1 ? "" : "s");
        event_print(m, EVENT_DELETED, event, line);
}

static void on_state(Monitor *m, const char *radio, sd_bus_message *signal) {
        g_autoptr(JsonArray) arguments = arguments_of(signal);
        const char *old = json_array_get_string_element(arguments, 0);
        const char *new = json_array_get_string_element(arguments, 1);
        const char *reason = json_array_get_string_element(arguments, 2);
        const char *advice = reason_advice(reason);
        JsonObject *details = json_array_get_object_element(arguments, 3), *event;
        g_autofree char *line = NULL;

        if (!wanted(m, EVENT_STATE, radio))
                return;
        event = event_new(EVENT_STATE, radio);
        json_object_set_string_member(event, "Old", old);
        json_object_set_string_member(event, "New", new);
        json_object_set_string_member(event, "Reason", reason);
        json_object_set_object_member(event, "Details", json_object_ref(details));

        if (strcmp(reason, "none") == 0)
                line = g_strdup_printf("%s -> %s", old, new);
        else
                line = g_strdup_printf("%s -> %s (%s%s%s)", old, new, reason, *advice ? ": " : "", advice);
        event_print(m, EVENT_STATE, event, line);
}

static void on_identity(Monitor *m, const char *radio, sd_bus_message *signal) {
        g_autoptr(JsonArray) arguments = arguments_of(signal);
        g_autofree char *line = NULL;
        JsonObject *event;

        if (!wanted(m, EVENT_RADIO, radio))
                return;
        event = event_new(EVENT_RADIO, radio);
        json_object_set_string_member(event, "OldIdentity", json_array_get_string_element(arguments, 0));
        json_object_set_string_member(event, "NewIdentity", json_array_get_string_element(arguments, 1));
        line = g_strdup_printf("another radio answers: %s", json_array_get_string_element(arguments, 1));
        event_print(m, EVENT_RADIO, event, line);
}

static void on_advert(Monitor *m, const char *radio, sd_bus_message *signal) {
        g_autoptr(JsonArray) arguments = arguments_of(signal);
        const char *key = json_array_get_string_element(arguments, 0);
        JsonObject *advert = json_array_get_object_element(arguments, 1), *event;
        g_autofree char *line = NULL;

        if (!wanted(m, EVENT_ADVERT, radio))
                return;
        event = event_new(EVENT_ADVERT, radio);
        json_object_set_string_member(event, "Key", key);
        json_merge(event, advert);
        line = g_strdup_printf("%s (%s, %.12s)%s", json_string(advert, "Name"), json_string(advert, "Type"),
                               key, json_bool(advert, "Stored") ? "" : ", not a contact");
        event_print(m, EVENT_ADVERT, event, line);
}

/* Raw or control data, whose second argument tells how it was received. */
static void on_data(Monitor *m, const char *radio, sd_bus_message *signal, const char *action) {
        g_autoptr(JsonArray) arguments = arguments_of(signal);
        const char *data = json_array_get_string_element(arguments, 0);
        JsonObject *reception = json_array_get_object_element(arguments, 1), *event;
        g_autofree char *line = NULL;

        if (!wanted(m, EVENT_DATA, radio))
                return;
        event = event_new(EVENT_DATA, radio);
        json_object_set_string_member(event, "Action", action);
        json_object_set_string_member(event, "Data", data);
        json_merge(event, reception);
        line = g_strdup_printf("%s data: %s (SNR %g dB, RSSI %" G_GINT64_FORMAT " dBm)", action, data,
                               json_double(reception, "Snr", 0), json_int(reception, "Rssi"));
        event_print(m, EVENT_DATA, event, line);
}

static void on_traced(Monitor *m, const char *radio, sd_bus_message *signal) {
        g_autoptr(JsonArray) arguments = arguments_of(signal);
        JsonArray *hops = json_array_get_array_element(arguments, 0);
        GString *line = g_string_new("a trace came back:");
        JsonObject *event;

        if (wanted(m, EVENT_DATA, radio)) {
                event = event_new(EVENT_DATA, radio);
                json_object_set_string_member(event, "Action", "trace");
                json_object_set_array_member(event, "Hops", json_array_ref(hops));
                for (guint i = 0; i < json_array_get_length(hops); i++) {
                        JsonObject *hop = json_array_get_object_element(hops, i);
                        const char *hash = json_string(hop, "Hash");

                        g_string_append_printf(line, " %s %g dB", *hash ? hash : "here",
                                               json_double(hop, "Snr", 0));
                }
                event_print(m, EVENT_DATA, event, line->str);
        }
        g_string_free(line, TRUE);
}

static void on_full(Monitor *m, const char *radio) {
        JsonObject *event;

        if (!wanted(m, EVENT_CONTACT, radio))
                return;
        event = event_new(EVENT_CONTACT, radio);
        json_object_set_string_member(event, "Action", "full");
        event_print(m, EVENT_CONTACT, event, "the radio's table of contacts is full");
}

/* -- objects ---------------------------------------------------------------- */

static const struct {
        const char *interface;
        EventKind kind;
} object_kinds[] = {
                {IFACE_CONTACT, EVENT_CONTACT},  {IFACE_CHANNEL, EVENT_CHANNEL},  {IFACE_RADIO, EVENT_RADIO},
                {IFACE_CONTACTS, EVENT_CONTACT}, {IFACE_CHANNELS, EVENT_CHANNEL},
};

static EventKind kind_of_interface(const char *interface) {
        for (size_t i = 0; i < ELEMENTSOF(object_kinds); i++)
                if (strcmp(object_kinds[i].interface, interface) == 0)
                        return object_kinds[i].kind;
        return _EVENT_INVALID;
}

static bool interface_is_list(const char *interface) {
        return strcmp(interface, IFACE_CONTACTS) == 0 || strcmp(interface, IFACE_CHANNELS) == 0;
}

/* A contact, channel or radio came or went; objects still, or already, know it. */
static void object_event(Monitor *m, const char *path, const char *interface, const char *action) {
        const char *radio = objects_radio_id(m->objects, path);
        JsonObject *properties = objects_get(m->objects, path, interface), *event;
        EventKind kind = kind_of_interface(interface);
        g_autofree char *line = NULL;

        if (kind < 0 || interface_is_list(interface) || !wanted(m, kind, radio))
                return;
        event = event_new(kind, radio);
        json_object_set_string_member(event, "Action", action);
        json_object_set_string_member(event, "Path", path);
        if (properties)
                json_merge(event, properties);
        line = g_strdup_printf("%s %s", properties ? json_string(properties, "Name") : path, action);
        event_print(m, kind, event, line);
}

static void on_added(Monitor *m, sd_bus_message *signal) {
        g_autoptr(JsonArray) arguments = arguments_of(signal);
        g_autoptr(GList) interfaces = json_object_get_members(json_array_get_object_element(arguments, 1));

        objects_apply(m->objects, signal);
        for (GList *l = interfaces; l; l = l->next)
                object_event(m, json_array_get_string_element(arguments, 0), l->data, "added");
}

static void on_removed(Monitor *m, sd_bus_message *signal) {
        g_autoptr(JsonArray) arguments = arguments_of(signal);
        JsonArray *interfaces = json_array_get_array_element(arguments, 1);

        for (guint i = 0; i < json_array_get_length(interfaces); i++)
                object_event(m, json_array_get_string_element(arguments, 0),
                             json_array_get_string_element(interfaces, i), "removed");
        objects_apply(m->objects, signal);
}

static void on_properties(Monitor *m, sd_bus_message *signal) {
        /* Told by StateChanged, and by each message and advert. */
        static const char *const noise[] = {"State",         "Reason", "LastError",      "LastErrorMessage",
                                            "LastHeardUSec", "Unread", "LastAdvertUSec", NULL};
        g_autoptr(JsonArray) arguments = arguments_of(signal);
        const char *interface = json_array_get_string_element(arguments, 0);
        JsonObject *changed = json_array_get_object_element(arguments, 1), *event;
        const char *path = sd_bus_message_get_path(signal), *radio;
        EventKind kind = kind_of_interface(interface);
        g_autofree char *text = NULL, *line = NULL;

        objects_apply(m->objects, signal);
        radio = objects_radio_id(m->objects, path);
        if (kind < 0 || !wanted(m, kind, radio))
                return;

        text = members_text(changed, noise);
        if (!*text && !m->options->json)
                return;
        event = event_new(kind, radio);
        json_object_set_string_member(event, "Action", "changed");
        json_object_set_string_member(event, "Path", path);
        json_object_set_object_member(event, "Changed", json_object_ref(changed));
        if (kind == EVENT_RADIO || interface_is_list(interface))
                line = g_steal_pointer(&text);
        else
                line = g_strdup_printf("%s: %s",
                                       json_string(objects_get(m->objects, path, interface), "Name"), text);
        event_print(m, kind, event, line);
}

/* -- the daemon ------------------------------------------------------------- */

static void on_signal(Watch *watch, sd_bus_message *signal, void *userdata) {
        const char *radio;
        Monitor *m = userdata;

        if (!m->objects)
                return;
        radio = objects_radio_id(m->objects, sd_bus_message_get_path(signal));
        if (signal_is(signal, IFACE_MESSAGES, "Received", "ooa{sv}"))
                on_received(m, radio, signal);
        else if (signal_is(signal, IFACE_MESSAGES, "Changed", "os"))
                on_changed(m, radio, signal);
        else if (signal_is(signal, IFACE_MESSAGES, "Deleted", "ao"))
                on_deleted(m, radio, signal);
        else if (signal_is(signal, IFACE_RADIO, "StateChanged", "sssa{sv}"))
                on_state(m, radio, signal);
        else if (signal_is(signal, IFACE_RADIO, "IdentityChanged", "ss"))
                on_identity(m, radio, signal);
        else if (signal_is(signal, IFACE_CONTACTS, "AdvertHeard", "sa{sv}"))
                on_advert(m, radio, signal);
        else if (signal_is(signal, IFACE_MONITOR, "RawData", "aya{sv}"))
                on_data(m, radio, signal, "raw");
        else if (signal_is(signal, IFACE_MONITOR, "ControlData", "aya{sv}"))
                on_data(m, radio, signal, "control");
        else if (signal_is(signal, IFACE_MONITOR, "Traced", "aa{sv}"))
                on_traced(m, radio, signal);
        else if (signal_is(signal, IFACE_CONTACTS, "Full", ""))
                on_full(m, radio);
        else if (signal_is(signal, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded", "oa{sa{sv}}"))
                on_added(m, signal);
        else if (signal_is(signal, "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved", "oas"))
                on_removed(m, signal);
        else if (signal_is(signal, "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as"))
                on_properties(m, signal);
}

/* Also the first line of all: from then on nothing is missed. */
static void daemon_event(Monitor *m, bool present) {
        const char *line =
                        present ? "meshcored is there" : "meshcored went away; waiting for it to come back";
        JsonObject *event;

        if (!(m->kinds & 1U << EVENT_DAEMON)) {
                if (!present)
                        ctl_note("%s", line);
                return;
        }
        event = event_new(EVENT_DAEMON, "");
        json_object_set_boolean_member(event, "Present", present);
        event_print(m, EVENT_DAEMON, event, line);
}

static void on_came(Watch *watch, void *userdata) {
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        g_autoptr(GPtrArray) radios = NULL;
        Monitor *m = userdata;
        bool first = !m->objects;
        Objects *objects;
        ExitCode code;
        int r;

        r = objects_load_quietly(m->client, CALL_DEFAULT, &error, &objects);
        if (r < 0) {
                if (!client_error_is_absence(&error, r))
                        watch_end(watch, client_report(m->client, NULL, &error, r));
                return;
        }
        objects_free(m->objects);
        m->objects = objects;

        if (first) {
                code = objects_radios(objects, m->options, &radios);
                if (code != EXIT_CODE_OK)
                        watch_end(watch, code);
        }
        daemon_event(m, true);
}

static void on_went(Watch *watch, void *userdata) {
        daemon_event(userdata, false);
}

static ExitCode read_kinds(const Args *args, unsigned *ret) {
        const char *text = args_get(args, "kind");
        g_auto(GStrv) list = NULL;
        unsigned kinds = 0;

        *ret = (1U << _EVENT_MAX) - 1;
        if (!text)
                return EXIT_CODE_OK;

        list = g_strsplit(text, ",", -1);
        for (char **p = list; *p; p++) {
                int kind = 0;

                while (kind < _EVENT_MAX && strcmp(kind_names[kind], *p) != 0)
                        kind++;
                if (kind == _EVENT_MAX)
                        return ctl_fail(EXIT_CODE_USAGE, "--kind knows: " KINDS "; not: %s", *p);
                kinds |= 1U << kind;
        }
        *ret = kinds;
        return EXIT_CODE_OK;
}

static ExitCode run_monitor(const CtlOptions *options, const Args *args) {
        static const WatchHandlers handlers = {.came = on_came, .signal = on_signal, .went = on_went};
        g_auto(Monitor) m = {.options = options};
        ExitCode code;

        code = read_kinds(args, &m.kinds);
        if (code == EXIT_CODE_OK)
                code = client_open(options, &m.client);
        return code == EXIT_CODE_OK ? watch_run(m.client, &handlers, &m) : code;
}

static const VerbOption monitor_options[] = {
                {"kind", 'k', "KIND[,KIND…]", "only events of these kinds", WORD_CHOICE, KINDS},
                {},
};

static const char monitor_description[] =
                "Kinds: message (one came), delivery (the state of our own changed), deleted, state (of\n"
                "a radio's connection, with advice), radio (its settings, battery, identity), contact\n"
                "and channel (came, went, changed), advert (a node was heard), data (raw or control data\n"
                "of other nodes, or a trace that nobody waits for, came), daemon (it went or came\n"
                "back). Nothing is caught up: for a gapless list of messages use\n"
                "\"messages --follow\".\n"
                "\n"
                "With --json: one object a line, with Event (the kind), TimeUSec and Radio, and:\n"
                "message and delivery as in \"messages --json\"; state: Old, New, Reason, Details;\n"
                "contact, channel, radio: Action (added, removed, changed, full), Path, and the\n"
                "properties or in Changed the changed ones; radio also OldIdentity, NewIdentity;\n"
                "advert: Key, Stored, Type, Name, Location, LastAdvertUSec; deleted: Paths;\n"
                "data: Action (raw, control, trace), Data, Snr and Rssi, or Hops; daemon: Present.\n";

static const char monitor_examples[] = "  meshcorectl monitor\n"
                                       "  meshcorectl monitor --kind message,delivery\n"
                                       "  meshcorectl monitor --json --kind advert | jq -r .Name\n";

const Verb verb_monitor = {
                .name = "monitor",
                .arguments = "[--kind KIND[,KIND…]]",
                .summary = "Show what happens, live, until Ctrl-C",
                .description = monitor_description,
                .examples = monitor_examples,
                .options = monitor_options,
                .run = run_monitor,
};
