/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "autobus.h"
#include "format.h"
#include "objects.h"
#include "table.h"
#include "terminal.h"
#include "verbs.h"

/* What both verbs need: the objects, and the radios that are meant. */
typedef struct Snapshot {
        Client *client;
        Objects *objects;
        GPtrArray *radios;
} Snapshot;

static void snapshot_clear(Snapshot *s) {
        g_clear_pointer(&s->radios, g_ptr_array_unref);
        s->objects = objects_free(s->objects);
        s->client = client_free(s->client);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Snapshot, snapshot_clear)

static ExitCode take_snapshot(const CtlOptions *options, Snapshot *s) {
        ExitCode code;

        code = client_open(options, &s->client);
        if (code == EXIT_CODE_OK)
                code = objects_load(s->client, &s->objects);
        if (code == EXIT_CODE_OK)
                code = objects_radios(s->objects, options, &s->radios);
        return code;
}

static JsonObject *radio_to_json(Objects *objects, const char *path) {
        JsonObject *radio = objects_to_json(objects, path, IFACE_RADIO);
        JsonObject *contacts = objects_get(objects, path, IFACE_CONTACTS);
        JsonObject *messages = objects_get(objects, path, IFACE_MESSAGES);
        g_autoptr(GPtrArray) channels = objects_list(objects, path, IFACE_CHANNEL);

        json_object_set_int_member(radio, "Contacts", json_int(contacts, "Count"));
        json_object_set_int_member(radio, "ContactsOnRadio", json_int(contacts, "OnRadio"));
        json_object_set_int_member(radio, "ContactsCapacity", json_int(contacts, "Capacity"));
        json_object_set_int_member(radio, "Channels", channels->len);
        json_object_set_int_member(radio, "Unread", json_int(messages, "Unread"));
        return radio;
}

static JsonArray *radios_to_json(const Snapshot *s) {
        JsonArray *array = json_array_new();

        for (guint i = 0; i < s->radios->len; i++)
                json_array_add_object_element(array, radio_to_json(s->objects, s->radios->pdata[i]));
        return array;
}

static void print_array(JsonArray *array) {
        json_print_document(json_node_init_array(json_node_alloc(), array));
        json_array_unref(array);
}

/* -- status ----------------------------------------------------------------- */

/* One "Name: value" line; nothing for an empty value. */
static void print_fact(const char *name, const char *value) {
        g_autofree char *shown = terminal_escape(value);

        if (*value)
                printf("  %-12s %s\n", name, shown);
}

static void print_fact_owned(const char *name, char *value) {
        print_fact(name, value);
        g_free(value);
}

static char *device_text(JsonObject *radio) {
        const char *model = json_string(radio, "Model"), *firmware = json_string(radio, "Firmware");

        return g_strconcat(model, *model && *firmware ? ", " : "", *firmware ? "firmware " : "", firmware,
                           NULL);
}

static char *link_text(JsonObject *radio) {
        const char *address = json_string(radio, "Address"), *port = json_string(radio, "Port");
        bool other = *port && strcmp(port, address) != 0;

        return g_strdup_printf("%s %s%s%s%s", json_string(radio, "Transport"), address, other ? " (" : "",
                               other ? port : "", other ? ")" : "");
}

static char *lora_text(JsonObject *radio) {
        g_autofree char *frequency = format_frequency(json_int(radio, "FrequencyHz"));

        if (!*frequency)
                return g_strdup("");
        return g_strdup_printf("%s, %g kHz, SF%" G_GINT64_FORMAT ", CR 4/%" G_GINT64_FORMAT
                               ", %" G_GINT64_FORMAT " dBm",
                               frequency, (double) json_int(radio, "BandwidthHz") / 1000,
                               json_int(radio, "SpreadingFactor"), json_int(radio, "CodingRate"),
                               json_int(radio, "TxPower"));
}

static char *battery_text(JsonObject *radio) {
        int64_t mv = json_int(radio, "BatteryMillivolts"), percent = json_int(radio, "BatteryPercent");

        if (mv == 0)
                return g_strdup("");
        if (percent > 100)
                return g_strdup_printf("%.2f V", (double) mv / 1000);
        return g_strdup_printf("%" G_GINT64_FORMAT " %% (%.2f V)", percent, (double) mv / 1000);
}

static char *contacts_text(JsonObject *radio) {
        int64_t capacity = json_int(radio, "ContactsCapacity");

        if (capacity == 0)
                return g_strdup_printf("%" G_GINT64_FORMAT, json_int(radio, "Contacts"));
        return g_strdup_printf("%" G_GINT64_FORMAT " (%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT
                               " places in the radio taken)",
                               json_int(radio, "Contacts"), json_int(radio, "ContactsOnRadio"), capacity);
}

static char *clock_text(JsonObject *radio) {
        int64_t skew = json_int(radio, "ClockSkewUSec");
        g_autofree char *span = format_span(ABS(skew));

        /* The radio tells whole seconds. */
        if (ABS(skew) < 2000000)
                return g_strdup("");
        return g_strdup_printf("%s %s", span, skew > 0 ? "ahead of this host" : "behind this host");
}

static char *state_text(JsonObject *radio) {
        int64_t done = json_int(radio, "SyncDone"), total = json_int(radio, "SyncTotal");
        const char *reason = json_string(radio, "Reason");

        if (total > 0)
                return g_strdup_printf("%s (%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT ")",
                                       json_string(radio, "State"), done, total);
        if (!*reason || strcmp(reason, "none") == 0)
                return g_strdup(json_string(radio, "State"));
        return g_strdup_printf("%s (%s)", json_string(radio, "State"), reason);
}

static char *advice_text(JsonObject *radio) {
        const char *id = json_string(radio, "Id");

        if (strcmp(json_string(radio, "State"), "ready") == 0)
                return g_strdup("");
        if (strcmp(json_string(radio, "State"), "stopped") == 0)
                return g_strdup_printf("connect it: " CTL_NAME " start %s", id);
        return g_strdup(reason_advice(json_string(radio, "Reason")));
}

static void print_radio(JsonObject *radio) {
        g_autofree char *id = terminal_escape(json_string(radio, "Id"));

        printf("\n%s\n", id);
        print_fact_owned("State:", state_text(radio));
        print_fact_owned("Advice:", advice_text(radio));
        print_fact("Last error:", json_string(radio, "LastErrorMessage"));
        print_fact("Name:", json_string(radio, "Name"));
        print_fact("Key:", json_string(radio, "PublicKey"));
        print_fact_owned("Link:", link_text(radio));
        print_fact_owned("Device:", device_text(radio));
        print_fact_owned("LoRa:", lora_text(radio));
        print_fact_owned("Battery:", battery_text(radio));
        print_fact_owned("Clock:", clock_text(radio));
        print_fact_owned("Contacts:", contacts_text(radio));
        print_fact_owned("Channels:", g_strdup_printf("%" G_GINT64_FORMAT, json_int(radio, "Channels")));
        print_fact_owned("Unread:", g_strdup_printf("%" G_GINT64_FORMAT, json_int(radio, "Unread")));
}

/* The root is not among its own managed objects. */
static ExitCode get_version(Client *client, char **ret) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        const char *version;
        ExitCode code;

        code = client_call(client, CALL_DEFAULT, &reply, CTL_ROOT, "org.freedesktop.DBus.Properties", "Get",
                           "ss", IFACE_MANAGER, "Version");
        if (code != EXIT_CODE_OK)
                return code;
        if (sd_bus_message_read(reply, "v", "s", &version) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's version is no text");

        *ret = g_strdup(version);
        return EXIT_CODE_OK;
}

static ExitCode run_status(const CtlOptions *options, const Args *args) {
        g_auto(Snapshot) s = {};
        g_autofree char *version = NULL, *shown = NULL;
        ExitCode code;

        code = take_snapshot(options, &s);
        if (code != EXIT_CODE_OK)
                return code;

        code = get_version(s.client, &version);
        if (code != EXIT_CODE_OK)
                return code;

        if (options->json) {
                JsonObject *status = json_object_new();

                json_object_set_string_member(status, "Version", version);
                json_object_set_array_member(status, "Radios", radios_to_json(&s));
                json_print_document(json_node_init_object(json_node_alloc(), status));
                json_object_unref(status);
                return EXIT_CODE_OK;
        }

        shown = terminal_escape(version);
        printf("meshcored %s, %u radio%s\n", shown, s.radios->len, s.radios->len == 1 ? "" : "s");
        for (guint i = 0; i < s.radios->len; i++) {
                g_autoptr(JsonObject) radio = radio_to_json(s.objects, s.radios->pdata[i]);

                print_radio(radio);
        }
        if (s.radios->len == 0)
                ctl_note("plug a radio in, or add a section [Radio NAME] to %s; \"%s discover\" shows what "
                         "there is",
                         config_place(options->bus), CTL_NAME);
        return EXIT_CODE_OK;
}

static const char status_description[] =
                "Without a verb, this is what runs. A radio that is not ready shows the reason and\n"
                "what can be done about it. The exit status is 0 as soon as the daemon answers,\n"
                "whatever state its radios are in.\n"
                "\n"
                "With --json: {\"Version\", \"Radios\": [...]}; each radio as in \"radios --json\".\n";

static const char status_examples[] =
                "  meshcorectl status\n"
                "  meshcorectl --session status\n"
                "  meshcorectl status --json | jq -r '.Radios[] | .Id + \" \" + .State'\n";

const Verb verb_status = {
                .name = "status",
                .arguments = "",
                .summary = "Show the daemon and its radios at a glance, with advice",
                .description = status_description,
                .examples = status_examples,
                .run = run_status,
};

/* -- radios ----------------------------------------------------------------- */

static ExitCode run_radios(const CtlOptions *options, const Args *args) {
        static const char *const headers[] = {"ID",       "STATE",     "NAME",    "MODEL",   "FIRMWARE",
                                              ">BATTERY", ">CONTACTS", ">UNREAD", "ADDRESS", NULL};
        g_autoptr(Table) table = table_new(headers);
        g_auto(Snapshot) s = {};
        ExitCode code;

        code = take_snapshot(options, &s);
        if (code != EXIT_CODE_OK)
                return code;
        if (options->json) {
                print_array(radios_to_json(&s));
                return EXIT_CODE_OK;
        }

        for (guint i = 0; i < s.radios->len; i++) {
                g_autoptr(JsonObject) radio = radio_to_json(s.objects, s.radios->pdata[i]);
                g_autofree char *state = state_text(radio), *link = link_text(radio);
                int64_t percent = json_int(radio, "BatteryPercent");

                table_add(table, json_string(radio, "Id"));
                table_add(table, state);
                table_add(table, json_string(radio, "Name"));
                table_add(table, json_string(radio, "Model"));
                table_add(table, json_string(radio, "Firmware"));
                if (json_int(radio, "BatteryMillivolts") == 0 || percent > 100)
                        table_add(table, NULL);
                else
                        table_add_format(table, "%" G_GINT64_FORMAT " %%", percent);
                table_add_format(table, "%" G_GINT64_FORMAT, json_int(radio, "Contacts"));
                table_add_format(table, "%" G_GINT64_FORMAT, json_int(radio, "Unread"));
                table_add(table, link);
        }
        table_print(table);
        return EXIT_CODE_OK;
}

static const char radios_description[] =
                "With --json: an array with one object for each radio: Path, every property of\n"
                "org.meshcored1.Radio under its own name, and Contacts, ContactsOnRadio,\n"
                "ContactsCapacity, Channels and Unread (numbers).\n";

static const char radios_examples[] = "  meshcorectl radios\n"
                                      "  meshcorectl radios --radio home --json\n";

const Verb verb_radios = {
                .name = "radios",
                .arguments = "",
                .summary = "List the radios",
                .description = radios_description,
                .examples = radios_examples,
                .run = run_radios,
};
